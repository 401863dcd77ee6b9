"""Output: the console, JSON documents, picture files, and the environment for the record."""
