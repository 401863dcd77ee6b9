"""The specs of a problem's arrays: their shapes and values. Numbers are drawn from them and checked against them."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["number", "probability", "label"]


class ArraySpec(NamedTuple):
    """The shape and the values of one array.

    Attributes:
        shape: the array's.
        letters: the same in the mathematics' letters, such as `(T, B, D)`.
        kind: finite numbers, numbers in [0, 1], or integer labels.
        labels: how many labels there are.
    """

    shape: tuple[int, ...]
    letters: str
    kind: Kind = "number"
    labels: int = 0


class Variable(NamedTuple):
    """An inner variable of a model, which has an adjoint.

    Attributes:
        shape: the array's.
        steps: whether the first axis counts steps, of which each is judged on its own.
    """

    shape: tuple[int, ...]
    steps: bool


def target_spec(loss: str, leading: tuple[int, ...], letters: tuple[str, ...], output_size: int) -> ArraySpec:
    """The targets that a loss needs, for outputs of the shape (*leading, K)."""
    if loss == "softmax_cross_entropy":
        return ArraySpec(leading, _tuple(letters), "label", output_size)
    kind: Kind = "probability" if loss == "sigmoid_cross_entropy" else "number"
    return ArraySpec((*leading, output_size), _tuple((*letters, "K")), kind)


def _tuple(letters: tuple[str, ...]) -> str:
    return f"({', '.join(letters)}{',' if len(letters) == 1 else ''})"
