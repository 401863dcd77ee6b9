"""What is somebody's own code, and what is an installed library, which is not looked into."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends.errors import is_authors


@pytest.mark.parametrize(
    ("filename", "is_own"),
    [
        ("/home/me/rnn.py", True),
        ("<ipython-input-3-1>", True),
        ("<string>", False),
        (np.__file__, False),
        (pytest.__file__, False),
        ("/home/me/.local/lib/python3.12/site-packages/them/rnn.py", False),
        ("/usr/lib/python3/dist-packages/them/rnn.py", False),
    ],
)
def test_installed_libraries_are_told_by_their_folder(filename, is_own):
    assert is_authors(filename) is is_own
