"""The process in which the command runs a person's function: it records it and calls it, and sends what came of it.

It judges nothing: the recording goes to the command as operations and arrays, and the gradients as arrays.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...backends import Problem, RequestError
from ...backends.errors import DerivationError, UnknownNameError
from ..check.function_process import Message, encoded
from ..check.function_process import main as serve_requests
from ..check.loading import notes_of
from ..check.user_function import load_function
from ..jobs import StageProgress
from ..localization import RightAnswer, located_from
from .calls import Function, name_of, named_arguments, shown
from .drawn_arguments import DRAWS, drawn, from_npz, in_dtype, sizes_of
from .own_function import OwnFunction
from .recorded_function import Recorded, Setting


class OwnRequests:
    """What is asked of a function: `load`, and at a setting one of the methods of `OwnFunction`, by its name."""

    def __init__(self) -> None:
        self._own: OwnFunction | None = None

    def __call__(self, header: dict[str, Any], arrays: list[np.ndarray], progress: StageProgress) -> Message:
        if header["do"] == "load":
            return self._load(header, arrays), []
        assert self._own
        setting = setting_from(header["setting"])
        try:
            if header["do"] == "record":
                return sent(self._own.record(setting))
            if header["do"] == "locate":
                change = header["change"] and located_from(header["change"])
                return asdict(self._own.locate(setting, progress, change)), []
            if header["do"] == "loss_repairs":
                right = RightAnswer(header["loss"], dict(zip(header["names"], arrays, strict=True)), header["allowed"])
                return asdict(self._own.loss_repairs(setting, right)), []
            if header["do"] == "rounding":
                return {"rounding": self._own.rounding(setting)}, []
            return encoded(self._own.answer(setting), [])
        except DerivationError as error:
            return {"failed": str(error)}, []

    def _load(self, header: dict[str, Any], arrays: list[np.ndarray]) -> dict[str, Any]:
        function = load_function(header["target"])
        definition = load_function(header["of"]) if header["of"] else None
        if header["params"] is not None:  # of a network
            names = header["params"]
            made = [dict(zip(names, arrays, strict=False)), *arrays[len(names) :]]
            return self._with(function, definition, header, lambda setting: named_arguments(function, made))
        arguments = header["arguments"]
        if arguments.endswith(".npz"):
            fixed = from_npz(function, Path(arguments))
            given = in_dtype(fixed, header["dtype"]) if header["dtype"] else fixed
            return self._with(function, definition, header, lambda setting: given)
        draw = load_function(arguments) if arguments else _drawn_beside(header["target"], function)
        described = self._with(function, definition, header, drawn(function, draw, header["dtype"]))
        return described | {"is_drawn": True, "sizes": sizes_of(draw)}

    def _with(
        self,
        function: Function,
        definition: Function | None,
        header: Mapping[str, Any],
        arguments: Callable[[Setting], Mapping[str, Any]],
    ) -> dict[str, Any]:
        options = {"definition": definition, "wrt": header["wrt"], "returns": header["returns"]}
        self._own = OwnFunction(function, arguments, **options)
        name = name_of(definition) if definition else ""
        module = sys.modules.get(getattr(function, "__module__", ""))
        notes = notes_of(module)
        return {"name": self._own.name, "definition": name, "is_drawn": False, "sizes": {}, "notes": list(notes)}


def _drawn_beside(target: str, function: Function) -> Function:
    """The function `arguments` of the file that holds a function."""
    source = target.rpartition(":")[0]
    try:
        return load_function(f"{source}:{DRAWS}")
    except UnknownNameError:
        raise RequestError(
            f"nothing says what {shown(function)} is called with: give --arguments FILE.py:FUNCTION, which draws them "
            f"from a NumPy generator, or --arguments FILE.npz, or --system NAME of a network; or write {DRAWS}(rng) "
            f"beside it"
        ) from None


def setting_from(fields: Mapping[str, Any]) -> Setting:
    """A setting as it was sent."""
    return Setting(**{**fields, "sizes": tuple((str(name), int(size)) for name, size in fields["sizes"])})


def sent(recorded: Recorded) -> Message:
    """A recording as plain values and arrays."""
    header = {
        "paths": dict(recorded.paths),
        "returned_as": dict(recorded.returned_as),
        "loss": recorded.loss,
        "gives_loss": recorded.gives_loss,
        "notes": list(recorded.notes),
    }
    return header, [np.frombuffer(recorded.problem.to_bytes(), "uint8")]


def received(header: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Recorded:
    """A recording as it was sent, checked like any file."""
    return Recorded(
        Problem.from_bytes(arrays[0].tobytes(), "its recording"),
        {str(name): str(path) for name, path in header["paths"].items()},
        {str(name): str(one) for name, one in header["returned_as"].items()},
        float(header["loss"]),
        bool(header["gives_loss"]),
        tuple(map(str, header["notes"])),
    )


def main(arguments: Sequence[str]) -> None:
    """Serves on the socket whose number is the first argument."""
    serve_requests(arguments, OwnRequests())
