"""A function that is run in a process of its own, which may end, hang or print as it likes: none of it is a verdict."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np

from ...backends import RequestError
from ...backends.errors import DerivationError, printable
from ..jobs import StageProgress
from .wire import LENGTH_BYTES, packed, unpacked, with_length, without_length

TIMEOUT = 60.0  # seconds for one call
SECONDS_TO_END = 1.0  # for a process whose channel is closed
MOST_OUTPUT = 4000  # bytes of what the function prints are kept
MOST_ANSWER = 1 << 30  # bytes of one answer
PROGRAM = (
    "import importlib, json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "importlib.import_module(sys.argv[3]).main(sys.argv[1:])"
)


class SeparateProcess:
    """A process that answers requests about a function. It is a context.

    The process is started when it is needed, and started anew after it has died.

    Attributes:
        target: where the function is.
        timeout: seconds for one answer.
        output: what the function printed: the first 4000 bytes of it.
        stopped: why the last request has no answer, if the process died of it; empty if it is alive.
        timed_out: whether an answer took too long.
    """

    def __init__(
        self, target: str, module: str, *, timeout: float = TIMEOUT, environment: Mapping[str, str] | None = None
    ) -> None:
        """Starts no process yet.

        Args:
            target: where the function is.
            module: whose `main` answers the requests.
            timeout: seconds for one answer.
            environment: variables of the process beside those of this one.
        """
        self.target, self.timeout = target, timeout
        self.output = self.stopped = ""
        self.timed_out = False
        self._module, self._environment = module, dict(environment or {})
        self._printed = bytearray()
        self._number_cut_off = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._received = bytearray()  # what has come of messages that were not read yet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, and whatever it started."""
        if self._process is None:
            return
        self._read_output()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._channel
        assert self._process.stdout
        self._channel.close()
        self._process.stdout.close()
        self._process = self._channel = None
        self._received.clear()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, str(theirs.fileno()), json.dumps(sys.path), self._module],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                env=os.environ | self._environment,
                start_new_session=True,  # Ctrl-C is for the command, which ends the process
            )
        assert self._process.stdout
        os.set_blocking(self._process.stdout.fileno(), False)
        self._channel = ours
        self.stopped = ""

    def ask(
        self,
        header: Mapping[str, Any],
        arrays: Sequence[np.ndarray] = (),
        progress: StageProgress = lambda stage: None,
    ) -> tuple[dict[str, Any], list[Any]]:
        """Sends a request, and waits for the answer: no longer than the time limit, and not for a dead process.

        Args:
            header: plain values.
            arrays: that go with them.
            progress: is called with what is being done, if the process says it.

        Returns:
            The header and the arrays of the answer.

        Raises:
            DerivationError: the function failed, or the process died of it.
            RequestError: the request was refused.
        """
        if self._process is None:
            self._start()
        deadline = time.monotonic() + self.timeout
        try:
            answer, sent = unpacked(self._exchanged(with_length(packed(header, arrays)), deadline))
            while "progress" in answer:
                progress(printable(str(answer["progress"])))
                answer, sent = unpacked(self._exchanged(b"", deadline))
        except TimeoutError:
            self.timed_out = True
            self.die(f"it took longer than {self.timeout:g} s, the time limit (--timeout)")
        except (OSError, EOFError):
            self.die(self._how_it_ended())
        except ValueError:
            self.die("its process sent something that is no answer")
        self._read_output()
        if "refused" in answer:
            raise RequestError(str(answer["refused"]))
        if "failed" in answer:
            raise DerivationError(str(answer["failed"]))
        return answer, sent

    def _exchanged(self, request: bytes, deadline: float) -> bytes:
        """Sends bytes, and returns the message that comes back, while the output is read."""
        assert self._process
        assert self._process.stdout
        assert self._channel
        self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
        self._channel.sendall(request)
        received = self._received
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._channel, selectors.EVENT_READ)
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            while (message := without_length(received)) is None:
                if (left := deadline - time.monotonic()) <= 0:
                    raise TimeoutError
                # not for longer: a process that it started may keep the channel of a dead one open
                ready = {key.fileobj for key, _ in waiting.select(min(left, 0.2))}
                if self._process.stdout in ready and not self._read_output():
                    waiting.unregister(self._process.stdout)
                if self._channel in ready:
                    part = self._channel.recv(1 << 20)
                    received += part
                    if not part or len(received) > MOST_ANSWER:
                        raise EOFError
                elif self._process.poll() is not None:
                    raise EOFError
        del received[: LENGTH_BYTES + len(message)]
        return message

    def _read_output(self) -> bool:
        """Keeps what can be read of the output now; says whether there may be more later."""
        assert self._process
        assert self._process.stdout
        for _ in range(64):  # no more at once: an endless output may not keep this from the time limit
            try:
                part = os.read(self._process.stdout.fileno(), 1 << 16)
            except BlockingIOError:
                return True
            if not part:
                return False
            kept = part[: MOST_OUTPUT - len(self._printed)]
            self._printed += kept
            self._number_cut_off += len(part) - len(kept)
            cut_off = f"\n… and {self._number_cut_off} bytes more" if self._number_cut_off else ""
            self.output = self._printed.decode(errors="replace") + cut_off
        return True

    def _how_it_ended(self) -> str:
        assert self._process
        try:
            code = self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            return "its process closed its files, and with them what its answer goes through"
        if code >= 0:
            return f"its process ended with exit code {code}, expected an answer (os._exit, or its files closed?)"
        hint = ", which is what the system does where memory runs out" if -code == signal.SIGKILL else ""
        return f"its process was killed by signal {-code} ({signal.Signals(-code).name}){hint}"

    @property
    def is_running(self) -> bool:
        """Whether the process has been started, and has not died."""
        return self._process is not None

    def die(self, reason: str) -> NoReturn:
        """Ends the process of which there is no answer, and says why."""
        self.close()
        self.stopped = reason
        raise DerivationError(reason)
