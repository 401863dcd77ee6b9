"""What has to hold, as sessions: `nox` runs the default ones, `nox --list` shows all.

Every session makes an environment of its own. `.ci/run` makes one for all that need the frameworks, which are large,
and runs these sessions in it (`--default-venv-backend none --no-install`).
"""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from itertools import chain
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"

ROOT = Path(__file__).parent
CONSTRAINED = ("-c", "constraints.txt")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Every command, on sizes that take seconds; what a bound that is too low breaks is mostly one of them.
SMALL_COMMANDS = [
    *("--version", "systems", "mistakes", "backends"),
    "compare elman-softmax lstm gru mlp --seed 0 --svg compare.svg --json compare.json --report c.html",
    "compare elman-softmax --seed 0 --certify",
    "compare elman-softmax --seed 0 --steps 3 --learning-rate 0.1",
    "compare --data digits --data sunspots --seed 0 --dtype float64",
    f"check {ROOT}/tests/programs.py:elman --system elman-softmax --seed 0 --ordinary-only --svg check.svg",
    "bench --quick --size 2,3,4,5 --cell rnn --dtype float64 --rounds 1 --plot b.svg --json b.json --log b.jsonl",
    "bench --quick --size 2,3,4,5 --cell rnn --dtype float64 --rounds 1 --against b.json --report b.html",
    "sweep --problems 12 --jobs 1 --log sweep.jsonl --report sweep.html",
    "merge sweep.jsonl --log merged.jsonl",
    "flow elman-softmax lstm --scale 1 --seq-len 20 --plot flow.svg --report flow.html",
    "convert --from torch --to flax-nnx --no-verify weights.npz flax.safetensors",
]
ON_REQUEST = (
    *("flax-linen", "flax-nnx", "equinox", "haiku", "keras-jax", "keras-torch", "onnxruntime"),
    *("autograd", "manual-compiled"),
)
WITH_TORCH = [
    f"compare lstm gru --seed 0 --dtype float32 --backend manual --backend {' --backend '.join(ON_REQUEST)}",
    *(f"convert --from torch --to {name} weights.npz {name}.npz" for name in ("flax-nnx", "keras", "equinox", "haiku")),
    "convert --from torch --to onnx weights.npz onnx.npz",
    "detect --quick --report detect.html",
]
WEIGHTS = """
import numpy as np
rng = np.random.default_rng(0)
shapes = {"weight_ih_l0": (16, 3), "weight_hh_l0": (16, 4), "bias_ih_l0": 16, "bias_hh_l0": 16}
np.savez("weights.npz", **{name: rng.standard_normal(shape).astype("float32") for name, shape in shapes.items()})
"""
PACKAGES = [f"gradparity.{floor}" for floor in ("manual", "backends", "compare")]


@nox.session
def tests(session: nox.Session) -> None:
    """The README's test command, to the letter."""
    install, test = readme_command("pytest")
    session.run(*install)
    session.run(*test, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """What the tests of the hand derivation cover of it. `-- tests` measures everything.

    Not the whole suite if nobody asks for it: a measured run takes nearly twice as long on Python 3.11.
    """
    session.install(*CONSTRAINED, "-e", ".[test]")
    part = session.posargs or ["tests/manual"]
    # The first variable starts the measurement in every Python process, also in pytest-xdist's and in those of a test.
    data = {"COVERAGE_FILE": str(empty_folder(session, "coverage") / "data")}
    session.run("pytest", *part, env={"COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml")} | data)
    session.run("coverage", "combine", "--quiet", env=data)
    # Not what tests copy elsewhere, such as the code with a new cell in it.
    floors = ["manual"] if not session.posargs else [package.rpartition(".")[2] for package in PACKAGES]
    shown = ",".join(f"{floor}/*" for floor in floors)
    session.run("coverage", "report", "--skip-covered", "--include", shown, env=data)


