"""What the parts of the pytest plugin know of the session."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent  # where the conformance suite is found by its public name
CONFORMANCE = "gradparity.compare.conformance"
CONFORMANCE_FILE = HERE / "conformance.py"
STARTED_WITH = tuple(sys.path)  # without the folders that pytest will add to find the tests
NOTE = "gradparity"  # the user property of a test of which there is more to say than how it ended


def is_conformance_run(config: pytest.Config) -> bool:
    """Whether the conformance suite was named on the command line."""
    paths = [arg.partition("::")[0] for arg in config.args]
    files = [(config.invocation_params.dir / path).resolve() for path in paths]
    return CONFORMANCE in paths or CONFORMANCE_FILE.resolve() in files
