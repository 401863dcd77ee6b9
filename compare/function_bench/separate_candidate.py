"""A function that is timed, in a process of its own: it may end, hang or print as it likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends import RequestError
from ...backends.errors import DerivationError
from ..check.separate_process import SeparateProcess
from ..functions.returned import Returned
from ..jobs import thread_limits
from .frameworks import JAX
from .targets import Target

X64 = "JAX_ENABLE_X64"
Sizes = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Settings:
    """What holds for all functions of a benchmark.

    Attributes:
        arguments: `FILE.py:FUNCTION`, which draws them, or `FILE.npz`.
        is_stated: whether somebody named it, or it was looked for beside the first function.
        returns: the names of what functions return that return it in a row.
        threads: of each function.
        timeout: seconds for one answer of its process.
    """

    arguments: str
    is_stated: bool
    returns: tuple[str, ...] | None
    threads: int
    timeout: float


@dataclass(frozen=True)
class Case:
    """The arguments with which all functions are timed.

    Attributes:
        sizes: with which they are drawn, by name; the others are as usual.
        dtype: to which floating-point arrays are rounded; empty leaves them.
    """

    sizes: Sizes = ()
    dtype: str = ""

    @property
    def label(self) -> str:
        """`T=100, float32`, or `as drawn`."""
        parts = [f"{name}={size}" for name, size in self.sizes] + ([self.dtype] if self.dtype else [])
        return ", ".join(parts) or "as drawn"


class SeparateCandidate(SeparateProcess):
    """A function in a process of its own, which has as many threads and cores as the settings say.

    Attributes:
        import_seconds: of its file and what that imports.
        sizes: that the function that draws the arguments takes, with what they are by default.
        sources: the digests of its file and of that of the arguments, see `digests_of`.
    """

    def __init__(self, target: Target, settings: Settings, *, in_float64: bool = False) -> None:
        """Starts the process, and loads the function.

        Args:
            target: the function.
            settings: of the benchmark.
            in_float64: whether JAX has float64, by its variable `JAX_ENABLE_X64`.

        Raises:
            RequestError: something of it is not there, or fails to load.
        """
        environment = thread_limits(settings.threads) | ({X64: "1"} if in_float64 else {})
        module = "gradparity.compare.function_bench.process"
        super().__init__(target.path, module, timeout=settings.timeout, environment=environment)
        try:
            header, _ = self.ask(
                {
                    "do": "load",
                    "target": target.path,
                    "arguments": settings.arguments,
                    "is_stated": settings.is_stated,
                    "returns": list(settings.returns) if settings.returns else None,
                    "threads": settings.threads,
                }
            )
            self.import_seconds = float(header["import_seconds"])
            self.sizes = {str(name): int(size) for name, size in header["sizes"].items()}
            self.sources = {str(source): str(digest) for source, digest in header["sources"].items()}
        except BaseException as error:
            self.close()
            if isinstance(error, DerivationError):
                raise RequestError(f"{target.path.rpartition(':')[0]} fails to load: {error}") from None
            raise

    def tell(self, case: Case, framework: str) -> tuple[str, dict[str, str]]:
        """Of which framework it is, and the dtypes of its floating-point arguments.

        Args:
            case: the arguments.
            framework: if it is stated; else empty.

        Raises:
            DerivationError: it fails.
        """
        header, _ = self.ask(_about(case, "tell", framework))
        return str(header["framework"]), {str(path): str(dtype) for path, dtype in header["dtypes"].items()}

    def begin(self, case: Case, framework: str) -> tuple[float, float, Returned]:
        """Converts the arguments and calls it for the first time.

        Returns:
            The seconds of the conversion and of the call, and the answer.

        Raises:
            DerivationError: it fails.
        """
        header, arrays = self.ask(_about(case, "begin", framework))
        return float(header["prepare_seconds"]), float(header["first_seconds"]), answer_from(header, arrays)

    def average(self, calls: int) -> tuple[float, float]:
        """The seconds of a call on average, and how many cores were busy.

        Raises:
            DerivationError: it fails.
        """
        header, _ = self.ask({"do": "average", "calls": calls})
        return float(header["seconds"]), float(header["cores"])

    def end(self) -> tuple[int, list[str], Returned]:
        """The memory at its peak, the arguments that were changed, and the answer of the last call.

        Raises:
            DerivationError: it fails.
        """
        header, arrays = self.ask({"do": "end"})
        return int(header["memory"]), list(map(str, header["changed"])), answer_from(header, arrays)

    def rounding(self, case: Case, framework: str) -> dict[str, float]:
        """How far its results in float32 are from those in float64, see `float_rounding`.

        Raises:
            DerivationError: it fails, or computes in one format only.
        """
        header, _ = self.ask(_about(case, "rounding", framework))
        return {str(name): float(spread) for name, spread in header["spread"].items()}


def _about(case: Case, what: str, framework: str) -> dict[str, Any]:
    return {"do": what, "sizes": [list(size) for size in case.sizes], "dtype": case.dtype, "framework": framework}


def answer_from(header: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Returned:
    """An answer as it was sent."""
    loss, *gradients = arrays
    return Returned(loss, dict(zip(map(str, header["names"]), gradients, strict=True)))


def needs_float64(framework: str, dtypes: Mapping[str, str]) -> bool:
    """Whether JAX has to be told that it may use float64.

    Example:
        >>> needs_float64("jax", {"W": "float64"}), needs_float64("jax", {"W": "float32"})
        (True, False)
    """
    return framework == JAX and "float64" in dtypes.values()
