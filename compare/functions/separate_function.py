"""A person's function in a process of its own, which may end, hang or print as it likes: none of it is a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem, RequestError
from ...backends.errors import DerivationError
from ..check.results import Check
from ..check.separate_derivation import decoded
from ..check.separate_process import TIMEOUT, SeparateProcess
from ..check.user_function import arguments_of
from ..jobs import StageProgress
from ..localization import Localization, Located, LossRepairs, RightAnswer, localization_from, loss_repairs_from
from .checking import AS_GIVEN, ITS_OWN_LOSS, check_own
from .own_process import received
from .recorded_function import Recorded, Setting


class SeparateFunction(SeparateProcess):
    """A function that is recorded and called in a process of its own. It stands for an `OwnFunction`.

    Attributes:
        name: of the function.
        definition: the name of the program whose loss is the right one; empty if it is the function's own.
        is_drawn: whether a function draws its arguments, from a seed.
        sizes: with which sizes they are drawn, and what these usually are.
        notes: what is to be said of how its file was loaded.
    """

    def __init__(
        self,
        target: str,
        *,
        arguments: str = "",
        of: str = "",
        wrt: Mapping[str, str] | None = None,
        returns: Sequence[str] | None = None,
        dtype: str = "",
        problem: Problem | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Starts the process, and loads what is named.

        Args:
            target: the function, as `FILE.py:FUNCTION` or `MODULE:FUNCTION`.
            arguments: `FILE.py:FUNCTION`, which draws its arguments, or `FILE.npz`; empty means the function
                `arguments` beside it.
            of: the program whose loss is the right one; empty if it is the function's own.
            wrt: see `check_gradients`.
            returns: see `check_gradients`.
            dtype: to which floating-point arguments are rounded; empty leaves them.
            problem: of a network, whose numbers it is called with in the place of arguments.
            timeout: seconds for one answer.

        Raises:
            RequestError: something of it is not there, or fails to load.
        """
        super().__init__(target, "gradparity.compare.functions.own_process", timeout=timeout)
        self._request: dict[str, Any] = {
            "do": "load",
            "target": target,
            "arguments": arguments,
            "of": of,
            "wrt": dict(wrt) if wrt else None,
            "returns": list(returns) if returns else None,
            "dtype": dtype,
            "params": list(problem.params) if problem else None,
        }
        params, *others = arguments_of(problem) if problem else ({},)
        self._arrays = [*params.values(), *others]
        try:
            header, _ = self.ask(self._request, self._arrays)
        except BaseException as error:
            self.close()
            if isinstance(error, DerivationError):
                raise RequestError(f"{target.rpartition(':')[0] or target} fails to load: {error}") from None
            raise
        self.name = str(header["name"])
        self.definition = str(header["definition"])
        self.is_drawn = bool(header["is_drawn"])
        self.notes = tuple(map(str, header["notes"]))
        self.sizes = {str(name): int(size) for name, size in header["sizes"].items()}

    def record(self, setting: Setting) -> Recorded:
        """See `OwnFunction.record`."""
        header, arrays = self._asked({"do": "record", "setting": asdict(setting)})
        try:
            return received(header, arrays)
        except (LookupError, TypeError, ValueError):
            self.die("its process sent something that is no recording")

    def answer(self, setting: Setting) -> Evaluation:
        """See `OwnFunction.answer`."""
        header, arrays = self._asked({"do": "answer", "setting": asdict(setting)})
        try:
            return decoded(header, arrays)
        except (LookupError, TypeError, ValueError):
            self.die("its process sent something that is no answer")

    def locate(
        self, setting: Setting, progress: StageProgress = lambda stage: None, change: Located | None = None
    ) -> Localization:
        """See `OwnFunction.locate`."""
        request = {"do": "locate", "setting": asdict(setting), "change": change and asdict(change)}
        header, _ = self._asked(request, progress=progress)
        try:
            return localization_from(header)
        except (AttributeError, LookupError, TypeError, ValueError):
            self.die("its process sent something that is no place")

    def loss_repairs(self, setting: Setting, right: RightAnswer) -> LossRepairs:
        """See `OwnFunction.loss_repairs`."""
        request = {"do": "loss_repairs", "setting": asdict(setting), "loss": right.loss, "allowed": dict(right.allowed)}
        header, _ = self._asked(request | {"names": list(right.gradients)}, list(right.gradients.values()))
        try:
            return loss_repairs_from(header)
        except (AttributeError, LookupError, TypeError, ValueError):
            self.die("its process sent something that is no place")

    def rounding(self, setting: Setting) -> Mapping[str, float]:
        """See `OwnFunction.rounding`. What takes too long is not measured."""
        try:
            header, _ = self._asked({"do": "rounding", "setting": asdict(setting)})
        except DerivationError:
            return {}
        try:
            return {str(name): float(spread) for name, spread in header["rounding"].items()}
        except (AttributeError, LookupError, TypeError, ValueError):
            self.die("its process sent something that is no measurement")

    def _asked(
        self,
        request: dict[str, Any],
        arrays: Sequence[np.ndarray] = (),
        progress: StageProgress = lambda stage: None,
    ) -> tuple[dict[str, Any], list[Any]]:
        """Asks, after loading anew where the process has died."""
        if not self.is_running:
            self.ask(self._request, self._arrays)
        return self.ask(request, arrays, progress)


def check_own_target(
    target: str,
    *,
    seeds: Sequence[int],
    ordinary_only: bool = False,
    diagnosis: bool = True,
    progress: StageProgress = lambda stage: None,
    **options: Any,
) -> Check:
    """Judges the function at `FILE.py:FUNCTION`, which runs in a process of its own.

    Args:
        target: where it is.
        seeds: from which its arguments are drawn, if a function draws them.
        ordinary_only: see `check_gradients`.
        diagnosis: see `check_gradients`.
        progress: is called with what is being done.
        **options: see `SeparateFunction`.

    Returns:
        The judgement.

    Raises:
        RequestError: something of it is not there, or fails, or cannot be followed.
    """
    with SeparateFunction(target, **options) as own:
        settings = [Setting(f"seed {seed}", seed) for seed in seeds] if own.is_drawn else [AS_GIVEN]
        try:
            check = check_own(
                own,
                settings,
                loss=f"the loss that {own.definition} returns" if own.definition else ITS_OWN_LOSS,
                sizes=own.sizes,
                ordinary_only=ordinary_only,
                diagnosis=diagnosis,
                progress=progress,
            )
            return replace(check, notes=(*own.notes, *check.notes))
        except DerivationError as error:
            raise RequestError(f"{target}: {error}") from error
