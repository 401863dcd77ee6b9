"""What the README, docs/ and the derivation show is what happens: every Python example and every transcript is run.

A `text` block right below an example is what the example prints.

Commands in `sh` blocks take long, or need the reader's files: that their options exist is checked, and no more.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pages
import pytest
import typer
from gradparity.compare import cli
from gradparity.compare.testing import expected_failures
from sampling import case

pytest_plugins = ["pytester"]
pytestmark = [
    pytest.mark.docs,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's own, when it saves
]
LEAN = ("-q", "-p", "no:cacheprovider")

# Pages that are not run here, with the test that follows them.
ELSEWHERE = {"docs/add-a-cell.md": "test_add_a_cell.py"}
# What must have been run before a page's transcript: blocks of a page, by a text that each has.
BEFORE = {
    "README.md": [("docs/converting-weights.md", '"weights.safetensors"')],
    "docs/converting-weights.md": [
        ("docs/converting-weights.md", text) for text in ('"weights.safetensors"', '"model.keras"')
    ],
    "docs/comparing-layers.md": [("docs/comparing-layers.md", '"before.safetensors"')],
}

SLOW = ("keras-jax", "--grow ", "peephole.py")  # transcripts with one of these are left to campaigns
SLOW_PAGES = ("docs/your-own-layer.md", "docs/comparing-layers.md", "docs/benchmark-your-own.md")  # and so are these

PYTHON = [block for block in pages.all_blocks("python") if block.page not in ELSEWHERE]
CONSOLE = [block for block in pages.all_blocks("console") if block.page not in ELSEWHERE]


def once(blocks):
    """What stands on two pages is run once."""
    return list({block.text: block for block in blocks}.values())


def how_it_is_tested(block: pages.Block, transcripts: list[pages.Block]) -> str:
    """`tests`, `script` or `file`; empty if nothing would show that it works."""
    if block.has_tests:
        return "tests"
    if not block.only_defines:
        return "script"
    of_page = [command for each in transcripts if each.page == block.page for command, _ in pages.commands_of(each)]
    stem = block.file.removesuffix(".py")
    return "file" if stem and any(re.search(rf"\b{stem}(\.py)?:\w", command) for command in of_page) else ""


TESTED_BY = {block: how_it_is_tested(block, CONSOLE) for block in PYTHON}
SCRIPTS = once(block for block, how in TESTED_BY.items() if how == "script")
TEST_MODULES = once(block for block, how in TESTED_BY.items() if how == "tests")


def run(block: pages.Block) -> dict[str, object]:
    scope: dict[str, object] = {"__name__": "page"}
    exec(compile(block.text, str(block), "exec"), scope)
    return scope


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder, from which modules can be imported, and are forgotten after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for block in pages.all_blocks("python"):
        if block.file:
            monkeypatch.delitem(sys.modules, block.file.removesuffix(".py"), raising=False)
    return tmp_path


MY_PACKAGE = """
from gradparity.backends import get_backend


class Mine:
    name = "mine"

    def __init__(self):
        torch = get_backend("torch")
        self.supports, self.evaluate, self.prepare = torch.supports, torch.evaluate, torch.prepare


