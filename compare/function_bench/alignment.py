"""Which gradient of one function is which of another: by name, or by position; and what is no answer at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ..functions.matching import IN_A_ROW, is_named_after
from ..functions.returned import Returned

Refused = tuple[str, str]  # a verdict, and the reason
DISAGREES, UNDECIDABLE = "disagrees", "undecidable"


@dataclass(frozen=True, eq=False)
class Aligned:
    """Answers with their gradients under common names.

    Attributes:
        answers: of those whose answers are fit to be compared.
        names: by function, by the name that it gives a gradient, the common name.
        refused: the others, with the verdict and the reason.
        notes: what is to be said of answers that are compared.
    """

    answers: Mapping[str, Returned]
    names: Mapping[str, Mapping[str, str]]
    refused: Mapping[str, Refused]
    notes: tuple[str, ...] = ()


def align(answers: Mapping[str, Returned], dtypes: Mapping[str, str]) -> Aligned:
    """Puts the gradients of several functions under common names: those of the first that most have as many as.

    Args:
        answers: by function.
        dtypes: of the floating-point arguments, by how they are reached.

    Returns:
        The answers that can be compared, and those that cannot.

    Example:
        >>> one, other = Returned(np.float64(1), {"dW": np.zeros(2)}), Returned(np.float64(1), {"[0]": np.zeros(2)})
        >>> align({"one": one, "other": other}, {"W": "float64"}).names["other"]
        {'[0]': 'dW'}
    """
    if not answers:
        return Aligned({}, {}, {})
    counts = [len(answer.gradients) for answer in answers.values()]
    usual = max(dict.fromkeys(counts), key=counts.count)
    leader = next(
        (name for name, answer in answers.items() if len(answer.gradients) == usual and not _in_a_row(answer)),
        next(name for name, answer in answers.items() if len(answer.gradients) == usual),
    )
    common = answers[leader].gradients
    aligned: dict[str, Returned] = {}
    names: dict[str, Mapping[str, str]] = {}
    refused: dict[str, Refused] = {}
    notes: list[str] = []
    for name, answer in answers.items():
        found = _matched(answer, common, dtypes)
        if isinstance(found, str):
            refused[name] = DISAGREES, f"{found}, where {leader} returns {', '.join(common)}"
            continue
        gradients = {found[own]: array for own, array in answer.gradients.items()}
        gradients = {one: gradients[one] for one in common}
        if reason := _unfit(Returned(answer.loss, gradients), answers[leader], leader, dtypes):
            refused[name] = DISAGREES, reason
            continue
        for one, array in gradients.items():
            expected = _dtype_of(one, dtypes)
            if expected and np.dtype(expected) != array.dtype:
                notes.append(f"{name} returns {one} in {array.dtype}, of an array in {expected}")
                gradients[one] = array.astype(expected)
        aligned[name], names[name] = Returned(answer.loss, gradients), found
    return Aligned(aligned, names, refused, tuple(notes))


def _in_a_row(answer: Returned) -> bool:
    return all(IN_A_ROW.fullmatch(name) for name in answer.gradients)


def _matched(answer: Returned, common: Mapping[str, np.ndarray], paths: Collection[str]) -> dict[str, str] | str:
    """By the function's own names the common ones, or why there is none."""
    own = list(answer.gradients)
    if set(own) == set(common):
        return {name: name for name in own}
    if len(own) < len(common):
        missing = [name for name in common if not any(_is_same(one, name, paths) for one in own)]
        of_which = f": {', '.join(missing)} missing" if missing and not _in_a_row(answer) else ""
        return f"it returns {_counted(len(own))}{of_which}"
    if len(own) > len(common):
        return f"it returns {_counted(len(own))} ({', '.join(own)})"
    by_name = {one: [name for name in common if _is_same(one, name, paths)] for one in own}
    if all(len(names) == 1 for names in by_name.values()) and len({names[0] for names in by_name.values()}) == len(own):
        return {one: names[0] for one, names in by_name.items()}
    is_row = _in_a_row(answer) or all(IN_A_ROW.fullmatch(name) for name in common) or len(own) == 1
    if is_row:
        return dict(zip(own, common, strict=True))
    return f"it returns gradients of other names: {', '.join(own)}"


def shown(name: str) -> str:
    """A gradient's name in a message.

    Example:
        >>> shown("dW"), shown("[0]")
        ('dW', 'gradient [0]')
    """
    return f"gradient {name}" if IN_A_ROW.fullmatch(name) else name


def _counted(number: int) -> str:
    return f"{number} gradient{'s' * (number != 1)}"


def _is_same(one: str, other: str, paths: Collection[str]) -> bool:
    """Whether two names are of one gradient: the same, or the one after the other, or both after one argument."""
    if one == other or is_named_after(one, other) or is_named_after(other, one):
        return True
    return any(is_named_after(one, path) and is_named_after(other, path) for path in paths)


def _dtype_of(gradient: str, dtypes: Mapping[str, str]) -> str:
    """The dtype of the argument of which it is the gradient; empty if that is not known."""
    fitting = {dtype for path, dtype in dtypes.items() if is_named_after(gradient, path)} or set(dtypes.values())
    return fitting.pop() if len(fitting) == 1 else ""


def _unfit(answer: Returned, leader: Returned, name: str, dtypes: Mapping[str, str]) -> str:
    """Why an answer cannot be compared; empty if it can."""
    for one, array in answer.gradients.items():
        expected = leader.gradients[one]
        if array.shape != expected.shape:
            return f"{shown(one)} has shape {array.shape}, that of {name} {expected.shape}"
        dtype = _dtype_of(one, dtypes)
        if array.dtype.kind != "f":
            return f"{shown(one)} is of {array.dtype}, expected {dtype or 'float64 or float32'}"
        if dtype and array.dtype.itemsize < np.dtype(dtype).itemsize:
            return f"{shown(one)} is of {array.dtype}, expected {dtype}, as its argument is: it does not compute in it"
    widest = max((np.dtype(dtype) for dtype in dtypes.values()), key=lambda dtype: dtype.itemsize, default=None)
    loss = np.asarray(answer.loss)
    if loss.dtype.kind == "f" and widest and loss.dtype.itemsize < widest.itemsize:
        return f"its loss is of {loss.dtype}, expected {widest}, as its arguments are: it does not compute in it"
    for one, array in {"its loss": loss, **answer.gradients}.items():
        if not np.isfinite(array).all():
            place = tuple(int(index) for index in np.argwhere(~np.isfinite(array))[0])
            return f"{shown(one)}{list(place) if place else ''} is {array[place]}, expected a finite number"
    return ""
