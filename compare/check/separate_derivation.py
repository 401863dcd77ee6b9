"""A function that derives a system's gradients, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem, RequestError
from ...backends.errors import DerivationError
from ...backends.models import model_from
from ..systems import System
from .separate_process import TIMEOUT, SeparateProcess
from .user_function import Derivation, arguments_of


class SeparateDerivation(SeparateProcess, Derivation):
    """A function behind the interface of a backend, in a process of its own."""

    def __init__(self, target: str, *, timeout: float = TIMEOUT) -> None:
        """Starts the process, and loads the function.

        Args:
            target: `MODULE:FUNCTION` or `FILE.py:FUNCTION`.
            timeout: seconds for one call.

        Raises:
            RequestError: there is no such function.
        """
        SeparateProcess.__init__(self, target, "gradparity.compare.check.function_process", timeout=timeout)
        try:
            header, _ = self.ask({"do": "load", "target": target})
        except BaseException as error:
            self.close()
            if isinstance(error, DerivationError):
                raise RequestError(f"{target.rpartition(':')[0] or target} fails to load: {error}") from None
            raise
        Derivation.__init__(self, self._not_here, str(header.get("name", "derivation")))

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        params, *others = arguments_of(problem)
        arguments = [*params.values(), *others]
        if self._process is None:
            self.ask({"do": "load", "target": self.target})
        header, arrays = self.ask({"do": "call", "params": list(params), "trace": trace}, arguments)
        try:
            evaluation = decoded(header, arrays)
        except (LookupError, TypeError, ValueError):
            self.die("its process sent something that is no answer")
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
            header, _ = self.ask({"do": "system", "target": target})
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

    def _not_here(self, *arguments: Any) -> Any:
        raise DerivationError("it runs in a process of its own")


def decoded(header: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Evaluation:
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
