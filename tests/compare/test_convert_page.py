"""Every line of the page's table of questions is run, one after the other, and proves what it writes."""

from __future__ import annotations

import re
import shlex

import pages
import pytest

PAGE = "docs/converting-weights.md"
LINES = re.findall(r"^\|[^|\n]+\|[^|\n]+\| `gradparity (convert [^`\n]+)` \|$", pages.text(PAGE), re.MULTILINE)


@pytest.mark.docs
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_every_line_of_the_table_is_proved(gradparity, tmp_path):
    assert len(LINES) >= 6
    for text in ('"weights.safetensors"', '"model.keras"'):
        exec(pages.the_block(PAGE, text).text, {"__name__": "page"})
    for line in LINES:
        arguments = shlex.split(line)
        code, out, err = gradparity(*arguments)
        assert (code, err) == (0, ""), line
        assert " agree in " in out
        assert (tmp_path / arguments[2]).exists()
