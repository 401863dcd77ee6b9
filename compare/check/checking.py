"""Checks a derivation: is it right, and if not, on how small a problem does that show, and by which mistake?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...backends import FeedForward, Problem, RequestError
from ...backends.checks import require_dtype
from ...backends.models import Traced
from ..diagnosis import Findings, find_mistakes, wrong_values
from ..jobs import StageProgress
from ..mistakes import Diagnosis, values_of
from ..referee import Comparison, compare, compare_certified_if_possible
from ..systems import SEEDS, System, get_system
from ..systems.sizes import resized, with_seq_len
from .questions import Question, questions
from .repetition import asked_twice
from .results import Asked, Check
from .shrinking import find_smallest, on_smaller_sizes
from .smaller_problems import small_problems
from .unused_arrays import unused_arrays, unused_text
from .user_function import Derivation, Function

Ask = Callable[[Problem], Comparison]


def check_derivation(
    function: Function | Derivation,
    system: str | System | None = None,
    *,
    seeds: Sequence[int] = SEEDS,
    dtype: str = "float64",
    sizes: Sequence[int] | None = None,
    seq_len: int | None = None,
    scale: float = 1.0,
    ordinary_only: bool = False,
    cases: Sequence[Problem] = (),
    certify: bool | None = None,
    diagnosis: bool = True,
    name: str = "",
    progress: StageProgress = lambda stage: None,
) -> Check:
    """Judges a derivation by hand.

    It is called twice on every problem: on ordinary ones and then, with the numbers of the first seed, on confident
    predictions, exact zeros and ties, large gradients, a single sample and 60 steps. It is called here, in this
    process; `gradparity check` calls it in one of its own.

    Args:
        function: gets the parameters as a dict of arrays, the inputs (T, B, D), the targets and the initial state
            (B, H), and returns `(loss, gradients)` with the gradients as a dict of arrays of the parameters' shapes;
            see `gradparity.compare.check.user_function` for other networks. It may leave gradients out.
        system: a name from `gradparity systems`, or a System; None means `elman-softmax`.
        seeds: of the ordinary problems.
        dtype: of the problems, `float64` or `float32`.
        sizes: T, B, D, H and K in place of the system's; of a feed-forward network B and the sizes of its layers.
        seq_len: T in place of the system's.
        scale: a factor for all parameters, inputs and states.
        ordinary_only: leave out the problems with special numbers or sizes.
        cases: problems to ask in place of those of a system, and nothing else. They have one model.
        certify: measure it against the exact answer; None means if python-flint is installed and the problem is not
            too large.
        diagnosis: whether the mistake is looked for, if it is wrong.
        name: under which it is shown; empty means the function's `__name__`.
        progress: is called with what is being done.

    Returns:
        The check: its `verdict`, `rows()`, what was `asked`, the `smallest` problem on which it is wrong, and the
        `diagnosis`.

    Raises:
        RequestError: there is no such system, or it learns, or `function` cannot be called, or sizes do not fit.

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
    if not seeds:
        raise RequestError("no seed was given, expected at least one")
    derivation = function if isinstance(function, Derivation) else Derivation(function, name)
    if cases:
        if any(isinstance(case.model, Traced) for case in cases):
            raise RequestError(
                "a case of a recorded function has no network to derive by hand: compare its backends, by "
                "gradparity compare --case, or check the function itself"
            )
        if system is not None or sizes is not None or seq_len is not None or scale != 1:
            raise RequestError("a case has its model and numbers: expected no system, sizes or scale beside it")
        chosen, asked_for = _system_of(cases), [Question(_case_name(case), case, _system_of([case])) for case in cases]
    else:
        chosen = _chosen_system(system, sizes, seq_len)
        asked_for = questions(chosen, seeds=seeds, dtype=require_dtype(dtype).name, scale=scale)
        asked_for = [question for question in asked_for if question.is_ordinary or not ordinary_only]

    def ask(problem: Problem, certify: bool | None = certify) -> Comparison:
        """Compares it with the hand derivation, and with the exact answer if that is asked for, or possible."""
        if certify is None:
            return compare_certified_if_possible(problem, [derivation, "manual"])
        return compare(problem, [derivation, "manual"], certify=certify)

    asked = _asked(derivation, asked_for[:1], ask, progress)
    if unused := unused_arrays(derivation, asked[0].comparison):
        asked_for = [question.without(unused) for question in asked_for]
        asked = _asked(derivation, asked_for[:1], ask, progress)
    asked += _asked(derivation, asked_for[1:], ask, progress) if _can_go_on(derivation, asked[0]) else []
    not_asked = tuple(question.name for question in asked_for[len(asked) :])
    notes = tuple(unused_text(unused))
    check = Check(
        derivation.name, chosen.name, tuple(asked), not_asked, unused=unused, notes=notes, is_diagnosed=diagnosis
    )
    is_wrong = [one.comparison.has_wrong_numbers(derivation.name) for one in asked]
    if not_asked or not any(is_wrong):
        return replace(check, output=derivation.output)
    first = asked_for[is_wrong.index(True)]
    wrong = [one.comparison for one, wrong in zip(asked, is_wrong, strict=True) if wrong]
    ordinary = [one.comparison for one in asked if one.is_ordinary]
    # those that are right tell mistakes apart; special numbers are needed only where ordinary ones show nothing
    compared_with = ordinary if any(comparison in wrong for comparison in ordinary) else [wrong[0], ordinary[0]]
    answered = [comparison for comparison in compared_with if derivation.name in comparison.answers]
    answered.sort(key=lambda comparison: comparison not in wrong)  # a mistake shows on the wrong ones
    findings = Findings(Diagnosis())
    if diagnosis:
        progress("making every mistake of the catalogue, to see which gives these numbers")
        findings = find_mistakes(
            [(comparison.problem, values_of(comparison.answers[derivation.name])) for comparison in answered],  # type: ignore[arg-type]
            wrong_values([comparison for comparison in answered if comparison in wrong], derivation.name),
        )
    progress("looking for the smallest problem on which it is wrong")
    small = find_smallest(first.those_like(small_problems(chosen, seeds[0], dtype)), ask, derivation.name, findings)
    check = replace(check, small=small, diagnosis=findings.diagnosis, output=derivation.output)
    if not diagnosis:
        return check
    sizes_cut = on_smaller_sizes(
        first,
        lambda problem: ask(problem, False),
        derivation.name,
        seed=seeds[0],
        dtype=dtype,
        hints=not findings.diagnosis.suspects and all(comparison in wrong for comparison in ordinary),
    )
    return replace(check, cut=sizes_cut, output=derivation.output)


