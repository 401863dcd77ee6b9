"""NumPy's products of vectors, matrices and tensors, and its linear algebra, on recorded arrays.

All products are one primitive, that of matrices: what else they do is to move numbers about and to sum.
"""

from __future__ import annotations

from itertools import count
from math import prod
from typing import Any

import numpy as np

from .array import RecordedArray, as_recorded, decide, plain
from .entrywise import computed
from .movement import of_one_dtype
from .own_values import composed
from .recorder import IMPLEMENTED, implements, refused

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@implements(np.matmul, np.linalg.matmul)
def matmul(one: Any, other: Any, **_: Any) -> Any:
    """a @ b, of vectors, matrices or stacks of matrices."""
    one, other = of_one_dtype([one, other])
    if not (one.ndim and other.ndim):
        raise ValueError("matmul: an operand has no axis, expected at least one")
    result = np.matmul(one.numbers, other.numbers)
    left = one[None] if one.ndim == 1 else one
    right = other[:, None] if other.ndim == 1 else other
    axes = max(left.ndim, right.ndim)
    left, right = (stack[(None,) * (axes - stack.ndim)] for stack in (left, right))
    matrix = np.matmul(left.numbers, right.numbers)
    recorded = computed("matmul", matrix, left, right, entrywise=False)
    return recorded.reshape(np.shape(result))[()] if np.shape(result) != matrix.shape else recorded


@composed(np.dot)
def dot(one: Any, other: Any, **_: Any) -> Any:
    """The sum over the last axis of a and the last but one of b."""
    one, other = as_recorded(one), as_recorded(other)
    if not (one.ndim and other.ndim):
        return one * other
    if other.ndim < 3 and one.ndim < 3:
        return matmul(one, other)
    return np.tensordot(one, other, axes=(-1, -2 if other.ndim > 1 else -1))


@composed(np.inner)
def inner(one: Any, other: Any) -> Any:
    """The sum over the last axes."""
    one, other = as_recorded(one), as_recorded(other)
    return one * other if not (one.ndim and other.ndim) else np.tensordot(one, other, axes=(-1, -1))


@composed(np.vdot)
def vdot(one: Any, other: Any) -> Any:
    """The sum of all products of entries."""
    return matmul(np.ravel(as_recorded(one)), np.ravel(as_recorded(other)))


@composed(np.linalg.vecdot, np.vecdot)
def vecdot(one: Any, other: Any, axis: int = -1, **_: Any) -> Any:
    """The sum of products along an axis."""
    return np.sum(as_recorded(one) * as_recorded(other), axis=axis)


@composed(np.outer, np.linalg.outer)
def outer(one: Any, other: Any, **_: Any) -> Any:
    """Every product of two entries."""
    return np.ravel(as_recorded(one))[:, None] * np.ravel(as_recorded(other))[None, :]


@composed(np.kron)
def kron(one: Any, other: Any) -> Any:
    """Blocks of b, each times an entry of a."""
    one, other = as_recorded(one), as_recorded(other)
    axes = max(one.ndim, other.ndim)
    one, other = (array[(None,) * (axes - array.ndim)] for array in (one, other))
    outer_axes, inner_axes = (slice(None), None) * axes, (None, slice(None)) * axes
    shape = [m * n for m, n in zip(one.shape, other.shape, strict=True)]
    return (one[outer_axes] * other[inner_axes]).reshape(shape)