@nox.session
def lint(session: nox.Session) -> None:
    """The rules of ruff, and its format."""
    session.install(*CONSTRAINED, "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def wheel(session: nox.Session) -> None:
    """The wheel, built from the sdist, so that what the sdist lacks is missed."""
    session.install(*CONSTRAINED, "build")
    session.run("python", "-m", "build", "--outdir", str(empty_folder(session, "dist")), ".", silent=True)


@nox.session(requires=["wheel"])
def types(session: nox.Session) -> None:
    """The types of the installed wheel: an editable installation would hide a package or a py.typed that it lacks."""
    session.install(*CONSTRAINED, "-e", ".[test]", "mypy")
    site = empty_folder(session, "site")
    session.run("python", "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), built_wheel(session))
    packages = chain.from_iterable(("-p", package) for package in PACKAGES)
    cache = str(empty_folder(session, "mypy"))  # mypy takes what is installed as unchanged
    session.run("mypy", "--cache-dir", cache, *packages, env={"PYTHONPATH": str(site)})


@nox.session
def docs(session: nox.Session) -> None:
    """Every link leads somewhere, and what the pages print is what happens."""
    session.install(*CONSTRAINED, "-e", ".[test]")
    session.run("pytest", "-m", "docs", *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """The documentation as a site in build/site, or in `-- FOLDER`. A warning or a link that leads nowhere fails it."""
    session.install(*CONSTRAINED, "-e", ".[site]")
    session.run("python", "docs/site/build_site.py", *(session.posargs or ["build/site"]))


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Reports and the site in Chromium, if there is one, with what axe counts; `-- -m browser` in every size and theme.

    `GRADPARITY_SCREENSHOTS` names a folder for pictures of what it saw.
    """
    session.install(*CONSTRAINED, "-e", ".[test,site,browser]")
    session.run("pytest", "-m", "browser and not campaign", "--numprocesses=0", "tests/browser", *session.posargs)


@nox.session(default=False)
def campaigns(session: nox.Session) -> None:
    """The rest of large families (`@pytest.mark.campaign`), and every property on 2000 random examples, not on 30."""
    session.install(*CONSTRAINED, "-e", ".[test]")
    session.run(
        "pytest", "-m", "(campaign or hypothesis) and not browser", "--hypothesis-profile=explore", *session.posargs
    )


@nox.session(default=False)
def plain(session: nox.Session) -> None:
    """How long the references take beside code as their users write it. `-- 1,25,64,100` takes one size alone."""
    session.install(*CONSTRAINED, "-e", ".[test]")
    for reference in ("jax", "torch-nn", "torch"):
        session.run("python", "tests/beside_plain_code.py", reference, *session.posargs)


@nox.session(default=False)
def gpu(session: nox.Session) -> None:
    """What only a GPU can show, in a few minutes; ends with 2 where there is none. It takes the frameworks as they are.

    `nox --default-venv-backend none --no-install --sessions gpu`, in an environment with the CUDA builds of both.
    """
    session.run("python", "tests/on_a_gpu.py")


@nox.session(default=False)
def kernels(session: nox.Session) -> None:
    """Whether another kernel of NumPy's OpenBLAS is faster on this processor. `-- 1,25,64,100` takes one size alone."""
    session.install(*CONSTRAINED, "-e", ".[test]")
    session.run("python", "tests/beside_other_kernels.py", *session.posargs)


@nox.session(default=False)
def verdicts(session: nox.Session) -> None:
    """How long a verdict takes beside `gradcheck` and `check_grads`. `-- 1,25,64,100` takes other sizes."""
    session.install(*CONSTRAINED, "-e", ".[test]")
    session.run("python", "tests/time_to_verdict.py", *session.posargs)


@nox.session(default=False)
def recording(session: nox.Session) -> None:
    """How long recording, verifying, differentiating and enclosing one's own function take beside a plain run."""
    session.install(*CONSTRAINED, "-e", ".[test]")
    session.run("python", "tests/beside_plain_run.py")


@nox.session(default=False)
def pictures(session: nox.Session) -> None:
    """The pictures of the pages, drawn afresh; those of the benchmark from docs/bench.json. `-- check` draws one."""
    session.install(*CONSTRAINED, "-e", ".[test]")
    session.run("python", "tests/draw_pictures.py", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Changes the code in small ways, which the tests are to notice. `-- FILE…` tries all mutants of these files."""
    session.install(*CONSTRAINED, "-e", ".[test]", "cosmic-ray")
    session.run("python", "tests/mutants.py", *session.posargs)


@nox.session(venv_backend="venv", requires=["wheel"])
def bare(session: nox.Session) -> None:
    """The wheel without any extra, always in an environment of its own: the main commands need no framework."""
    session.install(*CONSTRAINED, built_wheel(session))
    session.chdir(empty_folder(session, "elsewhere"))  # so that nothing is found in the checkout
    for command in ("--version", "backends", "compare", "systems"):
        session.run("gradparity", command)


@nox.session(venv_backend="venv", default=False)
def lowest(session: nox.Session) -> None:
    """Commands with the lowest versions that pyproject.toml declares, except of torch; `-- FILE` runs tests there, too.

    Not all of them if nobody asks for it: many make errors of what these versions warn of, or read words of newer ones.
    """
    session.install("-e", ".[test]", *lowest_versions())
    folder = empty_folder(session, "lowest")
    run_commands(session, [*SMALL_COMMANDS, *WITH_TORCH], folder)
    if session.posargs:
        session.run("pytest", "-W", "default", *session.posargs)


@nox.session(venv_backend="venv", python=["3.12", "3.13"], default=False)
def newest(session: nox.Session) -> None:
    """Commands with NumPy and JAX beyond those of constraints.txt, which Python 3.11 has not; without torch."""
    session.install("-e", ".[jax,data,plot,certify,bench,convert,hypothesis,report]", "numpy>=2.5", "jax>=0.12")
    run_commands(session, SMALL_COMMANDS, empty_folder(session, f"newest-{session.python}"))


def run_commands(session: nox.Session, commands: list[str], folder: Path) -> None:
    """Runs commands of gradparity in a folder."""
    with session.chdir(folder):
        session.run("python", "-c", WEIGHTS)
        for command in commands:
            session.run("gradparity", *shlex.split(command))


def readme_command(last: str) -> list[list[str]]:
    """The parts of the README's line `pip install … && LAST`, which is meant for a fresh environment."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^pip install .* && {re.escape(last)}$", readme, flags=re.MULTILINE)
    return [shlex.split(part) for part in line.split(" && ")]


def lowest_versions() -> list[str]:
    """Of every dependency of the package and its extras the lower bound as a pin; those of the tools are left out."""
    project = PYPROJECT["project"]
    extras = (
        declared
        for name, declared in project["optional-dependencies"].items()
        if name not in ("dev", "site", "browser")
    )
    bounds = {
        requirement.name: bound.version
        for requirement in map(Requirement, chain(project["dependencies"], *extras))
        for bound in requirement.specifier
        if bound.operator == ">="
    }
    # constraints.txt says why torch has one version.
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    bounds["torch"] = re.findall(r"^torch==(.+)$", constraints, flags=re.MULTILINE)[0]
    return [f"{name}=={version}" for name, version in sorted(bounds.items())]


def built_wheel(session: nox.Session) -> str:
    (path,) = (session.cache_dir / "dist").glob("*.whl")
    return str(path.resolve())


def empty_folder(session: nox.Session, name: str) -> Path:
    """A folder that no earlier run has left anything in."""
    folder = (session.cache_dir / name).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
