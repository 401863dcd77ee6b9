"""A process that carries out jobs: with a fixed number of threads, deaf to Ctrl-C, and ended when nobody needs it.

It is started by `subprocess`, not by `multiprocessing`, which lets no process of a cluster start one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any, NamedTuple

from ...backends import BrokenBackendError, RequestError
from ...backends.errors import located
from ..jobs import thread_limits

LOAD_SECONDS = 600.0
IDLE_SECONDS = 120.0  # after so long without a job a process ends: nobody else can end those on a cluster
BEGUN = "begun"
PROGRAM = (
    "import sys; sys.path += [folder for folder in sys.argv[2:] if folder not in sys.path]; "
    f"from {__name__} import main; main(int(sys.argv[1]))"
)


class Served(NamedTuple):
    """What a process loads once, before its first job.

    Attributes:
        environment: of the process, as `output.environment` returns it.
        carry_out: gives the answer to the job of a number.
    """

    environment: Mapping[str, Any]
    carry_out: Callable[[int], Any]


class Death(NamedTuple):
    """The answer to a job that failed: every process died of it, or it took too long in every one, or it raised.

    Attributes:
        reason: in one sentence, without a full stop.
    """

    reason: str


Setup = Callable[[], Served]  # a function of a module, or a `partial` of one, with arguments that can be pickled


class Child:
    """A process that answers jobs.

    Attributes:
        environment: of the process.
        carried_out: how many tasks it was given.
    """

    def __init__(self, setup: Setup, threads: int, import_path: Sequence[str]) -> None:
        """Starts it, and waits until it has loaded what it needs.

        Args:
            setup: what it loads.
            threads: of every BLAS and OpenMP in it.
            import_path: folders from which it can import, too.

        Raises:
            BrokenBackendError: it died meanwhile.
            RequestError: what it should load does not exist, or is broken.
        """
        self._pipe, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, str(theirs.fileno()), *import_path],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | thread_limits(threads),
                start_new_session=True,  # Ctrl-C is for the command, which ends the process
            )
        self.carried_out = 0
        self._setup = setup
        self.environment: Mapping[str, Any] = {}

    def load(self) -> None:
        """Waits until it has loaded what it needs.

        Raises:
            BrokenBackendError: it died meanwhile.
            RequestError: what it should load does not exist, or is broken.
        """
        try:
            self._pipe.send(self._setup)
            if not self._pipe.poll(LOAD_SECONDS):
                raise BrokenBackendError(f"the worker process has not loaded the backends in {LOAD_SECONDS:g} s")
            loaded = self._pipe.recv()
        except (EOFError, OSError):
            raise BrokenBackendError(f"{self.how_it_died()}, while it loaded the backends") from None
        if isinstance(loaded, RequestError):
            self.end()
            raise loaded
        self.environment = loaded

    def answer(self, number: int, timeout: float) -> Any:
        """The answer to a job.

        Args:
            number: of the job.
            timeout: the seconds that it may take.

        Raises:
            EOFError: the process died before it was at work.
            ChildProcessError: it died at work.
            TimeoutError: it took too long; the process is ended.
        """
        try:
            self._pipe.send(number)
            begun = self._received(timeout)
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError from None
        assert begun == BEGUN
        try:
            return self._received(timeout)
        except (EOFError, ConnectionResetError):
            raise ChildProcessError from None

    def _received(self, timeout: float) -> Any:
        if not self._pipe.poll(timeout):
            self.end()
            raise TimeoutError
        return self._pipe.recv()

    def how_it_died(self) -> str:
        """Such as `the worker process died, with exit code -9`."""
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:  # it has closed its pipe, and lives
            self._process.kill()
            self._process.wait()
        return f"the worker process died, with exit code {self._process.returncode}"

    def kill(self) -> None:
        """Kills it, so that whoever waits for its answer gets an EOFError."""
        self._process.kill()

    def end(self) -> None:
        """Kills it, and frees what it had."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()


def main(descriptor: int) -> None:
    """Carries out jobs until nobody has any.

    Args:
        descriptor: of the pipe through which a `Setup` and then numbers come.
    """
    pipe = Connection(descriptor)
    os.set_inheritable(descriptor, False)  # what a backend starts would keep it open
    with suppress(EOFError, BrokenPipeError, ConnectionResetError), redirect_stdout(sys.stderr):  # no result
        try:
            served = pipe.recv()()
        except RequestError as error:
            pipe.send(error)
            return
        pipe.send(served.environment)
        while pipe.poll(IDLE_SECONDS):
            number = pipe.recv()
            pipe.send(BEGUN)
            pipe.send(_answer(served, number))


def _answer(served: Served, number: int) -> Any:
    try:
        return served.carry_out(number)
    except (Exception, SystemExit) as error:  # whatever a backend brings about
        return Death(f"it raised {located(error)}")
