"""What was found, in the author's own words: the line, what stands there, and what should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

import numpy as np

from ..answers.digits import written_factor
from .derivatives import Candidate, Derivative
from .findings import Finding, Search, Stopped
from .forward_findings import BY_RECOMPUTING, ForwardFinding, ForwardFindings, findings_from
from .located import Located, located_at, located_from
from .loss_repairs import LossRepairs, loss_repairs_from
from .relations import relation
from .rounded_inside import IN_FLOAT32, Precision, precision_from, precision_of
from .source_text import argument_of_caller, expression, operand, returned_at, variable
from .written_program import WrittenProgram

AFTER_CHANGE = "Where the way back is wrong after that, told by experiments on its recording:"
LIKELY = "Likely places, by experiments on its recording, which do not put all right:"
BY_EXPERIMENT = "Where the way back is wrong, told by experiments on its recording:"


@dataclass(frozen=True)
class Layer:
    """What is said of one matter.

    Attributes:
        heading: what the places are.
        places: expressions of the source, in the order in which they were found.
        shown: what follows from them, in sentences.
    """

    heading: str
    places: tuple[Located | ForwardFinding, ...] = ()
    shown: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.heading, *map(str, self.places), *self.shown])

    def with_sentence(self, sentence: str) -> Layer:
        """The same, and one sentence more."""
        return replace(self, shown=(*self.shown, sentence))


def _sentences(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


@dataclass(frozen=True)
class Localization:
    """Where a function is wrong, in its source: what explains it, layer by layer.

    Attributes:
        located: the expressions, in the order in which they were found.
        shown: what the experiment has shown, in a sentence; empty if there is nothing.
        forward: where the experiments show nothing, what gives the returned gradients by the forward pass.
        precision: where it rounds to float32; what else is told is told of the same run in float64.
        is_whole: whether all that is wrong with the gradients is told.
        loss_repairs: what gives the right loss, if its own is another one.
        right_loss: which that is, such as `the loss of elman-softmax`.
    """

    located: tuple[Located, ...] = ()
    shown: str = ""
    forward: ForwardFindings = field(default_factory=ForwardFindings)
    precision: Precision = field(default_factory=Precision)
    is_whole: bool = False
    loss_repairs: LossRepairs = field(default_factory=LossRepairs)
    right_loss: str = ""

    def __str__(self) -> str:
        return "\n\n".join(self.paragraphs())

    def paragraphs(self) -> list[str]:
        """What is said of precision, the forward pass and the way back, each with its heading in the first line."""
        return list(map(str, self.layers()))

    def layers(self) -> list[Layer]:
        """What is said of precision, the forward pass and the way back, each as a heading, its places and sentences."""
        found = []
        if self.precision.located:
            found.append(Layer(IN_FLOAT32, self.precision.located, _sentences(self.precision.shown)))
        heading = self.loss_repairs.heading(self.right_loss)
        if self.loss_repairs.is_right and found:
            found[0] = found[0].with_sentence(heading)
        elif self.loss_repairs:
            found.append(Layer(heading, () if self.loss_repairs.is_right else self.loss_repairs.changes))
        if self.located or self.shown:
            way_back = AFTER_CHANGE if self.loss_repairs.changes else BY_EXPERIMENT if self.is_whole else LIKELY
            found.append(Layer(way_back, self.located, _sentences(self.shown)))
        elif self.loss_repairs.changes and self.is_whole:
            found[-1] = found[-1].with_sentence("With it, the way back as it stands gives the right gradients.")
        elif self.forward:
            found.append(Layer(BY_RECOMPUTING, self.forward.findings, self.forward.equal_in_words))
        return found

    def __bool__(self) -> bool:
        return bool(self.layers())


def localization_from(values: Mapping[str, Any]) -> Localization:
    """A localization out of the plain values of `dataclasses.asdict`."""
    located = map(located_from, values["located"])
    return Localization(
        tuple(located),
        str(values["shown"]),
        findings_from(values["forward"]),
        precision_from(values["precision"]),
        bool(values["is_whole"]),
        loss_repairs_from(values["loss_repairs"]),
        str(values["right_loss"]),
    )


def in_words(found: Search, program: WrittenProgram, elsewhere: Search | None = None) -> Localization:
    """What was found, to be shown.

    Args:
        found: what is wrong.
        program: the whole of it, with what is done in the end.
        elsewhere: what is wrong at other numbers, where what tells a value from the right one has to hold as well.

    Returns:
        The places, with their words.
    """
    if found.afterwards and _is_idle(found, program):
        found = found._replace(afterwards=())
    told = [(finding, relation(found, finding, elsewhere)) for finding in found.findings if finding.written.place]
    # where wrong numbers go in, it is no news that what is returned should be right
    located = [
        _located(found, one, words) for one, words in told if one.expected.derivative.place or one.is_entered_rightly
    ]
    is_whole = len(located) == len(found.findings)
    located = [*_other_units(found), *located, *_stopped(found)]
    shown = _shown(found, len(found.findings)) if is_whole else ""
    for place in reversed(found.afterwards):
        says = f"this changes all gradients in the end{_how(found, program)}"
        located.append(located_at(place, says, tuple(program.outputs)))
    nothing = list(_nothing_computed(found))
    located += [one for one in nothing if isinstance(one, Located)]
    sentences = [shown, *(one for one in nothing if isinstance(one, str))]
    if names := found.carried_to_missing:
        sentences.append(
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} carried up to the missing steps only."
        )
    if found.mean and any(one.written.place for one in found.findings):
        sentences.append(f"Here L is the loss before {expression(found.mean)}, line {found.mean.line}.")
    precision = precision_of(program)
    never = _never_computed(found)
    told_all = is_whole and _is_told(found) and all(name in never for name in found.left)
    return Localization(
        tuple(located), " ".join(filter(None, sentences)), precision=precision, is_whole=told_all or precision.is_all
    )


def _other_units(found: Search) -> Iterator[Located]:
    """Where the loss gets a factor that the gradients do not have."""
    if units := found.units:
        names = units.of_right
        by = f"divides the loss by {written_factor(1 / units.factor)}"
        if units.factor > 1:
            by = f"multiplies the loss by {written_factor(units.factor)}"
        are = "is that" if len(names) == 1 else "are those"
        says = f"this {by}, in the end, and not its gradients: {', '.join(names)} {are} of the loss before."
        yield located_at(units.place, says, names)


def _stopped(found: Search) -> list[Located]:
    """Where a sum over the steps leaves some out, once for all arrays that the same steps are missing of."""
    by_steps: dict[tuple[int, ...], list[Stopped]] = {}
    for one in found.stopped:
        by_steps.setdefault(one.expected.left_out, []).append(one)
    located = []
    for missing, stopped in by_steps.items():
        written, expected = stopped[0].written, stopped[0].expected
        if written.place is None:
            continue
        total = len(expected.derivative.values)
        which = ", ".join(str(step + 1) for step in missing)
        parts = f"the part of step {which} is" if len(missing) == 1 else f"the parts of the steps {which} are"
        says = (
            f"{expression(written.place)} is carried out {len(written.numbers)} times, and {total} steps of the loss "
            f"have a part in the sum: {parts} missing."
        )
        located.append(located_at(written.place, says, tuple(dict.fromkeys(one.name for one in stopped))))
    return located


def _located(found: Search, finding: Finding, told: str) -> Located:
    place = finding.written.place
    assert place
    should = _expected(finding.expected, finding.differs, found.program.code)
    says = f"{variable(place)[0] or expression(place)} should be {should}" + (f": {told}." if told else ".")
    return located_at(place, says, finding.repairs)


def _expected(expected: Candidate, differs: Sequence[bool], code: CodeType | None) -> str:
    """What an expression should be, and in which runs it is not."""
    words = _derivative(expected.derivative, code)
    if expected.last:
        return f"{words}, and dL/d({expected.last}) in the last run{_when(differs)}"
    beside = [step != -1 for step in expected.order]  # no step of the loss stands beside the others
    if all(beside):
        return f"{words}{_when(differs)}"
    which = "last" if beside[0] else "first"
    wrong = [one for one, is_beside in zip(differs, beside, strict=True) if is_beside]
    return f"{words} in all runs but the {which}{_when(wrong)}" if any(wrong) else f"0 in the {which} run"


def _shown(found: Search, told: int) -> str:
    """What the experiment has shown, with as many values put right."""
    left = [name for name in found.left if name not in _never_computed(found)]
    still = f"{', '.join(left)} {'is' if len(left) == 1 else 'are'} "
    repairing = [*found.findings, *found.behind_missing]
    if not repairing:
        after = "Before that" if found.afterwards else "Beside that"
        return f"{after}, {still}{'' if found.afterwards else 'still '}wrong." if left and _is_told(found) else ""
    repaired = dict.fromkeys(name for one in repairing for name in one.repairs if name not in found.left)
    stopped = {one.name for one in found.stopped}
    whole, in_parts = ([name for name in repaired if (name in stopped) is part] for part in (False, True))
    end = f"; {still}still wrong" if left else ""
    put = ["these values" if told > 1 else "this value"] if told else []
    put += ["what the missing steps carry on"] if found.behind_missing else []
    many = " and ".join(put)
    before = ", before what is done in the end," if found.afterwards else ""
    given = [", ".join(whole)] if whole else []
    given += [f"{', '.join(in_parts)} but for the missing parts"] if in_parts else []
    if not given:
        return f"With {many} put there, more is right{before or ','} but no array as a whole{end}."
    return f"With {many} put there, the way back as it stands gives{before} the right {', and '.join(given)}{end}."


def _is_told(found: Search) -> bool:
    """Whether something is said."""
    return bool(found.findings or found.behind_missing or found.stopped or found.afterwards or found.units)


def _never_computed(found: Search) -> dict[str, bool]:
    """The names of what is wrong and made by no operation, and whether it is made of arguments."""
    outputs = {name: found.program.outputs[name] for name in found.left}
    return {name: bool(one.origin.any()) for name, one in outputs.items() if not found.program.makers_of(one)}


def _nothing_computed(found: Search) -> Iterator[Located | str]:
    """What is never computed: where it is returned, and in a sentence what that cannot be told of."""
    never = _never_computed(found)
    for of_arguments, why in ((False, "depends on no argument"), (True, "is taken from the arguments as it stands")):
        names = [name for name, is_argument in never.items() if is_argument is of_arguments]
        places = {name: found.program.code and returned_at(found.program.code, name) for name in names}
        for name, place in places.items():
            if place:
                yield located_at(place, f"{name} is never computed: what is returned here {why}.", (name,))
        if others := [name for name, place in places.items() if not place]:
            verb = "is" if len(others) == 1 else "are"
            yield f"{', '.join(others)} {verb} never computed: what is returned {why}."


def _how(found: Search, program: WrittenProgram) -> str:
    """What is done to all gradients in the end, if it is one factor or one bound."""
    pairs = [
        (inner, outer)
        for inner, outer in zip(_arrays(found.program), _arrays(program), strict=True)
        if inner.any() and inner.dtype == outer.dtype
    ]
    if not pairs:
        return "."
    sizes = sum(float((inner * inner).sum()) for inner, _ in pairs)
    factor = sum(float((inner * outer).sum()) for inner, outer in pairs) / sizes
    if all(np.allclose(factor * inner, outer, rtol=1e-9, atol=0) for inner, outer in pairs):
        before, after = (np.sqrt(sum(float((pair[one] ** 2).sum()) for pair in pairs)) for one in (0, 1))
        norms = f"; their norm is {before:.6g} before, and {after:.6g} after" if _is_measured(program) else ""
        return f": it multiplies them by {written_factor(factor)}{norms}."
    bound = max(float(np.abs(outer).max()) for _, outer in pairs)
    if all(np.array_equal(np.clip(inner, -bound, bound), outer) for inner, outer in pairs):
        return f": it clips them at ±{bound:.6g}."
    return "."


def _is_measured(program: WrittenProgram) -> bool:
    """Whether all gradients are multiplied in the end by what depends on the arguments, such as on their norm."""
    last = [
        program.operation(maker) for one in program.outputs.values() if (maker := program.maker_of(one)) is not None
    ]
    return bool(last) and all(sum(bool(given.origin.any()) for given in one.operands) > 1 for one in last)


def _is_idle(found: Search, program: WrittenProgram) -> bool:
    """Whether what is done in the end changes nothing: neither what is returned, nor what is with all values put there.

    Such as a clip that no gradient reaches.
    """
    before, after = ([*_arrays(one), *found.returned_by(one).values()] for one in (found.program, program))
    return all(map(np.array_equal, before, after))


def _arrays(program: WrittenProgram) -> list[np.ndarray]:
    """What a program returns as it stands."""
    return list(program.as_returned.values())


def _derivative(derivative: Derivative, code: CodeType | None) -> str:
    """Such as "dL/da, line 12", or of what a helper function does, of its caller."""
    if derivative.place is None:
        return f"dL/d({derivative.path})"
    place, taken = derivative.place, ""
    if derivative.operand is None:
        name, at = variable(place)
        apart = ""
        if without := derivative.without:
            apart = f", apart from what comes back through {expression(without)}, line {without.line}"
        return f"dL/d({name or expression(place).strip('`')}), line {at.line}{apart}"
    taken = operand(place, derivative.operand).strip("`")
    while place.code is not code and place.called_from and taken:
        passed = argument_of_caller(place, taken).strip("`")
        if not passed:
            break
        place, taken = place.called_from, passed
    through = f"as it comes back through {expression(place)}, line {place.line}"
    sum_of = "the sum so far of " if derivative.is_sum else ""
    return f"{sum_of}dL/d({taken}) {through}" if taken else f"{sum_of}the derivative {through}"


def _when(differs: Sequence[bool]) -> str:
    """At which of its runs it is wrong, in the order of the run."""
    runs, wrong = len(differs), sum(differs)
    if wrong == runs or runs == 1:
        return ""
    if not differs[0] and all(differs[1:]):
        return f", and is so only in the first of {runs} runs"
    if differs[0] and not any(differs[1:]):
        return f", and is not in the first of {runs} runs"
    if differs[-1] and not any(differs[:-1]):
        return f", and is not in the last of {runs} runs"
    return f", and is not in {wrong} of {runs} runs"
