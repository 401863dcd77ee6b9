"""The process in which the command runs a checked function: it calls it whenever it is asked, and sends the answers.

It knows nothing that is right: it gets a problem's numbers, and returns what the function made of them.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ...backends import Evaluation, RequestError
from ...backends.errors import DerivationError, describe_error
from ...backends.models import describe
from ..jobs import StageProgress
from .user_function import Function, call_function, load_function, load_system
from .wire import LENGTH_BYTES, packed, unpacked, with_length

Message = tuple[dict[str, Any], list[np.ndarray]]
Requests = Callable[[dict[str, Any], list[np.ndarray], StageProgress], Message]


class DerivationRequests:
    """What is asked of a derivation: `load` a function, describe a `system`, or `call` the function."""

    def __init__(self) -> None:
        self._function: Function | None = None

    def __call__(self, header: dict[str, Any], arrays: list[np.ndarray], progress: StageProgress) -> Message:
        match header["do"]:
            case "load":
                self._function = load_function(header["target"])
                return {"name": str(getattr(self._function, "__name__", "derivation"))}, []
            case "system":
                return described_system(header["target"]), []
            case _:
                assert self._function
                return called(self._function, header, arrays)


def serve(channel: socket.socket, requests: Requests | None = None) -> None:
    """Answers one request after the other, until the channel is closed.

    Args:
        channel: to the command.
        requests: answers them, and may say meanwhile what is being done; None means those about a derivation.
    """

    def progress(stage: str) -> None:
        channel.sendall(with_length(packed({"progress": stage})))

    process = os.getpid()
    requests = requests or DerivationRequests()
    while request := _received(channel):
        header, arrays = unpacked(request)
        try:
            answer = requests(header, arrays, progress)
        except RequestError as error:
            answer = {"refused": str(error)}, []
        except BaseException as error:
            answer = {"failed": f"it raised {describe_error(error)}"}, []
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # it may be closed, or be something else by now
                stream.flush()
        if os.getpid() != process:  # the function forked, and this is its child
            os._exit(0)
        header, arrays = answer
        channel.sendall(with_length(packed(header, arrays)))


def described_system(target: str) -> dict[str, Any]:
    """A system of one's own as plain values."""
    system = load_system(target)
    return {
        "name": system.name,
        "summary": system.summary,
        "model": describe(system.model),
        "seq_len": system.seq_len,
        "batch_size": system.batch_size,
        "lengths": list(system.lengths) if system.lengths else None,
        "learns": system.training is not None,
    }


def called(function: Function, header: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Message:
    """What a function makes of the parameters and the other arrays of a request.

    Returns:
        Its loss, its gradients and adjoints by name, and the arrays as they are after the call; or why it failed.
    """
    names = header["params"]
    arguments = [dict(zip(names, arrays, strict=False)), *arrays[len(names) :]]
    try:
        evaluation = call_function(function, arguments, trace=header["trace"])
    except DerivationError as error:
        return {"failed": str(error)}, []
    return encoded(evaluation, arrays)


def encoded(evaluation: Evaluation, arguments: Sequence[np.ndarray]) -> Message:
    """An evaluation as plain values and arrays; of what is no array, what kind of thing it is."""
    header: dict[str, Any] = {"loss": evaluation.loss}
    sent: list[np.ndarray] = list(arguments)
    for field, values in (("gradients", evaluation.gradients), ("adjoints", evaluation.adjoints)):
        header[field] = []
        for name, value in values.items():
            is_array = type(value) is np.ndarray and not value.dtype.hasobject
            entry: dict[str, Any] = {"name": name if isinstance(name, str) else None, "shown": repr(name)}
            if is_array:
                entry["array"] = len(sent)
                sent.append(value)
            elif type(value) is np.ndarray:
                entry["shape"] = list(value.shape)
            else:
                entry["kind"] = type(value).__name__
            header[field].append(entry)
    return header, sent


def _received(channel: socket.socket) -> bytes:
    """The next message; empty when the channel is closed."""
    length = int.from_bytes(_exactly(channel, LENGTH_BYTES), "big")
    return _exactly(channel, length)


def _exactly(channel: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length and (part := channel.recv(min(length - len(received), 1 << 20))):
        received += part
    return bytes(received)


def main(arguments: Sequence[str], requests: Requests | None = None) -> None:
    """Serves on the socket whose number is the first argument."""
    with socket.socket(fileno=int(arguments[0])) as channel:
        serve(channel, requests)
