"""What cannot be written, and what should not happen: one line, and never the exit code of a disagreement."""

from __future__ import annotations

import errno
import io
import os
import resource
import subprocess
import sys

import pytest
from gradparity.backends import RequestError
from gradparity.backends.errors import MAX_FOREIGN, first_line, printable
from gradparity.backends.file_writing import write_whole
from gradparity.compare import cli
from gradparity.compare.jobs import open_journal
from gradparity.compare.output import console
from sampling import case

FOREIGN = """
from faults import Faulty, nothing

class Stop(BaseException):
    pass

class Mute(Exception):
    def __str__(self):
        raise RuntimeError

def raising(error):
    def change(answer, problem):
        raise error
    return Faulty(change)

right = Faulty(nothing)
stop = raising(Stop("enough"))
closing = raising(GeneratorExit())
mute = raising(Mute())
long = raising(ValueError("x" * 10**6))
coloured = raising(ValueError("\\x1b[31mred\\x07\\x9b2J"))
reordered = raising(ValueError("abc\\u202ecba"))

def endless(answer, problem):
    return endless(answer, problem)

deep = Faulty(endless)

def my_stop(params, inputs, targets, h0):
    raise Stop("enough")

def my_deep(params, inputs, targets, h0):
    return my_deep(params, inputs, targets, h0)
"""
COMPARE = ("compare", "elman-relu", "--seed", 0, "--dtype", "float64", "--backend", "manual")


@pytest.fixture
def foreign(gradparity, tmp_path):
    (tmp_path / "foreign.py").write_text(FOREIGN)
    sys.modules.pop("foreign", None)
    return gradparity


class Unwritable(io.StringIO):
    """A stream such as one on a full disk, which keeps what it could not write as a buffer does."""

    def __init__(self, code):
        super().__init__()
        self.error = OSError(code, os.strerror(code))
        self.nowhere = os.open(os.devnull, os.O_WRONLY)

    def fileno(self):
        return self.nowhere

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error


@pytest.mark.parametrize("code", [case(errno.ENOSPC, campaign=False), case(errno.EPIPE, campaign=True)])
@pytest.mark.parametrize(
    "arguments",
    [
        ("systems",),
        ("systems", "--json", "-"),
        ("--help",),
        ("--version",),
        (*COMPARE, "--backend", "foreign:right"),
        ("check", "foreign.py:my_deep", "--system", "elman-softmax", "--seed", 0),
    ],
    ids=lambda arguments: " ".join(map(str, arguments)) if isinstance(arguments, tuple) else None,
)
def test_standard_output_that_cannot_be_written_is_one_line_and_code_2(foreign, monkeypatch, capsys, arguments, code):
    arguments = [str(argument) for argument in arguments]
    monkeypatch.setattr(sys, "stdout", Unwritable(code))
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    *table, line = capsys.readouterr().err.splitlines()
    assert line == f"gradparity: standard output cannot be written: {os.strerror(code)}"
    assert not table or "--json" in arguments


def test_standard_output_that_is_closed_is_said_before_anything_is_computed(gradparity, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["compare", "no-such-system"])
    assert exit_.value.code == 2
    assert (
        capsys.readouterr().err
        == "gradparity: standard output is closed, expected one to write to, such as /dev/null\n"
    )


def test_a_full_disk_leaves_nothing_for_the_end_of_python_to_complain_of(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gradparity.compare", "systems"], stdout=full, stderr=-1, text=True
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "standard output cannot be written: No space left on device" in done.stderr


def test_standard_error_that_is_full_or_closed_costs_no_verdict(foreign, monkeypatch):
    for stream in (Unwritable(errno.ENOSPC), None):
        for arguments, code in (((*COMPARE, "--backend", "foreign:right"), 0), (("compare", "no-such-system"), 2)):
            monkeypatch.setattr(sys, "stderr", stream)
            assert foreign(*arguments)[0] == code
            if stream is None:
                sys.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*COMPARE, "--backend", "foreign:stop"), "Stop: enough (foreign.py:"),
        ((*COMPARE, "--backend", "foreign:closing"), "GeneratorExit (foreign.py:"),
    ],
)
def test_what_no_verdict_can_be_made_of_is_one_line_and_code_2(foreign, arguments, words):
    code, out, err = foreign(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"gradparity: ended without a verdict by {words}")


def test_the_traceback_is_shown_to_who_asks_for_it(foreign, monkeypatch):
    monkeypatch.setenv("GRADPARITY_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in foreign(*COMPARE, "--backend", "foreign:stop")[2]


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("mute", "it raised Mute\n  faults.py:"),
        ("long", f"it raised ValueError: {'x' * (MAX_FOREIGN - 12)}…\n  faults.py:"),
        ("coloured", "it raised ValueError: \\x1b[31mred\\x07\\x9b2J\n  faults.py:"),
        ("reordered", "it raised ValueError: abc\\u202ecba\n  faults.py:"),
        ("deep", "it raised RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_a_foreign_message_is_bounded_and_changes_no_terminal(foreign, backend, words):
    code, out, _ = foreign(*COMPARE, "--backend", f"foreign:{backend}")
    assert code == 1
    assert words in out
    assert len(out) < 2000
    assert all(character.isprintable() or character == "\n" for character in out)


def test_an_endless_recursion_is_shown_by_its_first_and_last_calls(foreign):
    code, out, err = foreign("check", "foreign.py:my_deep", "--system", "elman-softmax", "--seed", 0)
    assert (code, err) == (2, "")
    assert "calls more …" in out
    assert len(out) < 2000


def test_a_checked_function_that_ends_with_an_error_of_its_own_kind_failed(foreign):
    code, out, err = foreign("check", "foreign.py:my_stop", "--system", "elman-softmax", "--seed", 0)
    assert (code, err) == (2, "")
    assert "it raised Stop: enough at foreign.py:" in out
    assert out.endswith("nothing was judged.\n")


def test_an_error_is_one_line_whatever_it_says():
    assert first_line(KeyError("a\nb")) == r"KeyError: 'a\nb'"
    assert first_line(ValueError("\n first \r second")) == "ValueError: first"
    assert first_line(ValueError()) == "ValueError"
    assert printable("\ud800 é 漢", 5) == r"\ud800 é 漢"
    assert printable("\t" * 9, 2) == r"\t\t…"


def test_a_pipe_or_a_device_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, b"all of it")
    assert os.read(reader, 99) == b"all of it"
    os.close(reader)
    assert pipe.is_fifo()
    full = tmp_path / "full"
    full.symlink_to("/dev/full")  # of which a fault would replace the link alone
    with pytest.raises(RequestError, match="full: cannot be written: No space left on device"):
        write_whole(full, b"all of it")


def test_a_full_disk_under_a_log_is_said_and_leaves_whole_lines(tmp_path):
    log = tmp_path / "log"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_journal(log, 0, {}) as write:
        write({"number": 0})
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))  # the disk is full after 20 bytes
        try:
            with pytest.raises(RequestError, match="log: cannot be written: File too large"):
                write({"number": 1})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.read_bytes().startswith(b'{}\n{"number": 0}\n')


def test_a_narrow_terminal_breaks_lines_and_loses_none(monkeypatch):
    for columns, width in (("20", 80), ("1", 80), ("79", 80), ("120", 120)):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
        assert console().width == width
