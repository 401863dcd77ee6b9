"""Work in other processes, and logs of it that can be continued."""
