"""The certificate: a rigorous enclosure of the exact loss and of every exact derivative.

A problem's numbers are taken for exactly what they are. The tape of balls encloses what follows from them in exact
arithmetic: ball arithmetic by Arb (F. Johansson, Arb: efficient arbitrary-precision midpoint-radius interval
arithmetic, 2017). Precision rises by itself until the enclosures are far narrower than the dtype's rounding. An answer
is then measured against the exact one, and not against the other backends.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from math import ceil, prod

import numpy as np

from ...backends import Evaluation, FeedForward, OrderedSystem, Problem, Recurrent, RequestError
from ...backends.frameworks.loading import require
from ...backends.models.traced import Operation, Traced
from ..answers import Quantity, Training, follow, quantities, training_quantities
from ..definitions import CELLS, differentiate, number_of_cells
from ..jobs import ShareProgress

FIRST_BITS = 128
MAX_BITS = 1 << 15
MAX_RADIUS = 2.0**-10  # of a ball, in units of eps times the block's largest entry
MAX_SECONDS = 300.0
SPARE_BITS = 16  # beyond those that were missing: radii do not shrink by exactly one half a bit
FIRST_PASS_SHARE = 0.9  # of the progress, for the first precision: it is enough for most problems
SECONDS_PER_PRODUCT = 4e-7  # of two balls at the first precision, all overhead included; a rough measurement


class UncertifiableError(RequestError):
    """There is no enclosure: the problem has no definition on the tape, or it would take too long."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """An enclosure of the exact answer.

    Attributes:
        exact: every quantity of an answer, as blocks of balls.
        bits: the precision of the balls.
    """

    exact: dict[str, Quantity]
    bits: int

    def errors(self, name: str, answered: Quantity) -> np.ndarray:
        """An upper bound of the true error of every entry of an answer.

        Args:
            name: of the quantity.
            answered: the quantity of the answer.

        Returns:
            (blocks, entries) floats; infinity where a number is not finite.
        """
        from flint import arb, ctx

        with ctx.workprec(self.bits):
            return np.array(
                [
                    [
                        _upper((arb(float(value)) - ball).abs_upper()) if np.isfinite(value) else np.inf
                        for value, ball in zip(values, balls, strict=True)
                    ]
                    for values, balls in zip(answered.blocks, self.exact[name].blocks, strict=True)
                ]
            )

    def scale(self, name: str) -> np.ndarray:
        """The magnitude of the largest exact entry of each block, (number of blocks,)."""
        return np.array([max(_upper(ball.abs_upper()) for ball in block) for block in self.exact[name].blocks])


def certify(
    problem: Problem, training: Training | None = None, progress: ShareProgress = lambda part: None
) -> Certificate:
    """Encloses the exact answer.

    Args:
        problem: the model with its numbers.
        training: how the system learns; then the trajectory is enclosed.
        progress: is called now and then with the share of the work that is done.

    Returns:
        An enclosure whose radii are far below a unit in the last place of the problem's dtype.

    Raises:
        MissingFrameworkError: python-flint is not installed.
        UncertifiableError: the cell has no definition here, it would take too long, or no precision is enough.

    Example:
        >>> from gradparity.backends import get_backend
        >>> from gradparity.compare import SYSTEMS
        >>> from gradparity.compare.answers import quantities
        >>> problem = SYSTEMS["logistic-regression"].problem(seed=0)
        >>> answered = quantities(get_backend("manual").evaluate(problem), problem)
        >>> certificate = certify(problem)
        >>> bool(certificate.errors("dW1", answered["dW1"]).max() < 1e-14 * certificate.scale("dW1")[0])
        True
    """
    require("flint", needed_by="--certify", extra="certify", package="python-flint")
    from flint import ctx

    from ...backends.tracing.replay_balls import OtherBranchError, UndecidedError

    if isinstance(problem.model, Recurrent) and problem.model.cell not in CELLS:
        raise UncertifiableError(f"the certificate has no definition of the cell {problem.model.cell!r}")
    seconds = SECONDS_PER_PRODUCT * number_of_products(problem) * (training.steps if training else 1)
    undecided: UndecidedError | None = None
    bits, left = FIRST_BITS, 1.0  # `left` of the progress
    missing = np.inf
    while bits <= MAX_BITS:
        if seconds > MAX_SECONDS:
            raise UncertifiableError(
                f"too large to certify: about {seconds / 60:.0f} minutes at {bits} bits, expected at most "
                f"{MAX_SECONDS / 60:.0f}; take fewer steps, sequences or units"
            )
        started = time.monotonic()

        def advance(part: float, left: float = left) -> None:
            progress(1 - left * (1 - FIRST_PASS_SHARE * part))

        with ctx.workprec(bits):
            try:
                exact = _enclose_trajectory(problem, training, advance) if training else _enclose(problem, advance)
            except OtherBranchError as error:
                raise UncertifiableError(str(error)) from error
            except UndecidedError as error:
                exact, undecided = {}, error
            before, missing = missing, _missing_bits(exact, problem.dtype) if exact else np.inf
        if not missing:
            return Certificate(exact, bits)
        is_far = missing > bits or missing >= before  # a slope at a tie is no narrower in more bits
        more = 2 * bits if is_far else 64 * ceil((bits + missing + SPARE_BITS) / 64)
        seconds = 3 * (time.monotonic() - started) * more / (2 * bits)
        bits, left = more, left * (1 - FIRST_PASS_SHARE)
    if undecided is not None:
        raise UncertifiableError(f"{undecided}, at no precision up to {MAX_BITS} bits")
    raise UncertifiableError(f"no precision up to {MAX_BITS} bits is enough for this problem")


def number_of_products(problem: Problem) -> float:
    """Roughly how many products of two numbers an enclosure takes, forward and backward."""
    model = problem.model
    match model:
        case Recurrent():
            weights = sum(array.size for array in problem.params.values()) / len(model.places)
            return 3.0 * number_of_cells(problem) * problem.batch_size * weights
        case FeedForward():
            return 3.0 * problem.batch_size * sum(array.size for array in problem.params.values())
        case OrderedSystem():
            return 3.0 * model.size**2
        case Traced():
            return sum(map(_products, model.operations))


def _products(operation: Operation) -> float:
    """Of a recorded operation: products of matrices go through Arb's own, whose products take a tenth of the time."""
    if operation.primitive == "matmul":
        return 0.3 * prod(operation.shape) * operation.operands[0].shape[-1]
    return 3.0 * prod(operation.shape)


