"""The pictures on the pages are of today: drawn by the code as it is, and of what is printed now."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from xml.etree import ElementTree

import draw_pictures
import pages
import pytest
from draw_pictures import PICTURES, TABLES, Drawn, compact, stamped
from gradparity.compare.bench import read_bench
from gradparity.compare.bench.markdown import markdown_tables

BY_NAME = {picture.name: picture for picture in PICTURES}
AFRESH = "draw it afresh by `nox --sessions pictures -- {}`"


def older_than(picture: Drawn, content: str, root=pages.ROOT) -> list[str]:
    """What says something else than when a picture was drawn, each in a sentence."""
    said = set(content.splitlines())
    lines = picture.stamp(root).splitlines()[1:-1]
    names = [line.partition(" ")[2] for line in lines if line not in said]
    return [f"{picture.path} is older than {name}: {AFRESH.format(picture.name)}" for name in names]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_no_picture_is_older_than_what_draws_it(picture):
    content = pages.text(picture.path)
    assert older_than(picture, content) == []
    assert ElementTree.fromstring(content).tag.endswith("svg")


def test_a_picture_that_is_older_is_found_and_a_comment_makes_none_older(tmp_path):
    (tmp_path / "docs").mkdir()
    for name, text in {"draw.py": "def f():\n    return 1\n", "data.json": "[1]"}.items():
        (tmp_path / name).write_text(text)
    picture = Drawn("p", ("draw",), ("draw.py", "data.json"))
    svg = f"<svg/>\n{picture.stamp(tmp_path)}"
    assert older_than(picture, svg, tmp_path) == []
    (tmp_path / "draw.py").write_text('def f():\n    """One."""\n    return 1  # always\n')
    assert older_than(picture, svg, tmp_path) == []
    (tmp_path / "draw.py").write_text("def f():\n    return 2\n")
    (tmp_path / "data.json").write_text("[1, 2]")
    assert older_than(picture, svg, tmp_path) == [
        f"docs/p.svg is older than {name}: {AFRESH.format('p')}" for name in ("draw.py", "data.json")
    ]
    assert "older than its command" in older_than(replace(picture, arguments=("paint",)), svg, tmp_path)[0]
    assert len(older_than(picture, "<svg/>", tmp_path)) == 3


def test_a_picture_is_stamped_once():
    picture = BY_NAME["flow"]
    once = stamped("<svg/>\n", picture)
    assert stamped(once, picture) == once == f"<svg/>\n{picture.stamp()}"


def test_every_picture_of_the_pages_is_one_of_these():
    shown = {
        name
        for page in (*pages.pages(), draw_pictures.PAGE)
        for name in re.findall(r"!\[[^\]]*\]\([^)]*?(\w+)\.svg\)", pages.text(page))
    }
    assert shown == set(BY_NAME) == {path.stem for path in (pages.ROOT / "docs").glob("*.svg")}


def printed_in(svg: str) -> list[str]:
    """The lines of a picture of a terminal, without the command."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in re.findall(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', svg):
        rows.setdefault(float(y), []).append((float(x), html.unescape(text).replace("\xa0", " ")))
    lines = [" ".join(" ".join(text for _, text in sorted(rows[y])).split()) for y in sorted(rows)]
    return [line for line in lines if line and not line.startswith("$ ") and line != "gradparity"]


@pytest.mark.campaign
@pytest.mark.parametrize("name", ["check", "compare"])
def test_a_picture_of_a_terminal_shows_what_is_printed_now(name, tmp_path):
    BY_NAME[name].draw(tmp_path / "now.svg")
    now = "\n".join(printed_in((tmp_path / "now.svg").read_text(encoding="utf-8")))
    assert pages.difference(printed_in(pages.text(BY_NAME[name].path)), now) == ""


def test_the_picture_of_check_is_of_a_function_that_no_system_of_the_catalogue_is_asked_for():
    content = html.unescape(pages.text("docs/check.svg")).replace("\xa0", " ")
    assert "gradparity check tests/examples/lstm_parity.py:gradients<" in content
    assert "df = dc * self.c[t + 1]" in content


def test_the_tables_of_the_benchmark_are_those_of_its_results():
    (tables,) = TABLES.findall(pages.text(draw_pictures.PAGE))
    assert tables == markdown_tables(read_bench(pages.ROOT / draw_pictures.RESULTS))
    assert draw_pictures.THREADS_TABLE.findall(pages.text(draw_pictures.PAGE)) == [draw_pictures.threads_table()]


def test_the_results_are_kept_in_short_and_read_as_before(tmp_path):
    timing = {
        "backend": "floor",
        "verdict": "accepted",
        "reason": "",
        "calls": 3,
        "seconds": [1 / 3, 0.5],
        "median": 0.4,
    }
    workload = {"cell": "rnn", "dtype": "float64", "batch_size": 1, "seq_len": 2, "input_size": 3, "hidden_size": 4}
    document = {"schema": 1, "environment": {}, "results": [{"workload": workload, "timings": [timing]}]}
    (tmp_path / "bench.json").write_text(compact(document))
    (measurement,) = read_bench(tmp_path / "bench.json")
    assert measurement.floor.seconds == (0.333333, 0.5)
    assert '"median"' not in compact(document)
