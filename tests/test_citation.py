"""What CITATION.cff says of the package is what pyproject.toml says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("field", ["version", "license"])
def test_the_citation_and_the_package_say_the_same(field):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(rf"^{field}: (.*)$", citation, flags=re.MULTILINE) == [project[field]]
