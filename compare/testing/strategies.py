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

from collections.abc import Hashable, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache, cached_property
from typing import Any

import numpy as np

from ...backends import Backend, FeedForward, Model, OrderedSystem, Problem, Recurrent, RequestError
from ...backends.checks import DTYPES, require_choice, require_dtype, require_flag, require_integer
from ...backends.frameworks.loading import require
from ...backends.models import CELLS, LOSSES, Traced
from ...backends.models.model import FAMILIES
from ...backends.registry import resolve
from ..systems.random_models import FAMILY_NAMES, ModelSpace, RandomModel, every_combination, random_model

require("hypothesis", needed_by="gradparity.compare.strategies", extra="hypothesis")
from hypothesis import note  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

Combinations = dict[Hashable, "Combinations"]  # of options: by the first option's values, the rest; empty at the end
NETWORKS = [name for name, family in FAMILIES.items() if family is not Traced]
LARGEST_BATCH = 4
GAINS = (1.0, 0.5, 1.5)
SEVENTHS = st.integers(-14, 14).map(lambda n: n / 7)  # zeros, integers, and numbers that round
MODEL_OF_FAMILY = dict.fromkeys(FAMILY_NAMES, Recurrent) | {"feed-forward": FeedForward, "ordered": OrderedSystem}


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
        dtype: in which `supported_by` supports the model; None takes one of both.
        truncated: True for truncated gradients alone, which rules out the other families; False for none of these.
        most_steps: the largest T of their problems, which bounds the steps of a truncation.
        supported_by: a backend, by its name, as `module:object` or itself: only what it supports is drawn.

    Returns:
        A strategy that shrinks to small sizes and default options.

    Raises:
        RequestError: an argument is wrong; or, when the first model is drawn, `supported_by` is no backend, or no
            model fits all arguments.

    Example:
        >>> from hypothesis import given, settings
        >>> @settings(max_examples=5, database=None)
        ... @given(models(cell="gru", loss="squared_error"))
        ... def test(model):
        ...     assert (model.cell, model.loss) == ("gru", "squared_error")
        >>> test()
    """
    wanted = Wanted(family, cell, loss, dtype, truncated, None, supported_by)
    return wanted.models(most_steps).map(lambda drawn: drawn.model)


def arguments(
    *, dtype: str = "float64", largest: int = 4, **shapes: tuple[int | str, ...]
) -> st.SearchStrategy[dict[str, np.ndarray]]:
    """Arrays for a function of one's own, from their shapes; the same letter is the same size.

    Args:
        dtype: `float64` or `float32`.
        largest: the largest size that a letter stands for.
        **shapes: of each array, numbers and letters.

    Returns:
        A strategy for the arrays by name. It shrinks to small sizes and the seed 0.

    Raises:
        RequestError: the dtype is none.

    Example:
        >>> from gradparity.compare import assert_gradients
        >>> from hypothesis import given, settings
        >>> @settings(max_examples=3, database=None)
        ... @given(arguments(W=("H", "D"), x=("D",)))
        ... def test(given):
        ...     assert_gradients(lambda W, x: ((W @ x).sum(), {"W": np.ones_like(W) * x}), given["W"], given["x"])
        >>> test()
    """
    letters = sorted({size for shape in shapes.values() for size in shape if isinstance(size, str)})
    sizes = st.fixed_dictionaries({letter: st.integers(1, largest) for letter in letters})

    def drawn(sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        known = {name: tuple(sizes.get(size, size) for size in shape) for name, shape in shapes.items()}  # type: ignore[arg-type]
        return {name: rng.standard_normal(shape).astype(kind) for name, shape in known.items()}

    kind = require_dtype(dtype)
    return st.builds(drawn, sizes, st.integers(0, 2**32 - 1))


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
        family: as for `models`; so are `cell`, `loss` and `truncated`.
        cell: `rnn`, `lstm` or `gru`.
        loss: as in `Recurrent`.
        dtype: `float64` or `float32`.
        truncated: whether gradients are truncated.
        lengths: True for sequences of unequal lengths alone, which rules out the other families; False for none of
            these: for a backend without lengths, which `supports` cannot express.
        most_steps: the largest T.
        supported_by: as for `models`, in the problem's dtype.

    Returns:
        A strategy that shrinks to small sizes, default options and seed 0.

    Raises:
        RequestError: as for `models`.

    Example:
        >>> from hypothesis import given, settings
        >>> @settings(max_examples=5, database=None)
        ... @given(problems(cell="lstm", dtype="float32", most_steps=4))
        ... def test(problem):
        ...     assert problem.dtype == "float32" and problem.seq_len <= 4
        >>> test()
    """
    wanted = Wanted(family, cell, loss, dtype, truncated, lengths, supported_by)
    return _problems(wanted.models(most_steps), lengths)


