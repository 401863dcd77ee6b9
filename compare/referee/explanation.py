"""The report of a comparison that is no agreement: what, where, how bad, the limit, the next step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...backends import Evaluation
from ...backends.models import Traced
from ..answers import are_singles
from ..answers.digits import times
from ..tolerance import Reason
from .block_result import BlockResult, Truth
from .results import Comparison, Failure

MOST_LINES = 6
LEAST_CHOICE = 1e-3  # of a block's largest entry: derivatives that are chosen are further apart
KINK_OF_NETWORK = "a relu whose argument is 0 up to rounding"
KINK_OF_PROGRAM = "a maximum, a minimum, an abs or a comparison that is at its border up to rounding"
CAUSES = {  # of what cannot be decided, by the reason
    "rounding": "rounding alone",
    "kink": "{kink}, so that correct programs may take either side,",
    "underflow": "what is flushed to zero, or lost in another order, below the normal range of {dtype}",
    "cancellation": "cancellation in another way to write the same formula, as some frameworks write it,",
    "own formulas": "rounding in its own formulas",
    "overflow": "a number of the way back beyond the range of {dtype}",
}
REMEDIES = {"rounding": "smaller weights or fewer steps", "kink": "other numbers", "cancellation": "other numbers"}
REMEDIES |= {"underflow": "numbers of another size", "own formulas": "another way to write them"}
REMEDIES |= {"overflow": "smaller numbers"}
FLOAT32_IN_FLOAT64 = 2.0**29  # a unit in the last place of float32, in those of float64


def explain(comparison: Comparison, case: Path | None = None, *, next_step: str = "") -> str:
    """The report of a comparison, a line for each finding.

    Args:
        comparison: what is reported.
        case: the file in which the problem was saved.
        next_step: what to try next, if it is not to compare or to keep the case.

    Returns:
        The verdict, and who answered what; and of an agreement, what it does not show. If it is none, also which
        answers were refused, where the others differ, by how much of what rounding explains, and the next step.

    Examples:
        >>> from gradparity.compare import SYSTEMS, compare
        >>> problem = SYSTEMS["elman-softmax"].problem(seed=0)
        >>> print(explain(compare(problem, ["manual", "torch"])))  # doctest: +ELLIPSIS
        agree: manual, torch on rnn (tanh, softmax_cross_entropy), float64, T=12 B=3 D=4 H=8 K=5, case ...
    """
    lines = [headline(comparison), *findings(comparison)]
    if comparison.verdict != "agree":
        lines.append(next_step or _next_step(comparison, case))
    else:
        lines += [comparison.reservation] if comparison.reservation else []
        lines += [f"{line}." for line in not_given_lines(comparison).values()]
    return "\n".join(lines)


def not_given_lines(comparison: Comparison) -> dict[str, str]:
    """For each backend that left out a part of its answer, a line that says which, and that it was not compared."""
    lines = {name: f"{name} gave no {', '.join(labels)}: not compared" for name, labels in comparison.not_given.items()}
    for name in comparison.forward_only:
        answer = comparison.answers[name]
        assert isinstance(answer, Evaluation)
        compared = "loss and outputs were" if answer.outputs is not None else "the loss alone was"
        lines[name] = f"{name} gives forward values only: of its answers, {compared} compared"
    return lines


def findings(comparison: Comparison) -> list[str]:
    """Which answers were refused, where the others differ and by how much, a line each; none of an agreement.

    Args:
        comparison: what is reported.

    Returns:
        The lines of `explain` between the headline and the next step.
    """
    lines = [_failure(failure) for failure in comparison.failures]
    wrong = [block for block in comparison.blocks if block.verdict == "disagree"]
    if wrong and all(block.truth and len(block.truth.wrong) == len(block.truth.error) for block in wrong):
        agreed = all(len(block.groups) == 1 for block in wrong)
        lines.append("All of them are wrong" + (": what they agree on is not the truth." if agreed else "."))
    if wrong:
        worst = _worst_of_each_quantity(wrong)
        lines += [_difference(block) for block in worst[:MOST_LINES]]
        more = len(worst) - MOST_LINES
        lines += [f"… and {more} more {'quantity' if more == 1 else 'quantities'}."] if more > 0 else []
        lines += _hidden_float32(comparison, wrong)
        lines.append(_place(comparison, wrong))
    elif comparison.verdict == "undecidable":
        lines += _undecidable(comparison)
    return lines


def _hidden_float32(comparison: Comparison, wrong: Sequence[BlockResult]) -> list[str]:
    """A line where float32 explains every difference, and nothing else does the numbers of somebody who is wrong."""
    ratios = [block.ratio for block in wrong]
    if comparison.problem.dtype.name != "float64" or not max(ratios) > 1e3 or not max(ratios) <= FLOAT32_IN_FLOAT64:
        return []
    if any(block.likely_cause for block in wrong) or _names_another_mistake(comparison):
        return []
    suspected = _suspects(wrong)
    names = [
        name
        for name, answer in comparison.answers.items()
        if name in suspected and isinstance(answer, Evaluation) and any(map(are_singles, answer.gradients.values()))
    ]
    if not names:
        return []
    return [
        f"No difference is larger than rounding to float32 explains: {_in_words(names)} may compute in float32 inside."
    ]


def _names_another_mistake(comparison: Comparison) -> bool:
    """Whether a diagnosis has named anything but float32."""
    diagnoses = (comparison.diagnoses or {}).values()
    suspects = [suspect for diagnosis in diagnoses for suspect in (*diagnosis.suspects, *diagnosis.partly)]
    return any(not name.startswith("float32 inside") for suspect in suspects for name in suspect.mistakes)


def _failure(failure: Failure) -> str:
    end = "" if "\n" in failure.message else "."  # what stands in several lines ends with a line of a program
    return f"{failure.backend}: {failure.kind}: {failure.message}{end}"


def _next_step(comparison: Comparison, case: Path | None) -> str:
    if not case:
        return "Keep the case: --save-case DIR, or save_case=DIR."
    training = comparison.training
    how = f" --steps {training.steps} --learning-rate {training.learning_rate}" if training else ""
    how += f" --batch-size {training.batch_size}" if training and training.batch_size else ""
    return f"Try: gradparity compare --case {case}{how}"


def headline(comparison: Comparison) -> str:
    """The verdict, on whom, and on what, in a line."""
    problem = comparison.problem
    names = dict.fromkeys([*comparison.answers, *(failure.backend for failure in comparison.failures)])
    return f"{comparison.verdict}: {', '.join(names)} on {problem.summary}, case {problem.fingerprint[:12]}"


def _difference(block: BlockResult) -> str:
    if block.truth:
        return _certified_error(block, block.truth)
    if block.outliers:
        verb = "differs" if len(block.outliers) == 1 else "differ"
        who = f"{_in_words(block.outliers)} {verb} from {_in_words(block.groups[0])}"
    else:
        who = f"{_in_words([' = '.join(group) for group in block.groups])} differ"
    at = f" at {list(block.index)}" if block.index else ""
    parted = not block.outliers or len({*block.between} & {*block.outliers}) == 1
    cause = f" Likely cause: {block.likely_cause}." if block.likely_cause and parted else ""
    by = f"{block.difference:.1e}, {times(block.ratio)} times what rounding explains"
    return f"{block.label}: {who}{at}: {by}.{cause}{_choices_beside(block)}"


def _certified_error(block: BlockResult, truth: Truth) -> str:
    """A certified error: who is wrong, by how much, and who is right."""
    right = [name for name in truth.error if name not in truth.wrong]
    worst = max(truth.wrong, key=lambda name: truth.error[name])
    verb = "is" if len(truth.wrong) == 1 else "are"
    others = f"{_in_words(right)} {'is' if len(right) == 1 else 'are'} right" if right else "nobody is right"
    parted = worst in block.between and not {*block.between} <= {*truth.wrong}
    at = f" at {list(block.index)}" if block.index and parted else ""
    cause = f" Likely cause: {block.likely_cause}." if block.likely_cause and parted else ""
    by = f"{truth.error[worst]:.1e}, {times(truth.error[worst] / block.allowed)} times what rounding allows"
    wrong = f"{_in_words(truth.wrong)} {verb} wrong{at} by {by}"
    return f"{block.label}: {wrong}; {others} (certified).{cause}{_choices_beside(block)}"


def _choices_beside(block: BlockResult) -> str:
    """Of a block that disagrees, that some of its entries were not judged."""
    if not block.choices:
        return ""
    number = len(block.choices)
    entries = "1 other entry is" if number == 1 else f"{number} other entries are"
    return f" {entries} a choice at a kink, and not judged."


def _place(comparison: Comparison, wrong: Sequence[BlockResult]) -> str:
    """Where along time the first difference is, or that it is in no step."""
    if comparison.training:
        first = min(wrong, key=lambda block: block.step or 0)
        return f"The trajectories part at step {first.step}, first in {first.label}."
    forward = [block for block in wrong if block.quantity.symbol in ("o", "z") and not block.quantity.is_derivative]
    if forward:
        return f"The forward pass differs already, first in {forward[0].label}."
    if final_states := [block.label for block in wrong if block.quantity.index == "n"]:
        verb = "differs" if len(final_states) == 1 else "differ"
        return f"The outputs agree, but after the last step {_in_words(final_states)} {verb}."
    checked = _forward_values(comparison, wrong)
    agrees = f"{checked} agrees. " if checked else ""
    if any(block.name == "loss" for block in wrong):
        if agrees:
            return "The outputs agree, but the loss differs."
        return "The loss differs already: look at the forward pass first, and at the loss itself."
    if isinstance(comparison.problem.model, Traced):  # whose inner variables have no names
        return agrees.rstrip()
    backward = [block for block in wrong if block.quantity.is_adjoint]
    if backward:
        return f"{agrees}Going backwards, first in {min(backward, key=_turn).label}."
    inputs = [block for block in wrong if block.name == "dx_t"]
    if inputs:
        last = max(inputs, key=lambda block: block.step or 0)
        return f"{agrees}Going backwards, the gradient of the inputs differs first in {last.label}."
    variables = set(comparison.problem.model.variables(*comparison.problem.leading))
    traced = {name for name, answer in comparison.answers.items() if variables <= {*getattr(answer, "adjoints", ())}}
    if _suspects(wrong) <= traced:
        and_ = f"{checked} and the" if checked else "The"
        return f"{and_} adjoints of every step agree: look at how the gradient is summed from them."
    return f"{agrees}With all adjoints it would be known whether a step is wrong, and which is the first."


def _forward_values(comparison: Comparison, wrong: Sequence[BlockResult]) -> str:
    """What was compared of the forward pass of those who differ, where no difference was found in it."""
    answers = [comparison.answers[name] for name in _suspects(wrong)]
    if all(getattr(answer, "outputs", None) is not None for answer in answers):
        return "The forward pass"
    differs = any(block.name == "loss" for block in wrong)
    return "" if differs or any(np.isnan(answer.loss) for answer in answers) else "The loss"


def _suspects(wrong: Sequence[BlockResult]) -> set[str]:
    """Those who are wrong in some block, or who differ there if nobody knows who is wrong."""
    return {name for block in wrong for name in block.outliers or block.distance_ulp}


def _turn(block: BlockResult) -> tuple[int, ...]:
    """When the backward pass comes to an adjoint: read-out first, top layer first, and against the order of time."""
    name, step = block.quantity, block.step or 0
    layer = -(name.layer or name.number or 0)
    return (name.symbol != "o", layer, step if name.reverse else -step, "ohcaz".index(name.symbol))


def _undecidable(comparison: Comparison) -> list[str]:
    undecided = [block for block in comparison.blocks if block.verdict == "undecidable"]
    dtype = comparison.number_format
    if comparison.overflows:
        return [f"The numbers leave the range of {dtype}. Smaller weights or fewer steps can be decided."]
    if comparison.training:
        first = min(undecided, key=lambda block: block.step or 0)
        return [
            f"{first.label}: {_moved(comparison, first)}.",
            f"Up to step {(first.step or 1) - 1} the trajectories agree; after it nothing can be decided in {dtype}.",
        ]
    certified = [block for block in undecided if block.truth]
    if certified:
        return _beyond_limit(comparison, certified)
    worst: dict[Reason, BlockResult] = {}
    for block in sorted(undecided, key=lambda block: block.spread / block.scale if block.scale else 0.0):
        worst[block.reason] = block
    counts = Counter(block.reason for block in undecided)
    lines = [
        f"{block.label}: {_moved(comparison, block)}; so {counts[reason]} of {len(comparison.blocks)} blocks."
        for reason, block in worst.items()
    ]
    if "kink" in worst and isinstance(comparison.problem.model, Traced):
        lines += _choices(comparison, worst["kink"])
    can = " or ".join(dict.fromkeys(REMEDIES[reason] for reason in worst))
    can += ", or float64," if dtype == "float32" else ", or float32," if comparison.precision else ""
    return [*lines, f"Nothing can be decided there in {dtype}: {can} can."]


def _choices(comparison: Comparison, block: BlockResult) -> list[str]:
    """What everybody chose as a derivative at a kink, in the entry where they are furthest apart."""
    chosen = {
        name: np.asarray(answer.gradients[block.name.removeprefix("d")])
        for name, answer in comparison.answers.items()
        if isinstance(answer, Evaluation) and block.name.removeprefix("d") in answer.gradients
    }
    if len({array.shape for array in chosen.values()}) != 1:
        return []
    answered = np.stack(list(chosen.values()))
    apart = np.ptp(answered, axis=0)
    place = np.unravel_index(np.argmax(apart), apart.shape)
    if not apart[place] > LEAST_CHOICE * np.abs(answered).max(initial=0):
        return []
    values = ", ".join(f"{name} {array[place]:.6g}" for name, array in chosen.items())
    return [f"The derivative there is a choice: at {[int(i) for i in place]} of {block.label}, {values}."]


def _moved(comparison: Comparison, block: BlockResult) -> str:
    """By what and how far a block is moved that cannot be decided."""
    problem = comparison.problem
    kink = KINK_OF_PROGRAM if isinstance(problem.model, Traced) else KINK_OF_NETWORK
    cause = CAUSES[block.reason].format(dtype=comparison.number_format, kink=kink)
    if not np.isfinite(block.spread):
        return f"{cause} changes it"
    if block.choices:
        some = "1 entry" if len(block.choices) == 1 else f"{len(block.choices)} entries"
        return f"{cause} moves {some} of it by up to {block.spread:.1e}, and the others agree"
    return f"{cause} moves it by {block.spread:.1e}, its largest entry is {block.scale:.1e}"


def _beyond_limit(comparison: Comparison, blocks: Sequence[BlockResult]) -> list[str]:
    """The largest certified error among answers that rounding, or what goes with it, has spoilt."""
    truths = {block.label: block.truth for block in blocks if block.truth}
    label = max(truths, key=lambda name: max(truths[name].error.values()) / (truths[name].scale or 1.0))
    truth = truths[label]
    block = next(block for block in blocks if block.label == label)
    who = _in_words(truth.beyond_limit)
    verb = "is" if len(truth.beyond_limit) == 1 else "are"
    return [
        f"{label}: {who} {verb} off by {max(truth.error.values()):.1e}, and the largest exact entry is "
        f"{truth.scale:.1e} (certified), in {len(blocks)} of {len(comparison.blocks)} blocks.",
        f"It may be no error: {_moved(comparison, block)}.",
    ]


def _worst_of_each_quantity(blocks: Sequence[BlockResult]) -> list[BlockResult]:
    worst: dict[str, BlockResult] = {}
    for block in blocks:
        if block.name not in worst or block.ratio > worst[block.name].ratio:
            worst[block.name] = block
    return list(worst.values())


def _in_words(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
