"""`python -m gradparity.compare` is the same program as `gradparity`."""

from .cli import main

main()