def _asked(derivation: Derivation, asked_for: Sequence[Question], ask: Ask, progress: StageProgress) -> list[Asked]:
    """What a derivation answers, until it takes too long or cannot be reproduced."""
    asked: list[Asked] = []
    for question in asked_for:
        progress(f"asking {derivation.name}: {question.name}")
        asked.append(asked_twice(derivation, question.problem, question.name, ask, is_ordinary=question.is_ordinary))
        if not _can_go_on(derivation, asked[-1]):
            break
    return asked


def _can_go_on(derivation: Derivation, last: Asked) -> bool:
    return not derivation.timed_out and last.verdict != "not reproducible"


def _chosen_system(system: str | System | None, sizes: Sequence[int] | None, seq_len: int | None) -> System:
    """The system in the sizes that were asked for."""
    chosen = system if isinstance(system, System) else get_system(system or "elman-softmax")
    if chosen.training:
        single = "mlp" if isinstance(chosen.model, FeedForward) else "elman-softmax"
        raise RequestError(f"{chosen.name} learns: a derivation is checked on a single gradient, such as {single}")
    if sizes is not None and seq_len is not None:
        raise RequestError("sizes and seq_len were given, expected one of them: T is the first of the sizes")
    if sizes is not None:
        return resized(chosen, sizes)
    return chosen if seq_len is None else with_seq_len(chosen, seq_len)


def _case_name(case: Problem) -> str:
    return f"case {case.fingerprint[:12]}"


def _system_of(cases: Sequence[Problem]) -> System:
    """A system with the model and the sizes of the first case."""
    first = cases[0]
    for case in cases:
        if case.model != first.model:
            both = f"{first.model.summary} and {case.model.summary}"
            raise RequestError(f"the cases have two models, expected one: {both}")
    lengths = None if first.lengths is None else tuple(map(int, first.lengths))
    name = _case_name(first) if len(cases) == 1 else f"{len(cases)} cases"
    sizes = {"seq_len": first.seq_len, "batch_size": first.batch_size, "lengths": lengths}
    return System(name, first.model.summary, (), first.model, **sizes)  # type: ignore[arg-type]
