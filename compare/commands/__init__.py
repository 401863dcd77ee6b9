"""The commands of `gradparity`, one file for each: what it takes, and what it does with what it gets."""
