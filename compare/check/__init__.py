"""The check of one derivation by hand: a person's function is run, judged, and made smaller."""
