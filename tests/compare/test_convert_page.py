"""Every line of the page's table of questions is run, one after the other, and proves what it writes."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

import pages
import pytest
from gradparity.backends import Recurrent
from gradparity.backends.layouts import LAYOUTS
from gradparity.compare.conversion.files_compared import HeldLayer
from gradparity.compare.differences.reading_words import native_gates
from sampling import case

PAGE = "docs/converting-weights.md"
TEXT = pages.text(PAGE)
SHOWN = 5  # lines of the table that every run proves; a campaign proves all
LINES = re.findall(r"^\|[^|\n]+\|[^|\n]+\| `gradparity (convert [^`\n]+)` \|$", TEXT, re.MULTILINE)


@pytest.mark.docs
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("number", [case(SHOWN, campaign=False, id="some"), case(99, campaign=True, id="all")])
def test_every_line_of_the_table_is_proved(gradparity, tmp_path, number):
    assert len(LINES) > SHOWN
    for text in ('"weights.safetensors"', '"model.keras"'):
        exec(pages.the_block(PAGE, text).text, {"__name__": "page"})
    for line in LINES[:number]:
        arguments = shlex.split(line)
        code, out, err = gradparity(*arguments)
        assert (code, err) == (0, ""), line
        assert " agree in " in out
        assert (tmp_path / arguments[2]).exists()


def test_the_table_of_conventions_is_that_of_the_layouts():
    """The order of the gates, the reset and the number of biases of every library, told by where numbers are put."""
    row = r"^\| ([a-z0-9, -]+) \| .* \| ([ifgo ]{7})[^|]* \| ([rzn ]{5})?([^|]*) \| ([^|]*) \|$"
    told = {library: rest for libraries, *rest in re.findall(row, TEXT, re.M) for library in libraries.split(", ")}
    assert set(told) == set(LAYOUTS)
    for library, (lstm, gru, reset, biases) in told.items():
        layout = LAYOUTS[library]
        assert native(layout, Recurrent("lstm", 2, 2, 1)) in ("", lstm.replace(" ", "")), library
        is_before = layout.unsupported(Recurrent("gru", 2, 2, 1)) != ""
        model = Recurrent("gru", 2, 2, 1, reset="before" if is_before else "after")
        assert native(layout, model) in ("", gru.replace(" ", "")), library
        assert ("reset before" in reset) == is_before, library
        both = not is_before and not layout.unsupported(replace(model, reset="before"))
        assert ("reset told" in reset) == both, library
        (weights,) = layout.zeros(Recurrent("lstm", 2, 2, 1))
        numbers_of_bias = sum(a.size for name, a in weights.items() if "b" in name.lower().rsplit(".", 1)[-1][:1])
        assert ("two" in biases.split(";")[0]) == (numbers_of_bias == 2 * 8), library


def native(layout, model):
    return native_gates(HeldLayer("", layout, model, ()))