@dataclass(frozen=True)
class Wanted:
    """The arguments of a strategy; see `problems`."""

    family: str | None
    cell: str | None
    loss: str | None
    dtype: str | None
    truncated: bool | None
    lengths: bool | None
    supported_by: str | Backend | None

    def __post_init__(self) -> None:
        for field, known in (("family", NETWORKS), ("cell", CELLS), ("loss", LOSSES)):
            if getattr(self, field) is not None:
                require_choice(field, getattr(self, field), known)
        for field in ("truncated", "lengths"):
            if getattr(self, field) is not None:
                require_flag(field, getattr(self, field))
        if self.dtype is not None:
            require_dtype(self.dtype)

    @cached_property
    def backend(self) -> Backend | None:
        """The backend of `supported_by`, found when it is first needed."""
        return None if self.supported_by is None else next(iter(resolve([self.supported_by]).values()))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes of which one is drawn."""
        return DTYPES if self.dtype is None else (require_dtype(self.dtype).name,)

    def models(self, most_steps: int) -> st.SearchStrategy[RandomModel]:
        """The models that fit; the backend is asked when the first one is drawn."""
        most_steps = require_integer("most_steps", most_steps, at_least=1)
        return st.deferred(lambda: _random_models(self.combinations(), most_steps).filter(self.fits))

    def fits(self, drawn: RandomModel) -> bool:
        """Whether the model is one of those, and supported in its dtype."""
        model = drawn.model
        return (
            self.family in (None, type(model).__name__)
            and drawn.dtype in self.dtypes
            and self.loss in (None, getattr(model, "loss", ""))
            and self.cell in (None, getattr(model, "cell", ""))
            and self.truncated in (None, getattr(model, "truncation", None) is not None)
            and (not self.lengths or isinstance(model, Recurrent))
            and self.is_supported(model, drawn.dtype)
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

    def combinations(self) -> Combinations:
        """The combinations of options that fit, in the smallest sizes.

        Raises:
            RequestError: there are none.
        """
        fitting: Combinations = {}
        for values, model in _every_combination():
            if self.fits(model):
                rest = fitting
                for value in values:
                    rest = rest.setdefault(value, {})
        if not fitting:
            arguments = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "dtype"}
            stated = ", ".join(f"{name}={value!r}" for name, value in arguments.items() if value is not None)
            raise RequestError(f"no model fits {stated} in {' or '.join(self.dtypes)}")
        return fitting


class HypothesisChooser:
    """Draws by Hypothesis among the combinations that fit, what shrinks first: defaults, and small sizes."""

    def __init__(self, draw: st.DrawFn, combinations: Combinations) -> None:
        self._draw = draw
        self._combinations = combinations
        self._defaults: dict[str, object] = {}

    def one_of(self, option: str, values: Sequence[Any]) -> Any:
        """One of the values with which some combination fits."""
        default = self._defaults.get(option, values[0])
        fitting = sorted((value for value in values if value in self._combinations), key=lambda value: value != default)
        value = fitting[self._draw(st.integers(0, len(fitting) - 1))]  # also of one: fewer draws would count as simpler
        self._combinations = self._combinations[value]
        if option == "family":
            self._defaults = {field.name: field.default for field in fields(MODEL_OF_FAMILY[value])}
        return value

    def integer(self, low: int, high: int) -> int:
        """An integer, both ends included."""
        return self._draw(st.integers(low, high))

    def numbers(self, *shape: int) -> np.ndarray:
        """Multiples of 1/7 between -2 and 2."""
        return np.array([self._draw(SEVENTHS) for _ in range(int(np.prod(shape)))]).reshape(shape)


@st.composite
def _random_models(draw: st.DrawFn, combinations: Combinations, most_steps: int) -> RandomModel:
    space = ModelSpace((1, LARGEST_BATCH), (1, most_steps), depths=(2, 5), variables=(1, 6))
    return random_model(HypothesisChooser(draw, combinations), space)


@st.composite
def _problems(draw: st.DrawFn, models: st.SearchStrategy[RandomModel], lengths: bool | None) -> Problem:
    drawn = draw(models)
    options: dict[str, Any] = {"seed": draw(st.integers(0, 2**32))}
    options |= {name: getattr(drawn, name) for name in drawn.model.LEADING}
    options["dtype"] = drawn.dtype
    if drawn.seq_len and drawn.batch_size:
        some = st.lists(st.integers(1, drawn.seq_len), min_size=drawn.batch_size, max_size=drawn.batch_size)
        options["lengths"] = draw({None: st.none() | some, True: some, False: st.none()}[lengths])
        options["recurrent_gain"] = draw(st.sampled_from(GAINS))
    note(_expression(drawn.model, options))
    return Problem.from_seed(drawn.model, **options)


@cache
def _every_combination() -> tuple[tuple[tuple[Hashable, ...], RandomModel], ...]:
    return tuple(every_combination())


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
