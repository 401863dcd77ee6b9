"""Layers compared: what was asked and found, what was not asked, and the report of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..differences import WeightDifference
from ..referee import Comparison
from ..referee.explanation import findings
from .questions import OWN

MOST_WEIGHTS = 6  # differences that are shown


@dataclass(frozen=True, eq=False)
class LayerComparison(Comparison):
    """The comparison of layers: that from given initial states, and what was found beside it.

    Attributes:
        description: what the layers are, such as `lstm of D=3 H=5`.
        options: by layer, what it computes with, such as `{"activation": "relu"}`.
        weight_differences: where the layers' weights differ, mapped to the same names.
        questions: by how the layers were called, the comparison of those that could be called so; the first one is
            that from given initial states, whose blocks and answers are also this one's.
        handed_over_after: where no initial state was given, after how many steps the layers were called again, from
            the states that they had returned; 0 if none was.
        not_asked: what could not be asked, and of whom, a line each.
        conventions: how the layers differ from the first one, as far as conventions of the libraries explain it: in
            their weights, and in what they compute with them; a sentence each.
        explained: the parameters of which these say all, but for a few entries, which they name.
    """

    description: str = ""
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    weight_differences: tuple[WeightDifference, ...] = ()
    questions: Mapping[str, Comparison] = field(default_factory=dict)
    handed_over_after: int = 0
    not_asked: tuple[str, ...] = ()
    conventions: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()


def report(comparison: LayerComparison) -> str:
    """What differs, where and by how much, and what was not asked.

    Args:
        comparison: of the layers.

    Returns:
        A line for each finding.
    """
    problem = comparison.problem
    names = ", ".join([*comparison.answers, *(failure.backend for failure in comparison.failures)])
    sizes = " ".join(f"{letter}={size}" for letter, size in zip("TB", problem.leading, strict=False))
    headline = f"{comparison.verdict}: {names} on {comparison.description}, {comparison.number_format}"
    lines = [f"{headline}{f', {sizes}' * bool(sizes)}"]
    lines += _different_options(comparison.options)
    lines += comparison.conventions
    left = [
        difference for difference in comparison.weight_differences if difference.parameter not in comparison.explained
    ]
    lines += [difference.summary for difference in left[:MOST_WEIGHTS]]
    if len(left) > MOST_WEIGHTS:
        lines.append(f"… and {len(left) - MOST_WEIGHTS} more parameters.")
    lines += _differences_by_question(comparison)
    if not any(asked.failures for asked in comparison.questions.values()):
        lines += [f"Could not be asked: {line}." for line in comparison.not_asked]
        lines.append(_about_the_weights(comparison))
    return "\n".join(lines)


def _differences_by_question(comparison: LayerComparison) -> list[str]:
    """What differs in the first question in which anything does, in full; of the others the last line."""
    lines: list[str] = []
    for title, asked in comparison.questions.items():
        if asked.verdict != "agree":
            steps = comparison.handed_over_after if title == OWN else 0
            called = f"Called {title}" + (f", and again after step {steps} from the states returned" if steps else "")
            found = findings(asked)
            lines += [f"{called}: {found[-1]}"] if lines else [f"{called}:", *(f"  {line}" for line in found)]
    return lines or ["Within rounding, whatever they were asked agrees."]


def _different_options(options: Mapping[str, Mapping[str, str]]) -> list[str]:
    """A line for each option in which the layers differ."""
    lines = []
    for option in dict.fromkeys(option for of_layer in options.values() for option in of_layer):
        values = {name: of_layer[option] for name, of_layer in options.items() if option in of_layer}
        others = "" if len(values) == len(options) else ", and not the others"
        if others or len(set(values.values())) > 1:
            lines.append(f"{option}: {', '.join(f'{name} has {value}' for name, value in values.items())}{others}.")
    return lines


def _about_the_weights(comparison: LayerComparison) -> str:
    differing = list(dict.fromkeys(difference.parameter for difference in comparison.weight_differences))
    if differing:
        return f"Mapped to the same names, their weights differ in {', '.join(differing)}."
    same = "Mapped to the same names, their weights are the same"
    return f"{same}: the layers compute something else." if comparison.verdict == "disagree" else f"{same}."
