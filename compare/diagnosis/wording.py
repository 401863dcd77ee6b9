"""A diagnosis in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..answers import gradient_name
from ..mistakes import Diagnosis, Suspect

MOST_EQUALS = 3


def describe_diagnosis(diagnosis: Diagnosis) -> str:
    """The mistakes that give these numbers, with the lines to look at and the remedy."""
    if diagnosis.suspects:
        first, *equal = diagnosis.suspects
        what = "this mistake" if len(first.mistakes) == 1 else "two mistakes at once"
        exactly = "Exactly these numbers come from" if first.exact else "Numbers of this kind come from"
        lines = [f"{exactly} {what}:"]
        lines += _suspect_lines(first)
        if equal:
            lines.append("The same numbers come from:")
            lines += [line for suspect in equal[:MOST_EQUALS] for line in _suspect_lines(suspect)]
        if len(equal) > MOST_EQUALS:
            lines.append(f"… and {len(equal) - MOST_EQUALS} more.")
        return "\n".join(lines)
    if diagnosis.partly:
        lines = ["No single mistake of the catalogue gives all of these numbers. A part of them would come from:"]
        for suspect in diagnosis.partly[:MOST_EQUALS]:
            leaves = f", but not {gradients_in_words(suspect.leaves)}" if suspect.leaves else ""
            lines += [*_suspect_lines(suspect), f"    It gives {gradients_in_words(suspect.explains)}{leaves}."]
        return "\n".join(lines)
    return "No single mistake of the catalogue gives these numbers (`gradparity mistakes` lists them)."


def _suspect_lines(suspect: Suspect) -> list[str]:
    violated = f" (violates {_equations_in_words(suspect.equations)})" if suspect.equations else ""
    changed = [
        f"    {who}: {line}" for right, wrong, _ in suspect.lines for who, line in (("right", right), ("wrong", wrong))
    ]
    remedies = [f"    Remedy: {remedy}." for remedy in suspect.remedies]
    return [f"  {' AND '.join(suspect.mistakes)}{violated}", *changed, *remedies]


def _equations_in_words(numbers: Sequence[int]) -> str:
    shown = ", ".join(f"({number})" for number in numbers)
    return f"equation{'s' if len(numbers) > 1 else ''} {shown} of the derivation"


def gradients_in_words(names: Iterable[str]) -> str:
    """Such as `the loss, dW`, of the names of what a mistake gives."""
    return ", ".join("the loss" if name == "loss" else shown_gradient(name) for name in names)


def shown_gradient(name: str) -> str:
    """A gradient's name: dx for that of the inputs."""
    return str(gradient_name(name))