def _enclose(problem: Problem, progress: ShareProgress) -> dict[str, Quantity]:
    """Every quantity of an answer, in balls of the precision that is set."""
    from ..definitions.balls import Balls

    return quantities(differentiate(problem, Balls(), progress), problem)


def _enclose_trajectory(problem: Problem, training: Training, progress: ShareProgress) -> dict[str, Quantity]:
    """The loss and the parameters at every step, in balls of the precision that is set."""
    from ..definitions.balls import Balls

    balls = Balls()

    def evaluate(batch: Problem, step: int) -> Evaluation:
        progress((step - 1) / (training.steps + 1))
        return differentiate(batch, balls)

    def descend(
        params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
    ) -> dict[str, np.ndarray]:
        rate = balls.constants(problem.dtype.type(learning_rate))  # a number of the dtype, as in every backend
        return {name: theta - rate * gradients[name] for name, theta in params.items()}

    start = problem.with_unchecked(params={name: balls.constants(array) for name, array in problem.params.items()})
    return training_quantities(follow(start, training, evaluate, descend))


def _missing_bits(exact: dict[str, Quantity], dtype: np.dtype) -> float:
    """How many bits more it takes until every ball is far narrower than a unit in the last place of its block.

    0 if every one is. It is told in balls: of a block near the dtype's smallest number, that width is no float.
    """
    from flint import arb

    tiny = arb(float(np.finfo(dtype).tiny))
    part = arb(MAX_RADIUS * float(np.finfo(dtype).eps))
    missing = 0.0
    for quantity in exact.values():
        for block in quantity.blocks:
            scale = reduce(arb.max, (arb(ball.abs_lower()) for ball in block), tiny)
            widest = reduce(arb.max, (arb(ball.rad()) for ball in block))
            if not all(ball.is_finite() for ball in block):
                return np.inf
            if not widest <= part * scale:
                missing = max(missing, 1.0, float((widest / (part * scale)).log() / arb(2).log()))
    return missing


def _upper(ball: object) -> float:
    """A float that is no smaller than a ball of radius zero; infinity if that is not finite."""
    if ball.is_zero():  # type: ignore[attr-defined]
        return 0.0
    return float(np.nextafter(float(ball), np.inf))  # type: ignore[arg-type] # float() rounds to nearest
