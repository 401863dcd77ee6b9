"""The diagnosis: which mistake gives the wrong gradient that was handed in, and how that is said."""
