"""Hypothesis strategies: random models of all families, and random problems with them.

    from gradparity.compare import assert_agree
    from gradparity.compare.strategies import problems
    from hypothesis import given


    @given(problems(supported_by="my_package:backend", most_steps=6))
    def test_my_backend_agrees(problem):
        assert_agree(problem, ["my_package:backend", "manual"])

What fails is shrunk: sizes to 1, options to their defaults, the seed to 0. The smallest failing problem is printed
as one line of Python that makes it again: `Problem.from_seed(Recurrent('rnn', 1, 1, 1), seed=0, …)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache, cached_property
from itertools import chain, product
from operator import attrgetter
from typing import Any

from ...backends import (
    Backend,
    FeedForward,
    InvalidProblemError,
    Model,
    OrderedSystem,
    Problem,
    Recurrent,
    RequestError,
)
from ...backends.checks import DTYPES, require_choice, require_dtype, require_flag, require_integer
from ...backends.frameworks.loading import require
from ...backends.models import ACTIVATIONS, CELLS, DIFFERENTIATIONS, LOSS_AT, LOSSES, REDUCTIONS, RESETS
from ...backends.models.model import FAMILIES
from ...backends.models.truncation import TRUNCATIONS
from ...backends.registry import resolve

require("hypothesis", needed_by="gradparity.compare.strategies", extra="hypothesis")
from hypothesis import note  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

Tree = Model | list["Tree"]
Choice = Callable[[Any], object]
GAINS = (1.0, 0.5, 1.5)
SEVENTHS = st.integers(-14, 14).map(lambda n: n / 7)  # zeros, integers, and numbers that round


def models(
    *,
    family: str | None = None,
    cell: str | None = None,
    loss: str | None = None,
    dtype: str | None = None,
    truncated: bool | None = None,
    most_steps: int = 12,
    supported_by: str | Backend | None = None,
) -> st.SearchStrategy[Model]:
    """Models of small sizes, with every combination of options that is defined. What is None is drawn.

    Args:
        family: `Recurrent`, `FeedForward` or `OrderedSystem`.
        cell: `rnn`, `lstm` or `gru`; rules out the other families.
        loss: as in `Recurrent`; rules out the ordered systems, which have none.
        dtype: in which `supported_by` is asked; None means that one of both is enough.
        truncated: True for truncated gradients alone, which rules out the other families; False for none of these.
        most_steps: T, which the steps of a truncation fall short of or exceed.
        supported_by: a backend, by its name, as `module:object` or itself: only what it supports is drawn.

    Raises:
        RequestError: an argument is wrong; or, when the first model is drawn, `supported_by` is no backend, or nothing
            fits them all.
    """
    wanted = Wanted(family, cell, loss, truncated, None, supported_by)
    most_steps = require_integer("most_steps", most_steps, at_least=1)
    dtypes = DTYPES if dtype is None else (require_dtype(dtype).name,)

    def fitting() -> st.SearchStrategy[Model]:
        found = dict.fromkeys(chain(*wanted.smallest(dtypes).values()))
        return _models(_tree(found), most_steps).filter(lambda model: any(wanted.fits(model, each) for each in dtypes))

    return st.deferred(fitting)


def problems(
    *,
    family: str | None = None,
    cell: str | None = None,
    loss: str | None = None,
    dtype: str | None = None,
    truncated: bool | None = None,
    lengths: bool | None = None,
    most_steps: int = 12,
    supported_by: str | Backend | None = None,
) -> st.SearchStrategy[Problem]:
    """Problems with a model as `models` draws it, with T up to `most_steps` and B up to 4; all sizes may be 1.

    When a test fails, the smallest problem on which it does is printed as one line that makes it again.

    Args:
        family: as for `models`.
        cell: as for `models`.
        loss: as for `models`.
        dtype: `float64` or `float32`.
        truncated: as for `models`.
        lengths: True for sequences with a length each alone, which rules out the other families; False for none of
            these. Give that for a backend that has no lengths: it can say so only when it is asked for an answer.
        most_steps: the largest T.
        supported_by: as for `models`, in the problem's dtype.

    Raises:
        RequestError: as for `models`.
    """
    wanted = Wanted(family, cell, loss, truncated, lengths, supported_by)
    most_steps = require_integer("most_steps", most_steps, at_least=1)
    dtypes = DTYPES if dtype is None else (require_dtype(dtype).name,)

    def fitting() -> st.SearchStrategy[Problem]:
        trees = {each: _tree(found) for each, found in wanted.smallest(dtypes).items()}
        return _problems(wanted, trees, most_steps)

    return st.deferred(fitting)


@dataclass(frozen=True)
class Wanted:
    """What a strategy was asked for; see `problems`."""

    family: str | None
    cell: str | None
    loss: str | None
    truncated: bool | None
    lengths: bool | None
    supported_by: str | Backend | None

    def __post_init__(self) -> None:
        for field, known in (("family", FAMILIES), ("cell", CELLS), ("loss", LOSSES)):
            if getattr(self, field) is not None:
                require_choice(field, getattr(self, field), known)
        for field in ("truncated", "lengths"):
            if getattr(self, field) is not None:
                require_flag(field, getattr(self, field))

    @cached_property
    def backend(self) -> Backend | None:
        return None if self.supported_by is None else next(iter(resolve([self.supported_by]).values()))

    def fits(self, model: Model, dtype: str) -> bool:
        """Whether the model is one of those, and supported in the dtype."""
        return (
            self.family in (None, type(model).__name__)
            and self.loss in (None, getattr(model, "loss", ""))
            and self.cell in (None, getattr(model, "cell", ""))
            and self.truncated in (None, getattr(model, "truncation", None) is not None)
            and (not self.lengths or isinstance(model, Recurrent))
            and self.is_supported(model, dtype)
        )

    def is_supported(self, model: Model, dtype: str) -> bool:
        """Whether the backend, if there is one, gives no reason against the model.

        Raises:
            RequestError: it returns no string.
        """
        reason = "" if self.backend is None else self.backend.supports(model, dtype)
        if not isinstance(reason, str):
            raise RequestError(f"{self.supported_by!r}: supports returned a {type(reason).__name__}, expected a str")
        return not reason

    def smallest(self, dtypes: Iterable[str]) -> dict[str, list[Model]]:
        """The models that fit, in the smallest sizes, by the dtypes in which there are any.

        Raises:
            RequestError: there are none.
        """
        found = {dtype: [model for model in _smallest() if self.fits(model, dtype)] for dtype in dtypes}
        if not any(found.values()):
            asked = {field.name: getattr(self, field.name) for field in fields(self)}
            shown = ", ".join(f"{name}={value!r}" for name, value in asked.items() if value is not None)
            raise RequestError(f"no model fits {shown} in {' or '.join(found)}")
        return {dtype: models for dtype, models in found.items() if models}


@st.composite
def _problems(draw: st.DrawFn, wanted: Wanted, trees: dict[str, Tree], most_steps: int) -> Problem:
    dtype = draw(st.sampled_from(list(trees)))
    T, B = draw(st.integers(1, most_steps)), draw(st.integers(1, 4))
    model = draw(_models(trees[dtype], T).filter(lambda model: wanted.fits(model, dtype)))
    options: dict[str, Any] = {"seed": draw(st.integers(0, 2**32))}
    options |= {name: {"T": T, "B": B}[letter] for name, letter in model.LEADING.items()}
    options["dtype"] = dtype
    if isinstance(model, Recurrent):
        drawn = st.lists(st.integers(1, T), min_size=B, max_size=B)
        options["lengths"] = draw({None: st.none() | drawn, True: drawn, False: st.none()}[wanted.lengths])
        options["recurrent_gain"] = draw(st.sampled_from(GAINS))
    note(_expression(model, options))
    return Problem.from_seed(model, **options)


@st.composite
def _models(draw: st.DrawFn, tree: Tree, most_steps: int) -> Model:
    """One of the models, option by option, in sizes of its own."""
    while isinstance(tree, list):
        tree = tree[draw(st.integers(0, len(tree) - 1))]  # also where there is one: fewer draws would count as simpler
    model = tree
    if isinstance(model, Recurrent):
        truncation = model.truncation and type(model.truncation)(draw(st.integers(1, most_steps + 2)))
        D, H, K = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
        return replace(model, input_size=D, hidden_size=H, output_size=K, truncation=truncation)
    if isinstance(model, FeedForward):
        return replace(model, sizes=tuple(draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))))
    N = draw(st.integers(1, 6))
    weights = tuple(tuple(draw(SEVENTHS) if j < i else 0 for j in range(N)) for i in range(N))
    return OrderedSystem(weights, tuple(draw(SEVENTHS) for _ in range(N)))


def _tree(models: Iterable[Model]) -> Tree:
    """The models by family, and in each option by option."""
    grouped = _grouped(models, type)
    weighted = [family for family in (Recurrent, Recurrent, FeedForward, OrderedSystem) if family in grouped]
    return [_branches(grouped[family], CHOICES[family]) for family in weighted]  # a recurrent network has most to vary


def _branches(models: Sequence[Model], choices: Sequence[Choice]) -> Tree:
    if not choices:
        (model,) = models
        return model
    return [_branches(group, choices[1:]) for group in _grouped(models, choices[0]).values()]


def _grouped(models: Iterable[Model], choice: Choice) -> dict[Any, list[Model]]:
    groups: dict[Any, list[Model]] = {}
    for model in models:
        groups.setdefault(choice(model), []).append(model)
    return groups


def _kind(model: Recurrent) -> str:
    if model.truncation:
        return "truncated"
    return "single" if len(model.places) == 1 else "stacked"


CHOICES: dict[type[Model], tuple[Choice, ...]] = {
    Recurrent: (
        attrgetter("cell"),
        _kind,
        lambda model: type(model.truncation),
        attrgetter("num_layers", "bidirectional"),
        *map(attrgetter, ("activation", "reset", "concatenated", "differentiation")),
        *map(attrgetter, ("loss", "reduction", "loss_at", "bias")),
    ),
    FeedForward: tuple(map(attrgetter, ("activation", "loss", "reduction"))),
    OrderedSystem: (),
}


@cache
def _smallest() -> tuple[Model, ...]:
    """Every combination of options that is defined, in the smallest sizes; the defaults come first."""
    return (*_recurrent(), *_feedforward(), OrderedSystem(((0.0,),), (0.0,)))


def _recurrent() -> Iterator[Recurrent]:
    options: dict[str, Sequence[Any]] = {
        "truncation": (None, *(kind(1) for kind in TRUNCATIONS.values())),
        "num_layers": (1, 2),
        "bidirectional": (False, True),
        "activation": ACTIVATIONS,
        "reset": RESETS,
        "concatenated": (False, True),
        "differentiation": DIFFERENTIATIONS,
    }
    readouts = tuple(product(LOSSES, REDUCTIONS, LOSS_AT, (True, False)))
    for cell, *values in product(CELLS, *options.values()):
        try:
            model = Recurrent(cell, 1, 1, 1, **dict(zip(options, values, strict=True)))
        except InvalidProblemError:  # this combination is not defined
            continue
        for loss, reduction, loss_at, bias in readouts:
            yield replace(model, loss=loss, reduction=reduction, loss_at=loss_at, bias=bias)


def _feedforward() -> Iterator[FeedForward]:
    default = FeedForward((1, 1))
    activations = sorted(ACTIVATIONS, key=lambda each: each != default.activation)
    losses = sorted(LOSSES, key=lambda each: each != default.loss)
    for activation, loss, reduction in product(activations, losses, REDUCTIONS):
        yield FeedForward((1, 1), activation, loss, reduction)


def _expression(model: Model, options: dict[str, Any]) -> str:
    """The problem as a line of Python; what has its default is left out."""
    positional = [repr(getattr(model, field.name)) for field in fields(model) if field.default is MISSING]
    named = [
        f"{field.name}={value!r}"
        for field in fields(model)
        if field.default is not MISSING and (value := getattr(model, field.name)) != field.default
    ]
    defaults = {"lengths": None, "recurrent_gain": 1.0}
    drawn = [f"{name}={value!r}" for name, value in options.items() if value != defaults.get(name, MISSING)]
    return f"Problem.from_seed({type(model).__name__}({', '.join(positional + named)}), {', '.join(drawn)})"
