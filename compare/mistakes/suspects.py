"""What a diagnosis is: frozen values that lie below the referee, so that they can be a part of its results."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Suspect:
    """A mistake, or several at once, that would give what was handed in.

    Attributes:
        mistakes: by their names, each with what distinguishes its variant.
        remedies: one for each.
        equations: the numbers of those in `manual/derivation.md` that are violated.
        lines: of every changed line: as it should be, as it would have to be, and its equation.
        explains: the wrong gradients (or the loss) that it gives.
        leaves: those that it does not give.
        exact: whether it gives them to the last digits; if not, its error is as large and of the same kind.
    """

    mistakes: tuple[str, ...]
    remedies: tuple[str, ...]
    equations: tuple[int, ...]
    lines: tuple[tuple[str, str, int | None], ...]
    explains: tuple[str, ...]
    leaves: tuple[str, ...]
    exact: bool = True


@dataclass(frozen=True)
class Diagnosis:
    """What was found about a wrong answer.

    Attributes:
        suspects: those that explain everything that was handed in, to the last digits; where there are several, they
            give the same gradient on these problems, and nothing tells them apart.
        partly: if there is none, those that explain a part of what is wrong, the most first.
    """

    suspects: tuple[Suspect, ...] = ()
    partly: tuple[Suspect, ...] = ()

    def __bool__(self) -> bool:
        """Whether it names anything."""
        return bool(self.suspects or self.partly)

    def as_values(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {name: [asdict(suspect) for suspect in suspects] for name, suspects in vars(self).items()}
