"""Draws the pictures of README.md and docs/ afresh: `nox --sessions pictures`. `-- check flow` draws these alone.

Each picture ends with a comment that names the files that it was drawn by and from, with a digest of what each says. So
a test can tell which picture is older than its code (test_pictures.py). A digest of Python leaves comments, docstrings
and layout out.

The benchmark is not run again: its picture, and the tables of its page, come from docs/bench.json. After a new run
`-- --results FILE.json bench`, with the file that its `--json` wrote, takes over its times first.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = "docs/bench.json"
TWO_THREADS = "docs/bench-two-threads.json"
PAGE = "compare/bench/bench.md"
DIGITS = 12
HEADING = "Drawn by `nox -s pictures` of"
TABLES = re.compile(r"(?<=docs/bench\.svg\)\n\n).*?(?=\n### )", re.DOTALL)  # of the page: from the picture to a heading
THREADS_TABLE = re.compile(r"(?<=\n)\| two threads ÷ one.*?(?=\n\n)", re.DOTALL)


@dataclass(frozen=True)
class Drawn:
    """A picture of docs/.

    Attributes:
        name: its file is `docs/NAME.svg`.
        arguments: of the command that draws it, the last of which names the file; empty if none does.
        sources: the files that say what is on it and how it looks.
        ends_with: the command's exit code.
    """

    name: str
    arguments: tuple[str, ...]
    sources: tuple[str, ...]
    ends_with: int = 0

    @property
    def path(self) -> str:
        """From the root."""
        return f"docs/{self.name}.svg"

    def stamp(self, root: Path = ROOT) -> str:
        """The comment at the end of the picture."""
        command = [f"{digest(' '.join(self.arguments).encode())} its command"] if self.arguments else []
        lines = [f"{digest_of(root / source)} {source}" for source in self.sources]
        return "\n".join([f"<!-- {HEADING}", *command, *lines, "-->", ""])

    def draw(self, path: Path) -> None:
        """Writes it, yet without the comment."""
        if not self.arguments:
            draw_bench(path)
            return
        line = [sys.executable, "-m", "gradparity.compare", *self.arguments, str(path)]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != self.ends_with:
            raise SystemExit(f"{' '.join(line[2:])} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def draw_bench(path: Path) -> None:
    """The picture of the benchmark, and the tables of its page."""
    from gradparity.compare.bench import read_bench
    from gradparity.compare.bench.markdown import markdown_tables
    from gradparity.compare.bench.plot import bench_figure

    measurements = read_bench(ROOT / RESULTS)
    path.write_bytes(bench_figure(measurements, ".svg"))
    page = ROOT / PAGE
    content = TABLES.sub(lambda _: markdown_tables(measurements), page.read_text(encoding="utf-8"))
    page.write_text(THREADS_TABLE.sub(lambda _: threads_table(), content), encoding="utf-8")


def threads_table() -> str:
    """The medians on two threads as multiples of those on one, and the hand derivation beside the fastest other."""
    from gradparity.compare.bench import read_bench
    from gradparity.compare.bench.results import FLOOR, candidate_names
    from gradparity.compare.output import markdown_table

    on_one = {one.workload: one for one in read_bench(ROOT / RESULTS)}
    on_two = read_bench(ROOT / TWO_THREADS)
    names = [FLOOR, *candidate_names(on_two)]

    def row(two: Any) -> list[str]:
        workload = two.workload
        medians = [{timing.backend: timing.median for timing in one.timings} for one in (on_one[workload], two)]
        size = f"{workload.batch_size}, {workload.seq_len}, {workload.input_size}, {workload.hidden_size}"
        ratios = [*(medians[1][name] / medians[0][name] for name in names), two.by_hand_to_fastest_other]
        return [f"{workload.cell}, {workload.dtype}: {size}", *(f"{ratio:.2f}" for ratio in ratios)]

    headings = ["two threads ÷ one: B, T, D, H", *names, "by hand ÷ fastest other"]
    return markdown_table(headings, map(row, on_two))


PICTURES = (
    Drawn(
        "check",
        ("check", "tests/examples/lstm_parity.py:gradients", "--svg"),
        (
            *("tests/examples/lstm_parity.py", "compare/check/display.py", "compare/localization/wording.py"),
            "compare/output/console.py",
        ),
        ends_with=1,
    ),
    Drawn(
        "compare",
        (
            *("compare", "elman-softmax", "elman-window", "linear-closed-form", "lstm", "gru-bidirectional", "mlp"),
            *("ordered-derivatives", "mlp-minibatch-sgd", "--certify", "--svg"),
        ),
        (
            *("compare/campaign/display.py", "compare/campaign/summary.py"),
            "compare/output/console.py",
        ),
    ),
    Drawn(
        "flow",
        ("flow", "--plot"),
        ("compare/flow/charts.py", "compare/flow/measurement.py", "compare/output/pictures.py"),
    ),
    Drawn("bench", (), (RESULTS, "compare/bench/plot.py", "compare/output/pictures.py")),
)


def digest_of(path: Path) -> str:
    """The digest of what a file says; of Python, of its statements without docstrings."""
    content = path.read_bytes()
    if path.suffix == ".py":
        tree = ast.parse(content)
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        content = ast.dump(tree).encode()
    return digest(content)


def digest(content: bytes) -> str:
    """The beginning of its SHA-256."""
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def stamped(content: str, picture: Drawn) -> str:
    """A picture with its comment, in the place of an earlier one."""
    return re.sub(rf"\n?<!-- {re.escape(HEADING)}\n.*?-->\n?", "", content, flags=re.DOTALL).rstrip("\n") + (
        f"\n{picture.stamp()}"
    )


def compact(document: dict[str, Any]) -> str:
    """The document of `gradparity bench --json`, a line for each workload, without what follows from the seconds."""
    from gradparity.compare.bench.results import Timing

    def kept(timing: dict[str, Any]) -> dict[str, Any]:
        values = {name: timing[name] for name in Timing.__dataclass_fields__ if timing.get(name) not in (None, "")}
        return {name: rounded(value) for name, value in values.items()}

    def rounded(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [rounded(one) for one in value]
        return float(f"{value:.6g}") if isinstance(value, float) else value

    lines = [
        json.dumps({"workload": one["workload"], "timings": [kept(timing) for timing in one["timings"]]})
        for one in document["results"]
    ]
    head = json.dumps({"schema": document["schema"], "environment": document["environment"]})
    return head.removesuffix("}") + ', "results": [\n' + ",\n".join(lines) + "\n]}\n"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Draws the pictures of docs/ afresh.")
    names = [picture.name for picture in PICTURES]
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=f"{', '.join(names)}; all by default")
    parser.add_argument("--results", type=Path, metavar="FILE.json", help=f"take the times over into {RESULTS} first")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.pictures if name not in names]:
        parser.error(f"no picture is called {unknown[0]}: expected {', '.join(names)}")
    if options.results:
        (ROOT / RESULTS).write_text(compact(json.loads(options.results.read_text())), encoding="utf-8")
    for picture in PICTURES:
        if not options.pictures or picture.name in options.pictures:
            path = ROOT / picture.path
            picture.draw(path)
            path.write_text(stamped(path.read_text(encoding="utf-8"), picture), encoding="utf-8")
            print(f"{picture.path}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
