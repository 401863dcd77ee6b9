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
from typing import Any, Self

import numpy as np

from ...backends import Evaluation, Problem, RequestError
from ...backends.errors import DerivationError
from ...backends.models import model_from
from ..systems import System
from .user_function import Derivation, arguments_of
from .wire import packed, unpacked, with_length, without_length

TIMEOUT = 60.0  # seconds for one call
SECONDS_TO_END = 1.0  # for a process whose channel is closed
MOST_OUTPUT = 4000  # bytes of what the function prints are kept
MOST_ANSWER = 1 << 30  # bytes of one answer
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from gradparity.compare.check.function_process import main; main(sys.argv[1:])"
)


class SeparateDerivation(Derivation):
    """A function behind the interface of a backend, in a process of its own. It is a context.

    The process is started when it is needed, and started anew after it has died.

    Attributes:
        timeout: seconds for one call.
        output: what the function printed: the first 4000 bytes of it.
        stopped: why the last call has no answer, if the process died of it; empty if it is alive.
        timed_out: whether a call took too long.
    """

    def __init__(self, target: str, *, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self.target = target
        self.stopped = ""
        self.timed_out = False
        self._printed = bytearray()
        self._number_cut_off = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        try:
            header, _ = self._ask({"do": "load", "target": target})
        except BaseException as error:
            self.close()
            if isinstance(error, DerivationError):
                raise RequestError(f"{target.rpartition(':')[0] or target} fails to load: {error}") from None
            raise
        super().__init__(self._not_here, str(header.get("name", "derivation")))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        params, *others = arguments_of(problem)
        arguments = [*params.values(), *others]
        if self._process is None:
            self._ask({"do": "load", "target": self.target})
        header, arrays = self._ask({"do": "call", "params": list(params), "trace": trace}, arguments)
        try:
            evaluation = _decoded(header, arrays)
        except (LookupError, TypeError, ValueError):
            self._die("its process sent something that is no answer")
        for given, after in zip(arguments, arrays, strict=False):
            if after.shape == given.shape and after.dtype == given.dtype:
                given[...] = after
            else:
                given[...] = given == 0  # it is no longer what it was: any change says so
        return evaluation

    def system(self, target: str) -> System:
        """The system at `FILE.py:NAME` or `module:NAME`, loaded in the function's process.

        Raises:
            RequestError: there is none.
        """
        try:
            header, _ = self._ask({"do": "system", "target": target})
            lengths = header["lengths"]
            return System(
                str(header["name"]),
                str(header["summary"]),
                (),
                model_from(header["model"]),
                seq_len=header["seq_len"],
                batch_size=header["batch_size"],
                lengths=lengths and tuple(lengths),
            )
        except (DerivationError, LookupError, TypeError, ValueError) as error:
            raise RequestError(f"{target}: fails to load: {error}") from None

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

    def _not_here(self, *arguments: Any) -> Any:
        raise DerivationError("it runs in a process of its own")

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(theirs.fileno()), json.dumps(sys.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the command, which ends the process
            )
        assert self._process.stdout
        os.set_blocking(self._process.stdout.fileno(), False)
        self._channel = ours
        self.stopped = ""

    def _ask(self, header: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> tuple[dict[str, Any], list[Any]]:
        """Sends a request, and waits for the answer: no longer than the time limit, and not for a dead process."""
        if self._process is None:
            self._start()
        deadline = time.monotonic() + self.timeout
        try:
            message = self._exchanged(with_length(packed(header, arrays)), deadline)
            answer, sent = unpacked(message)
        except TimeoutError:
            self.timed_out = True
            self._die(f"it took longer than {self.timeout:g} s, the time limit (--timeout)")
        except (OSError, EOFError):
            self._die(self._how_it_ended())
        except ValueError:
            self._die("its process sent something that is no answer")
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
        received = bytearray()
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

    def _die(self, reason: str) -> None:
        self.close()
        self.stopped = reason
        raise DerivationError(reason)


def _decoded(header: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Evaluation:
    """What `function_process.encoded` encoded."""
    fields: dict[str, dict[Any, Any]] = {}
    for field in ("gradients", "adjoints"):
        fields[field] = {}
        for entry in header[field]:
            name = entry["name"] if isinstance(entry["name"], str) else Unsent(entry["shown"])
            if "array" in entry:
                fields[field][name] = arrays[entry["array"]]
            elif "shape" in entry:
                fields[field][name] = np.empty(entry["shape"], dtype=object)
            else:
                fields[field][name] = type(str(entry["kind"]), (Unsent,), {})("")
    return Evaluation(float(header["loss"]), fields["gradients"], None, fields["adjoints"])


class Unsent:
    """Stands for something that is no array; it is shown as that was."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return self.shown
