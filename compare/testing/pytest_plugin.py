"""The pytest plugin: the fixture and the marker `gradparity`, expected failures, and the conformance suite.

pytest loads this module whenever it starts, and so it imports nothing of gradparity until a test or an option asks.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .session import CONFORMANCE, CONFORMANCE_FILE, HERE, NOTE, is_conformance_run

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import ModuleType

    from .fixture import Gradparity

MARKER = (
    'gradparity(*systems, dtype=("float64", "float32"), seed=0): parametrizes a test that uses the fixture '
    "`gradparity` over problems of the catalogue; without names, over the whole of it"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gradparity", "gradients, refereed by gradparity")
    group.addoption(
        "--gradparity-backend",
        action="append",
        default=[],
        metavar="NAME",
        help="Ask this backend too, wherever backends are compared: a name, or module:object. Repeat.",
    )
    group.addoption(
        "--gradparity-certify", action="store_true", help="Measure every backend against the exact answer, too."
    )
    group.addoption(
        "--gradparity-expected-failures",
        metavar="FILE",
        help="Tests that are known to fail, in lines PATTERN  # reason. An entry that is out of date is an error.",
    )
    group.addoption("--gradparity-save-case", metavar="DIR", help="Save every problem that is no agreement in DIR.")
    group.addoption(
        "--gradparity-report", metavar="FILE.html", help="Write a page with every comparison of the run in FILE.html."
    )
    parser.addini("gradparity_expected_failures", "The file for --gradparity-expected-failures.", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    names = config.getoption("gradparity_backend")
    if any(":" in name for name in names):
        sys.path.append(str(config.invocation_params.dir))  # as `gradparity` finds a module in the current folder
    if names or config.getoption("gradparity_certify") or config.getoption("gradparity_save_case"):
        import_module(".fixture", __package__).check_plugin_options(config)
    if is_conformance_run(config):
        import_module(".candidates", __package__).check_conformance_options(config)
    if config.getoption("gradparity_report"):
        report = import_module(".report", __package__)
        config.pluginmanager.register(report.RunReport(config), "gradparity-report")
    if listed := _expected_failures_file(config):
        expected_failures = import_module(".expected_failures", __package__)
        config.pluginmanager.register(
            expected_failures.ExpectedFailures(listed, config.rootpath), "gradparity-expected-failures"
        )


def _expected_failures_file(config: pytest.Config) -> Path | None:
    """The option's, from where pytest was called; or the ini file's, from its own folder."""
    if option := config.getoption("gradparity_expected_failures"):
        return config.invocation_params.dir / option
    if ini := config.getini("gradparity_expected_failures"):
        return (config.inipath.parent if config.inipath else config.rootpath) / ini
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("gradparity")
    if not marker:
        return
    if "gradparity" not in metafunc.fixturenames:
        raise pytest.Collector.CollectError(
            f"{metafunc.definition.name}: the marker gradparity is for a test that uses the fixture gradparity"
        )
    test = metafunc.definition
    if sum(node is test for node, _ in test.iter_markers_with_node(marker.name)) > 1:
        raise pytest.Collector.CollectError(
            f"{metafunc.definition.name}: it has several markers gradparity: name all systems in one"
        )
    problems = import_module(".catalogue_problems", __package__).problems_of_marker(marker, metafunc.definition.name)
    metafunc.parametrize("gradparity", problems, ids=[problem.id for problem in problems], indirect=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gradparity") and not hasattr(item, "callspec"):
        pytest.fail("the marker gradparity parametrizes functions, and this is no function of pytest's", pytrace=False)


@pytest.fixture
def gradparity(request: pytest.FixtureRequest) -> Gradparity:
    """The referee: `gradparity.assert_agree("torch", my_backend)` and `gradparity.check_derivation(function)`.

    A test with the marker has `gradparity.problem`; one without passes `problem=`.
    """
    referee: Gradparity = import_module(".fixture", __package__).for_test(request, getattr(request, "param", None))
    return referee


class ConformanceModule(pytest.Module):
    """The conformance suite under its one true name, in every import mode and with any naming of tests."""

    def _getobj(self) -> ModuleType:
        return import_module(CONFORMANCE)

    def funcnamefilter(self, name: str) -> bool:
        return name.startswith("test_")


@pytest.hookimpl(optionalhook=True)  # pytest 7 has none, and needs none
def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Dir | None:
    # As a Package, this folder would be imported a second time, under the name `compare`.
    return pytest.Dir.from_parent(parent, path=path) if path == HERE else None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    if module_path != CONFORMANCE_FILE:
        return None
    return ConformanceModule.from_parent(parent, path=module_path, nodeid=CONFORMANCE)  # wherever it is installed


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    collectors = yield
    if file_path != CONFORMANCE_FILE:
        return collectors
    # --doctest-modules would import the suite under another name
    return [collector for collector in collectors if isinstance(collector, ConformanceModule)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = [report for outcome in terminalreporter.stats.values() for report in outcome]
    called = [report for report in reports if isinstance(report, pytest.TestReport) and report.when == "call"]
    notes = [note for report in called for key, note in report.user_properties if key == NOTE]
    for note in dict.fromkeys(notes):
        terminalreporter.write_line(f"gradparity, {notes.count(note)} ×: {note}")
    if is_conformance_run(config):
        lines: Iterator[str] = import_module(".candidates", __package__).left_out_lines(config)
        for line in lines:
            terminalreporter.write_line(line)
