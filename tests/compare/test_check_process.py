"""The command runs a function in a process of its own: whatever it does there is no verdict, and no pickle is read."""

from __future__ import annotations

import json
import os
import socket
import threading

import numpy as np
import pytest
from gradparity.backends import RequestError, get_backend
from gradparity.backends.errors import DerivationError
from gradparity.compare import SYSTEMS, cli
from gradparity.compare.check import function_process
from gradparity.compare.check.separate_derivation import SeparateDerivation
from gradparity.compare.check.wire import packed, unpacked, with_length, without_length
from gradparity.compare.referee.ask_backend import ask_backend
from sampling import case

CLOSED = "its process closed its files, and with them what its answer goes through"
ENDED = "its process ended with exit code 0, expected an answer (os._exit, or its files closed?)"
PROBLEM = SYSTEMS["logistic-regression"].problem(seed=0)
FUNCTIONS = """
import os, signal, sys, time
import numpy as np
from gradparity.compare import SYSTEMS, System
from gradparity.backends import Recurrent

MINE = System("mine", "a small one", (), Recurrent("rnn", 1, 2, 3), seq_len=4, batch_size=2, lengths=(4, 2))
NO_SYSTEM = 3


def right(params, x, y):
    z = x @ params["W1"].T + params["b1"]
    dz = (1 / (1 + np.exp(-z)) - y) / len(x)
    return (np.logaddexp(0, z) - y * z).mean(), {"W1": dz.T @ x, "b1": dz.sum(axis=0)}


def ends_with_zero(*a): os._exit(0)
def is_killed(*a): os.kill(os.getpid(), signal.SIGSEGV)
def never_ends(*a):
    while True: pass
def floods(*a):
    while True: os.write(1, b"y" * 65536)
def ends_on_one_sample(*a):
    if len(a[1]) == 1: os._exit(0)
    return right(*a)
def leaves_a_child(*a):
    if os.fork(): os._exit(0)
    time.sleep(60)
def prints(*a):
    print("\\x1b[31mhello")
    os.write(2, b"to stderr\\n")
    return right(*a)
def interrupts(*a): raise KeyboardInterrupt
def closes_everything(*a):
    os.closerange(0, 64)
    time.sleep(60)
def writes_everywhere(*a):
    for number in range(3, 20):
        try: os.write(number, b"\\0\\0\\0\\0\\0\\0\\0\\3abc")
        except OSError: pass
    time.sleep(60)
class Bomb:
    def __reduce__(self): return os._exit, (0,)
def returns_a_bomb(*a):
    loss, gradients = right(*a)
    return loss, gradients | {"W1": Bomb()}
def returns_objects(*a):
    loss, gradients = right(*a)
    return loss, gradients | {"W1": gradients["W1"].astype(object)}
def has_a_number_for_a_name(*a):
    loss, gradients = right(*a)
    return loss, gradients | {7: gradients["W1"]}
def changes_its_weights(params, x, y):
    params["W1"] *= 2
    return right(params, x, y)
def forks_and_returns(*a):
    os.fork()
    return right(*a)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("functions") / "mine.py"
    path.write_text(FUNCTIONS)
    return path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        case("is_killed", "its process was killed by signal 11 (SIGSEGV)", campaign=False),
        case("leaves_a_child", ENDED, campaign=False),
        case(
            "closes_everything",
            "its process closed its files, and with them what its answer goes through",
            campaign=True,
        ),
        case("writes_everywhere", "its process sent something that is no answer", campaign=True),
    ],
)
def test_a_process_that_dies_or_spoils_its_answer_is_a_failure_with_a_reason(file, name, reason):
    with SeparateDerivation(f"{file}:{name}", timeout=20) as derivation:
        with pytest.raises(DerivationError) as error:
            derivation.evaluate(PROBLEM)
        assert (str(error.value), derivation.stopped) == (reason, reason)


@pytest.mark.parametrize("name", [case("never_ends", campaign=True), case("floods", campaign=False)])
def test_a_call_that_takes_too_long_is_ended_with_all_that_it_started(file, name):
    with SeparateDerivation(f"{file}:{name}", timeout=20) as derivation:
        derivation.timeout = 0.3
        process = derivation._process.pid
        with pytest.raises(DerivationError, match=r"it took longer than 0\.3 s"):
            derivation.evaluate(PROBLEM)
        assert derivation.timed_out
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert len(derivation.output) < 5000


@pytest.fixture
def served(file):
    """A function in a thread here, through the same messages as in another process."""

    def asked(name, problem=PROBLEM):
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=function_process.serve, args=(theirs,), daemon=True)
        thread.start()
        derivation = object.__new__(SeparateDerivation)
        derivation.target, derivation.name = f"{file}:{name}", name
        derivation._process = object()

        def exchanged(header, arrays=()):
            ours.sendall(with_length(packed(header, arrays)))
            received = b""
            while (message := without_length(received)) is None:
                received += ours.recv(1 << 20)
            answer, sent = unpacked(message)
            if "failed" in answer or "refused" in answer:
                raise DerivationError(answer.get("failed") or answer["refused"])
            return answer, sent

        derivation.ask = exchanged
        exchanged({"do": "load", "target": derivation.target})
        result = ask_backend(name, derivation, problem, overflows=False, trace=True)
        ours.close()
        thread.join()
        theirs.close()
        return result

    return asked


def test_an_answer_comes_back_to_the_last_bit(served):
    answer, right = served("right"), get_backend("manual").evaluate(PROBLEM)
    assert np.allclose(answer.gradients["W1"], right.gradients["W1"], rtol=1e-14, atol=0)
    assert answer.gradients["W1"].dtype == np.float64
    assert answer.outputs is None


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("returns_a_bomb", "dtype", "gradients['W1'] is a Bomb, expected a NumPy array"),
        ("returns_objects", "dtype", "gradients['W1'] is object, expected float64"),
        ("has_a_number_for_a_name", "names", "gradients has an unknown 7, expected W1, b1, inputs"),
        ("changes_its_weights", "mutation", "it changed params.W1, which it was given"),
        ("interrupts", "error", "it raised KeyboardInterrupt"),
    ],
)
def test_what_is_refused_is_refused_through_a_process_too(served, name, kind, message):
    (failure,) = served(name).failures
    assert (failure.kind, failure.message.splitlines()[0]) == (kind, message)


@pytest.mark.parametrize("sent", [b"", b"abc", packed({"a": 1})[:-9], b"\x80\x04K\x01.", packed({})[4:]])
def test_bytes_that_are_no_message_are_refused_and_never_unpickled(sent):
    with pytest.raises(ValueError, match="no message"):
        unpacked(sent)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["check", *arguments])
    out, err = capsys.readouterr()
    return exit_.value.code or 0, out, err


LOGISTIC = ("--system", "logistic-regression", "--seed", "0")


def test_a_function_that_ends_its_process_with_zero_ends_with_two_and_says_why(file, capsys):
    code, out, err = run(capsys, f"{file}:ends_with_zero", *LOGISTIC, "--ordinary-only", "--timeout", "30")
    assert (code, err) == (2, "")
    assert out.splitlines()[-1] == (
        f"ends_with_zero failed on logistic-regression, 1 problem: {ENDED}; nothing was judged."
    )


def test_one_that_ends_its_process_on_one_problem_is_judged_on_the_others(file, capsys):
    code, out, _ = run(capsys, f"{file}:ends_on_one_sample", *LOGISTIC)
    assert code == 1
    assert "Right: seed 0, confident, zeros and ties, large gradients. Failed: one sample." in out


def test_what_it_prints_is_shown_apart_and_is_in_no_json(file, capsys):
    code, out, err = run(capsys, f"{file}:prints", *LOGISTIC, "--ordinary-only", "--json", "-")
    document = json.loads(out)
    assert (code, document["verdict"]) == (0, "agree")
    assert document["output"] == "\x1b[31mhello\nto stderr\n" * 2
    assert "Output of prints, which is no part of this report:\n  \\x1b[31mhello\n  to stderr\n" in err


@pytest.mark.campaign
def test_a_forked_copy_of_a_function_does_not_answer_in_its_place(file, capsys):
    assert run(capsys, f"{file}:forks_and_returns", *LOGISTIC)[0] == 0


def test_an_own_system_in_a_file_is_checked_and_a_saved_case_is_asked_as_it_is(file, capsys, tmp_path):
    code, out, _ = run(capsys, f"{file}:right", "--system", f"{file}:MINE", "--seed", "0", "--ordinary-only")
    assert code == 2
    assert "float64, T=4 B=2 D=1 H=2 K=3: seed 0." in out
    saved = PROBLEM.save(tmp_path / "case.npz")
    code, out, _ = run(capsys, f"{file}:right", "--case", str(saved))
    assert code == 0
    assert f"right is right on case {PROBLEM.fingerprint[:12]}, 1 problem (certified)" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--timeout", "0"), "--timeout 0: expected a number of seconds above 0"),
        (("--timeout", "nan"), "--timeout nan: expected a number of seconds above 0"),
        (
            ("--system", "lstm", "--sizes", "1,a"),
            "--sizes 1,a: expected whole numbers with commas between them, as 12,3,4,8,5",
        ),
        (("--case", "nofile.npz"), "nofile.npz: no such file"),
    ],
)
def test_an_option_that_means_nothing_is_refused_in_a_line(file, capsys, options, message):
    code, out, err = run(capsys, f"{file}:right", *options)
    assert (code, out, err) == (2, "", f"gradparity: {message}\n")


def test_what_is_no_system_is_refused_in_a_line(file, capsys):
    with SeparateDerivation(f"{file}:right") as derivation:
        with pytest.raises(RequestError, match=r"mine\.py:NO_SYSTEM: NO_SYSTEM is a int, expected a gradparity"):
            derivation.system(f"{file}:NO_SYSTEM")
        with pytest.raises(RequestError, match=r"mine\.py: unknown System 'MIME': did you mean 'MINE'"):
            derivation.system(f"{file}:MIME")
        assert derivation.system(f"{file}:MINE").lengths == (4, 2)


def test_a_file_that_ends_its_process_while_it_loads_is_refused_in_a_line(tmp_path, capsys):
    path = tmp_path / "ends.py"
    path.write_text("import os\nos._exit(0)\n")
    code, _, err = run(capsys, f"{path}:f")
    assert code == 2
    assert "ends.py fails to load: its process ended with exit code 0" in err


def test_a_file_called_like_a_module_of_python_hides_nothing(file, tmp_path, monkeypatch, capsys):
    (tmp_path / "copy.py").write_text(file.read_text())
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "copy.py:right", *LOGISTIC, "--ordinary-only")
    assert (code, out.splitlines()[-1].split(",")[0]) == (0, "right is right on logistic-regression")