@composed(np.cross, np.linalg.cross)
def cross(one: Any, other: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    """The vector product of three-vectors."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_recorded(one), axisa, 0), np.moveaxis(as_recorded(other), axisb, 0)
    if len(a) != 3 or len(b) != 3:
        raise refused("np.cross of other than three-vectors cannot be followed")
    parts = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    return np.moveaxis(np.stack(parts), 0, axisc)


@composed(np.trace)
def trace(array: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, **_: Any) -> Any:
    """The sum of the diagonal."""
    return np.sum(np.diagonal(as_recorded(array), offset, axis1, axis2), axis=-1)


@composed(np.tensordot, np.linalg.tensordot)
def tensordot(one: Any, other: Any, axes: Any = 2) -> Any:
    """The sum over pairs of axes."""
    one, other = as_recorded(one), as_recorded(other)
    if isinstance(axes, (int, np.integer)):
        pairs: Any = (range(one.ndim - int(axes), one.ndim), range(int(axes)))
    else:
        pairs = tuple([one_axis] if isinstance(one_axis, (int, np.integer)) else one_axis for one_axis in axes)
    left, right = list(LETTERS[: one.ndim]), list(LETTERS[one.ndim : one.ndim + other.ndim])
    for i, j in zip(*pairs, strict=True):
        right[j] = left[i]
    kept = [letter for letter in left + right if (letter in left) != (letter in right)]
    return einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", one, other)


@composed(np.einsum)
def einsum(subscripts: Any, *arrays: Any, optimize: Any = False, **_: Any) -> Any:
    """A sum of products by Einstein's convention, pair by pair."""
    if not isinstance(subscripts, str):
        subscripts, arrays = _as_string(subscripts, *arrays)
    operands = [as_recorded(array) for array in arrays]
    inputs, output = _subscripts(subscripts.replace(" ", ""), [array.ndim for array in operands])
    terms = [_without_repeats(letters, array) for letters, array in zip(inputs, operands, strict=True)]
    while len(terms) > 1:
        (a, one), (b, other), *rest = terms
        wanted = set(output).union(*(letters for letters, _ in rest))
        terms = [_product(a, one, b, other, wanted), *rest]
    ((letters, array),) = terms
    array = _summed(letters, array, set(output))
    letters = "".join(letter for letter in letters if letter in output)
    return np.transpose(array, [letters.index(letter) for letter in output]) if letters else array


def _as_string(*arguments: Any) -> tuple[str, tuple[Any, ...]]:
    """Arrays and lists of axes in turn, and perhaps the result's axes, as a string and the arrays."""

    def text(axes: Any) -> str:
        return "".join("..." if axis is Ellipsis else LETTERS[axis] for axis in axes)

    pairs = len(arguments) // 2
    output = f"->{text(arguments[-1])}" if len(arguments) % 2 else ""
    return ",".join(map(text, arguments[1 : 2 * pairs : 2])) + output, arguments[: 2 * pairs : 2]


def _subscripts(subscripts: str, axes: list[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with letters in the place of an ellipsis."""
    left, arrow, output = subscripts.partition("->")
    inputs = left.split(",")
    free = (letter for letter in LETTERS if letter not in subscripts)
    most = max((n - len(term) + 3 for term, n in zip(inputs, axes, strict=True) if "..." in term), default=0)
    dots = "".join(next(free) for _ in range(most))
    for number, (term, n) in enumerate(zip(inputs, axes, strict=True)):
        if "..." in term:
            inputs[number] = term.replace("...", dots[len(dots) - (n - len(term) + 3) :])
    if arrow:
        return inputs, output.replace("...", dots)
    everything = "".join(inputs)
    once = sorted(letter for letter in set(everything) - set(dots) if everything.count(letter) == 1)
    return inputs, dots + "".join(once)


def _without_repeats(letters: str, array: RecordedArray) -> tuple[str, RecordedArray]:
    """The diagonal, where a letter stands twice in one operand."""
    for letter in letters:
        while letters.count(letter) > 1:
            i = letters.index(letter)
            j = letters.index(letter, i + 1)
            array = IMPLEMENTED[np.diagonal](array, 0, i, j)
            letters = letters[:i] + letters[i + 1 : j] + letters[j + 1 :] + letter
    return letters, array


def _summed(letters: str, array: RecordedArray, wanted: set[str]) -> RecordedArray:
    axes = tuple(axis for axis, letter in enumerate(letters) if letter not in wanted)
    return np.sum(array, axis=axes) if axes else array


def _product(a: str, one: RecordedArray, b: str, other: RecordedArray, wanted: set[str]) -> tuple[str, RecordedArray]:
    """Two operands as a product of matrices: the axes of both that stay, of the first, of the second, and the sum's."""
    one = _summed(a, one, wanted | set(b))
    a = "".join(letter for letter in a if letter in wanted or letter in b)
    other = _summed(b, other, wanted | set(a))
    b = "".join(letter for letter in b if letter in wanted or letter in a)
    both = [letter for letter in a if letter in b and letter in wanted]
    summed = [letter for letter in a if letter in b and letter not in wanted]
    left = [letter for letter in a if letter not in b]
    right = [letter for letter in b if letter not in a]
    sizes = {
        letter: size
        for letter, size in (*zip(a, one.shape, strict=True), *zip(b, other.shape, strict=True))
        if size != 1
    }

    def arranged(letters: str, array: Any, *groups: list[str]) -> Any:
        turned = np.transpose(array, [letters.index(letter) for group in groups for letter in group])
        full = np.broadcast_to(turned, [sizes.get(letter, 1) for group in groups for letter in group])
        return full.reshape([prod(sizes.get(letter, 1) for letter in group) for group in groups])

    if not summed:
        first = np.transpose(one, [a.index(letter) for letter in both + left])
        second = np.transpose(other, [b.index(letter) for letter in both + right])
        first = first[(..., *[None] * len(right))]
        second = second[(*[slice(None)] * len(both), *[None] * len(left), ...)]
        return "".join(both + left + right), first * second
    matrix = matmul(arranged(a, one, both, left, summed), arranged(b, other, both, summed, right))
    letters = both + left + right
    return "".join(letters), matrix.reshape([sizes.get(letter, 1) for letter in letters])


# Linear algebra


@implements(np.linalg.inv)
def inv(matrix: Any) -> Any:
    """The inverse."""
    source = as_recorded(matrix)
    return computed("inverse", np.linalg.inv(source.numbers), source, entrywise=False)


@composed(np.linalg.solve)
def solve(matrix: Any, right: Any) -> Any:
    """A⁻¹ b."""
    one, other = of_one_dtype([matrix, right])
    return matmul(inv(one), other)


@implements(np.linalg.slogdet)
def slogdet(matrix: Any) -> Any:
    """The determinant's sign, which is plain, and the logarithm of its magnitude."""
    source = as_recorded(matrix)
    sign, logarithm = np.linalg.slogdet(source.numbers)
    result = computed("logdet", logarithm, source, entrywise=False)
    return type(np.linalg.slogdet(np.eye(1)))(sign, result)


@composed(np.linalg.det)
def det(matrix: Any) -> Any:
    """The determinant."""
    sign, logarithm = slogdet(matrix)
    return sign * np.exp(logarithm)


@implements(np.linalg.cholesky)
def cholesky(matrix: Any, *, upper: bool = False) -> Any:
    """The lower triangle L of A = L Lᵀ."""
    source = as_recorded(matrix)
    result = computed("cholesky", np.linalg.cholesky(source.numbers), source, entrywise=False)
    return np.swapaxes(result, -1, -2) if upper else result


@composed(np.linalg.pinv)
def pinv(a: Any) -> Any:
    """The pseudo-inverse of a matrix of full rank: Aᵀ (A Aᵀ)⁻¹, or (Aᵀ A)⁻¹ Aᵀ."""
    source = as_recorded(a)
    rows, columns = source.shape[-2:]
    if np.any(np.linalg.matrix_rank(source.numbers) < min(rows, columns)):
        raise refused("np.linalg.pinv of a matrix without full rank cannot be followed")
    turned = np.swapaxes(source, -1, -2)
    if rows <= columns:
        return matmul(turned, inv(matmul(source, turned)))
    return matmul(inv(matmul(turned, source)), turned)


@composed(np.linalg.norm)
def norm(array: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:  # as in NumPy
    """The norm of vectors; of matrices Frobenius', and that of the largest row or column."""
    source = as_recorded(array)
    is_vector = isinstance(axis, (int, np.integer)) or (axis is None and source.ndim == 1)
    if ord in (None, "fro") or (ord == 2 and is_vector):
        return np.sqrt(np.sum(source * source, axis=axis, keepdims=keepdims))
    if ord == 1 and is_vector:
        return np.sum(np.abs(source), axis=axis, keepdims=keepdims)
    if ord in (np.inf, -np.inf) and is_vector:
        extreme = np.max if ord > 0 else np.min
        return extreme(np.abs(source), axis=axis, keepdims=keepdims)
    if is_vector and isinstance(ord, (int, float)) and ord > 0:
        return np.sum(np.abs(source) ** ord, axis=axis, keepdims=keepdims) ** (1 / ord)
    if ord in (1, np.inf) and source.ndim == 2 and not keepdims:
        return np.max(np.sum(np.abs(source), axis=0 if ord == 1 else 1))
    raise refused(f"np.linalg.norm of order {ord} cannot be followed")


@composed(np.linalg.multi_dot)
def multi_dot(arrays: Any, **_: Any) -> Any:
    """A product of many matrices, from the left."""
    first, *others = arrays
    for other in others:
        first = dot(first, other)
    return first


@composed(np.linalg.matrix_power)
def matrix_power(matrix: Any, n: int) -> Any:
    """A matrix times itself."""
    source = inv(matrix) if n < 0 else as_recorded(matrix)
    result: Any = np.broadcast_to(np.eye(source.shape[-1], dtype=source.dtype), source.shape)
    for number in count():
        if number == abs(n):
            return result
        result = matmul(result, source) if number else source
    return result


@composed(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """A polynomial, of the coefficients from the highest."""
    result: Any = 0.0
    for coefficient in as_recorded(p):
        result = result * x + coefficient
    return result


@composed(np.convolve)
def convolve(one: Any, other: Any, mode: str = "full") -> Any:
    """The sum of products of one sequence with the other, turned round and shifted."""
    one, other = of_one_dtype([one, other])
    if len(one) < len(other):
        one, other = other, one
    n, m = len(one), len(other)
    padded = np.concatenate([np.zeros(m - 1), one, np.zeros(m - 1)])
    full = matmul(padded[np.arange(n + m - 1)[:, None] + np.arange(m)], other[::-1])
    if mode == "full":
        return full
    first, length = ((m - 1) // 2, n) if mode == "same" else (m - 1, n - m + 1)
    return full[first : first + length]


@composed(np.correlate)
def correlate(one: Any, other: Any, mode: str = "valid") -> Any:
    """`convolve` without turning round."""
    return convolve(one, as_recorded(other)[::-1], mode)


@composed(np.interp)
def interp(x: Any, points: Any, values: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """The polygon through points; between which two an argument lies is a decision."""
    if period is not None:
        raise refused("np.interp with a period cannot be followed")
    x, points, values = as_recorded(x), as_recorded(points), as_recorded(values)
    after = np.clip(plain(decide(np.searchsorted, points, x)), 1, len(points) - 1)
    share = (x - points[after - 1]) / (points[after] - points[after - 1])
    inside = values[after - 1] + share * (values[after] - values[after - 1])
    low, high = values[0] if left is None else left, values[-1] if right is None else right
    return np.where(x < points[0], low, np.where(x > points[-1], high, inside))