backend = Mine()
"""


@pytest.fixture
def my_package(pytester):
    """The package whose backend the tests on the pages name: it is PyTorch under another name. Few random problems."""
    pytester.makeconftest(
        "from hypothesis import settings\n\n"
        "settings.register_profile('few', max_examples=10, derandomize=True)\nsettings.load_profile('few')\n"
    )
    (pytester.mkpydir("my_package") / "gradparity.py").write_text(MY_PACKAGE)


def gradparity(*arguments):
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    return exit_.value.code or 0


def test_no_python_is_shown_that_nothing_runs():
    assert [str(block) for block, how in TESTED_BY.items() if not how] == []


def test_python_that_nothing_runs_is_found():
    transcript = pages.Block("docs/x.md", 9, "console", "$ gradparity check used.py:f\n")
    found = [
        how_it_is_tested(pages.Block("docs/x.md", 1, "python", text), [transcript])
        for text in (
            "import numpy\n\nnumpy.zeros(3)\n",
            "def test_it():\n    pass\n",
            "# used.py\ndef f():\n    pass\n",
            "# unused.py\ndef f():\n    pass\n",
            "def f():\n    undefined_name\n",
        )
    ]
    assert found == ["script", "tests", "file", "", ""]


def test_no_block_has_a_language_that_these_tests_do_not_know():
    """Python after ```py, say, would be seen by nobody."""
    assert {block.language for block in pages.all_blocks()} <= {"python", "console", "sh", "toml", "text", ""}


def test_every_text_block_is_what_an_example_prints():
    scripts = [block for block, how in TESTED_BY.items() if how == "script"]
    printed = [pages.printed_below(block, pages.text(block.page)) for block in scripts]
    assert len(pages.all_blocks("text")) == sum(text is not None for text in printed) > 10


def test_what_an_example_prints_is_read_right_below_it():
    block = pages.Block("docs/x.md", 2, "python", "print(1)\n")
    example = "```python\nprint(1)\n```\n"
    assert pages.printed_below(block, f"{example}\n```text\n1\n```\n") == "1\n"
    assert pages.printed_below(block, f"{example}\nText.\n\n```text\n1\n```\n") is None


def test_what_is_tested_elsewhere_is():
    for page, test in ELSEWHERE.items():
        assert Path(page).name in (pages.ROOT / "tests" / test).read_text(encoding="utf-8")
        assert pages.blocks_of(page, "python")


RESULTS = {  # of some scripts, by a text that they have
    "run = get_backend(": lambda scope: set(scope["gradients"]) == {"U", "W", "b", "V", "c"},
    "cell = from_params(": lambda scope: (
        type(scope["cell"]).__name__ == "OptimizedLSTMCell" and set(scope["params"]) == {"U", "W", "b"}
    ),
}


COMPILES = 'get_backend("jax").prepare('  # for so many steps, for ten seconds: the session `docs` runs it


@pytest.mark.parametrize(
    "block",
    [case(block, campaign=COMPILES in block.text or block.page in SLOW_PAGES, id=str(block)) for block in SCRIPTS],
)
def test_the_python_runs(block, folder, capsys):
    scope = run(block)
    shown, printed = pages.printed_below(block, pages.text(block.page)), capsys.readouterr().out
    assert shown in (None, printed)
    assert all(is_right(scope) for text, is_right in RESULTS.items() if text in block.text)


def test_every_result_is_of_a_script():
    assert all(sum(text in block.text for block in SCRIPTS) == 1 for text in RESULTS)


SHOWN = 'SYSTEMS["elman-lengths"]'  # in the module of tests that every run shows; campaigns run the others


@pytest.mark.parametrize(
    "block", [case(block, campaign=SHOWN not in block.text, id=str(block)) for block in TEST_MODULES]
)
def test_the_tests_pass(block, pytester, my_package):
    pytester.makepyfile(block.text)
    problems = 4 if 'gradparity("lstm", "gru", dtype="float32", seed=[0, 1])' in block.text else 1
    result = pytester.runpytest_subprocess(*LEAN)
    result.assert_outcomes(passed=problems * len(re.findall(r"^def test_", block.text, re.MULTILINE)))


@pytest.mark.parametrize(
    "block",
    [
        case(block, campaign=block.page in SLOW_PAGES or any(text in block.text for text in SLOW), id=str(block))
        for block in once(CONSOLE)
    ],
)
def test_a_transcript_is_what_is_printed(block, folder, capsys):
    pages.write_files(block.page, folder)
    for before in BEFORE.get(block.page, ()):
        run(pages.the_block(*before))
    for command, shown in pages.commands_of(block):
        program, *arguments = shlex.split(command)
        assert program == "gradparity"
        code = gradparity(*arguments)
        printed = capsys.readouterr().out
        assert pages.difference(shown, printed) == ""
        assert code == bool(re.search(r" is wrong |\bdisagrees?\b|\bthey differ\b", printed))


def test_a_transcript_that_is_not_what_is_printed_is_found():
    printed = "head\n\ndW: wrong by 1.0, 5e+13 times\n  right: a\n  wrong: b\nend (1.5 s)\n"
    same = "head\n\ndW: wrong by 1.0, 7e+13 times\n…\n  wrong: b\nend (20.1 s)".splitlines()
    assert pages.difference(same, printed) == ""
    assert pages.difference(["…", "  right: a", "…"], printed) == ""
    row = "lstm  float64  5.1  6.5  6.7  5 %  o_1  {} (certified)\n"
    assert pages.difference(["lstm float64 5.0 6.0 6.7 4 % dx_3 agree (certified)"], row.format("agree")) == ""
    assert pages.difference(["lstm float64 5.1 6.5 6.7 5 % o_1 agree (certified)"], row.format("disagree"))
    for wrong in (
        ["head"],  # more was printed
        ["head", "…", "  right: a"],  # this is not the end
        ["  right: a", "…"],  # nor this the start
        ["…", "  right: a", "end (1.5 s)"],  # there is a line between
        ["…", "  wrong: b", "…", "  right: a", "…"],  # in another order
        ["head", "", "dW: wrong by 1.1, 5e+13 times", "…"],
    ):
        assert pages.difference(wrong, printed), wrong


def options_of(command):
    """The options of a command, and their arguments, as typer has them."""
    return {name for each in command.params for name in (*each.opts, *each.secondary_opts) if name.startswith("--")}


def commands():
    return typer.main.get_command(cli.app).commands


def unknown_options(content: str) -> list[str]:
    """Options of a command line in a text that the command does not have."""
    known = {name: options_of(command) for name, command in commands().items()}
    fenced = "\n".join(re.findall(r"^```(?:sh|console)\n(.*?)^```$", content, re.DOTALL | re.MULTILINE))
    inline = "\n".join(re.findall(r"`([^`\n]+)`", content))
    lines = re.findall(r"(?:^|^\$ |&& )gradparity ([a-z]+)(.*)", f"{fenced}\n{inline}", re.MULTILINE)
    return [
        f"{name} {option}".strip()
        for name, rest in lines
        for option in ([""] if name not in known else re.findall(r"--[a-z][a-z-]*", rest))
        if option not in known.get(name, ())
    ]


@pytest.mark.parametrize("page", pages.pages())
def test_commands_and_options_in_the_text_exist(page):
    assert unknown_options(pages.text(page)) == []


def test_an_option_that_does_not_exist_is_found():
    assert unknown_options("see `gradparity compare lstm --certified`") == ["compare --certified"]
    assert unknown_options("```sh\ngradparity judge\n```") == ["judge"]
    assert unknown_options("```sh\ngradparity flow --scale 1\n```") == []


def test_the_page_of_commands_has_every_command_and_every_option():
    content = pages.text("docs/commands.md")
    for name, command in commands().items():
        assert f"`gradparity {name}" in content or f"`{name}`" in content
        section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", content, re.DOTALL | re.MULTILINE)
        if section is None:
            assert name in {"systems", "mistakes", "backends"}
            continue
        text = re.sub(r"```.*?```", "", section[1], flags=re.DOTALL)
        assert set(re.findall(r"--[a-z][a-z-]*", text)) == options_of(command) - {"--help"}


def test_the_backend_is_complete_and_agrees(folder, capsys):
    pages.write_files("docs/add-a-backend.md", folder)
    assert len((folder / "my_backend.py").read_text().splitlines()) < 40
    assert gradparity("compare", "elman-squared-error", "--backend", "my_backend:MyBackend") == 0
    out = capsys.readouterr().out
    assert "6 agree" in out
    assert gradparity("compare", "elman-softmax", "--backend", "my_backend:MyBackend") == 2
    assert "mine has a plain tanh layer with the squared error only" in capsys.readouterr().err


def test_the_list_of_expected_failures_can_be_read(tmp_path):
    (tmp_path / "known.txt").write_text(pages.the_block("docs/testing.md", "lstm-float32-*").text)
    entries = expected_failures.read(tmp_path / "known.txt", tmp_path)
    assert [entry.reason for entry in entries] == [
        "the reset gate comes before the product",
        "computes float32 in bfloat16",
    ]


def test_the_options_of_pytest_are_those_of_the_page():
    plugin = (pages.ROOT / "compare" / "testing" / "pytest_plugin.py").read_text(encoding="utf-8")
    shown = set(re.findall(r"--gradparity-[a-z-]+", pages.text("docs/testing.md")))
    assert shown == set(re.findall(r'"(--gradparity-[a-z-]+)"', plugin))


def test_the_detection_tables_are_those_that_the_command_wrote():
    written = pages.text("docs/detection.md").splitlines()
    content = pages.text("docs/how-good-is-it.md")
    rows = [line for line in content[: content.index("## Random problems")].splitlines() if line.startswith("|")]
    assert len(rows) > 15
    assert [row for row in rows if row not in written] == []
