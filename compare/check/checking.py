"""Checks a derivation: is it right, and if not, on how small a problem does that show, and by which mistake?"""

from __future__ import annotations

from collections.abc import Sequence

from ...backends import Problem, RequestError
from ..diagnosis import find_mistakes, wrong_values
from ..jobs import StageProgress
from ..mistakes import values_of
from ..referee import Comparison, compare, compare_certified_if_possible
from ..systems import SEEDS, System, get_system
from .results import Check
from .shrinking import find_smallest, on_smaller_sizes
from .smaller_problems import small_problems
from .user_function import Derivation, Function


def check_derivation(
    function: Function,
    system: str | System = "elman-softmax",
    *,
    seeds: Sequence[int] = SEEDS,
    dtype: str = "float64",
    certify: bool | None = None,
    name: str = "",
    progress: StageProgress = lambda stage: None,
) -> Check:
    """Judges a derivation by hand.

    Args:
        function: gets the parameters as a dict of arrays, the inputs (T, B, D), the targets and the initial state
            (B, H), and returns `(loss, gradients)` with the gradients as a dict of arrays of the parameters' shapes;
            see `gradparity.compare.check.user_function` for other networks. It may leave gradients out.
        system: a name from `gradparity systems`, or a System.
        seeds: of the problems.
        dtype: of the problems, `float64` or `float32`.
        certify: measure it against the exact answer; None means if python-flint is installed and the problem is not
            too large.
        name: under which it is shown; empty means the function's `__name__`.
        progress: is called with what is being done.

    Returns:
        The check: its `verdict`, `rows()`, the `smallest` problem on which it is wrong, and the `diagnosis`.

    Raises:
        RequestError: there is no such system, or it learns, or `function` cannot be called.

    Examples:
        >>> import numpy as np
        >>> def mine(params, inputs, targets, h0):
        ...     h = [h0]
        ...     for x in inputs:
        ...         h.append(np.tanh(x @ params["U"].T + h[-1] @ params["W"].T + params["b"]))
        ...     do = [state @ params["V"].T + params["c"] - y for state, y in zip(h[1:], targets)]
        ...     loss = sum(0.5 * (error**2).sum() for error in do)
        ...     return loss, {"V": sum(error.T @ state for error, state in zip(do, h))}  # h_t has to be h[1:]
        >>> check = check_derivation(mine, "elman-squared-error", seeds=[0])
        >>> check.verdict, [row["quantity"] for row in check.rows() if row["verdict"] == "wrong"]
        ('disagree', ['dV'])
        >>> check.diagnosis.suspects[0].mistakes
        ('h_{t−1} for h_t in the read-out',)
    """
    chosen = get_system(system) if isinstance(system, str) else system
    if chosen.training:
        raise RequestError(f"{chosen.name} learns: a derivation is checked on a single gradient, such as elman-softmax")
    derivation = Derivation(function, name)
    if not seeds:
        raise RequestError("no seed was given, expected at least one")

    def ask(problem: Problem, certify: bool | None = certify) -> Comparison:
        """Compares it with the hand derivation, and with the exact answer if that is asked for, or possible."""
        if certify is None:
            return compare_certified_if_possible(problem, [derivation, "manual"])
        return compare(problem, [derivation, "manual"], certify=certify)

    comparisons = []
    for seed in seeds:
        progress(f"asking {derivation.name} on seed {seed}, and enclosing the exact answer")
        comparisons.append(ask(chosen.problem(seed=seed, dtype=dtype)))
    wrong = [comparison for comparison in comparisons if comparison.has_wrong_numbers(derivation.name)]
    if not wrong:
        return Check(derivation.name, chosen.name, tuple(comparisons))
    progress("making every mistake of the catalogue, to see which gives these numbers")
    answered = [comparison for comparison in comparisons if derivation.name in comparison.answers]
    answered.sort(key=lambda comparison: comparison not in wrong)  # a mistake shows on the wrong ones
    findings = find_mistakes(
        [(comparison.problem, values_of(comparison.answers[derivation.name])) for comparison in answered],  # type: ignore[arg-type]
        wrong_values(wrong, derivation.name),
    )
    progress("looking for the smallest problem on which it is wrong")
    small = find_smallest(small_problems(chosen, seeds[0], dtype), ask, derivation.name, findings)
    hints = not findings.diagnosis.suspects and len(wrong) == len(comparisons)
    sizes = on_smaller_sizes(
        chosen, lambda problem: ask(problem, False), derivation.name, seed=seeds[0], dtype=dtype, hints=hints
    )
    return Check(derivation.name, chosen.name, tuple(comparisons), small, sizes, findings.diagnosis)
