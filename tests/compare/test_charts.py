"""Charts of gradient flow: they are drawn so that they can be read."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from gradparity.backends import MissingFrameworkError, RequestError
from gradparity.compare.flow.charts import flow_figure, terminal_chart
from gradparity.compare.flow.measurement import GradientFlow
from gradparity.compare.output.pictures import require_drawable


def a_flow(*norms, system="mine", scale=1.0):
    """A flow without a comparison."""
    return GradientFlow(system, scale, np.array(norms, float), comparison=None)


THREE = [
    a_flow(1e-6, 1e-4, 1e-2, 1.0, system="sinking"),
    a_flow(1e3, 1e2, 10.0, 1.0, system="rising"),
    a_flow(0.0, 0.0, 0.5, 1.0, system="stopping", scale=0.5),
]


@pytest.mark.parametrize("width", [60, 100, 300])
def test_the_chart_shows_every_flow_by_its_letter(width):
    lines = terminal_chart(THREE, width).splitlines()
    assert max(map(len, lines)) <= width
    assert "‖∂L_T/∂h_t‖" in lines[0]
    drawing = "\n".join(line for line in lines if "┤" in line or line.strip().startswith("│"))
    assert {"a", "b", "c"} <= set(drawing.replace("1e", ""))
    assert "1e-06┤" in drawing
    assert "\x1b" not in drawing


def test_a_rising_line_rises_and_a_sinking_one_sinks():
    def rows(letter):
        lines = terminal_chart(THREE, 80).splitlines()
        marked = sorted((line.index(letter), row) for row, line in enumerate(lines) if letter in line and "│" in line)
        return [row for _, row in marked]

    assert rows("a") == sorted(rows("a"), reverse=True)  # the first row is the topmost
    assert rows("b") == sorted(rows("b"))


@pytest.mark.parametrize(
    "norms",
    [
        (0.0, 0.0, 0.0),
        (np.nan, np.inf, np.inf),
        (1.0, 1.0),
        (1e-300, 1e-150, 1.0),
        (1e300, 1.0),
        (1.7e308, 1.0),
        (1e-307, 1e-305),
    ],
)
def test_a_chart_of_odd_numbers_is_drawn_all_the_same(norms):
    assert terminal_chart([a_flow(*norms)], 80).count("\n") > 10
    assert flow_figure([a_flow(*norms)], ".png").startswith(b"\x89PNG")


def test_more_flows_than_letters_begin_anew():
    assert terminal_chart([a_flow(1.0, 0.5)] * 30, 80)


def test_pictures_begin_as_their_format_must():
    assert flow_figure(THREE, ".png").startswith(b"\x89PNG\r\n\x1a\n")
    assert flow_figure(THREE, ".pdf").startswith(b"%PDF-")
    assert flow_figure(THREE, ".svg").startswith(b"<?xml")


def test_a_picture_that_is_drawn_again_is_the_same_to_the_byte():
    assert flow_figure(THREE, ".svg") == flow_figure(THREE, ".svg")


def test_an_svg_names_every_flow_and_tells_lines_apart_without_colour():
    content = flow_figure(THREE, ".svg").decode()
    assert ElementTree.fromstring(content).tag.endswith("svg")
    for label in ("sinking × 1 (vanishes)", "rising × 1 (holds)", "stopping × 0.5 (stops)"):
        assert label in content  # as a comment beside the letters' outlines
    assert "stroke-dasharray" in content


@pytest.mark.parametrize("name", ["flow.gif", "flow", "flow.jpg"])
def test_a_format_that_cannot_be_drawn_is_refused(tmp_path, name):
    with pytest.raises(RequestError, match=r"cannot be drawn, expected a file that ends in \.png, \.svg, \.pdf"):
        require_drawable(tmp_path / name)


def test_a_missing_plotext_is_explained_with_the_extra(hide):
    hide("plotext")
    with pytest.raises(MissingFrameworkError) as error:
        terminal_chart(THREE, 80)
    assert str(error.value) == (
        'the terminal chart needs plotext, which is not installed: pip install "gradparity[plot]"'
    )


def test_a_missing_matplotlib_is_explained_with_the_extra(hide, tmp_path):
    hide("matplotlib")
    with pytest.raises(MissingFrameworkError) as error:
        require_drawable(tmp_path / "flow.png")
    assert str(error.value) == 'a picture needs matplotlib, which is not installed: pip install "gradparity[plot]"'
