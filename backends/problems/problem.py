"""Problems: a model together with its parameters and one batch."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import as_array, require_number
from ..errors import InvalidProblemError
from ..file_writing import require_folder, write_whole
from ..models import Model, Traced, describe, model_from, require_model, traced_parts, traced_reading
from . import case_file
from .random_draws import (
    draw,
    draw_parameters,
    generator,
    leading_sizes_given,
    multiply_recurrent_weights,
    require_drawable,
    rounded_arrays,
)
from .validation import check_problem, leading_sizes

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike, DTypeLike


BATCH = ("inputs", "targets", "h0", "c0", "lengths")


@dataclass(frozen=True, eq=False)
class Problem:
    """What every backend is asked: the loss and the gradients of this model on these numbers.

    The arrays are copied, checked (see Raises) and made read-only. All floating-point arrays have one
    dtype, float64 or float32, which is the problem's.

    Attributes:
        model: what is computed.
        params: the parameters by name, with the shapes of `model.parameter_shapes`.
        inputs: x_t, (T, B, D); of a feed-forward network (B, N0); of an ordered system z_1, (1,); None for a recorded
            function, whose arguments are all in `params`.
        targets: y_t, integer labels (T, B) or numbers (T, B, K), as `model.loss` needs, without the axis T for a
            feed-forward network; None for an ordered system.
        h0: the initial state of a recurrent network, (B, H), or (P, B, H) for P layers and directions.
        c0: the initial cell state of an LSTM, likewise.
        lengths: (B,), integers in 1…T; None means that all sequences have T steps. What lies past a
            length has no influence on any result (but has to be valid: any label in range will do).

    Raises:
        InvalidProblemError: an array is missing, or has a wrong shape or dtype, or holds a NaN, an
            infinity, or a label or length out of range.

    Example:
        >>> import numpy as np
        >>> from gradparity.backends import FeedForward, Problem
        >>> params = {"W1": np.ones((1, 2)), "b1": np.zeros(1)}
        >>> Problem(FeedForward((2, 1)), params, inputs=[[0.0, 1.0]], targets=[[0.5]]).summary
        'feed-forward (sigmoid, squared_error), float64, B=1 2-1'
    """

    model: Model
    params: Mapping[str, np.ndarray]
    inputs: Float[np.ndarray, "*leading D"] = None  # type: ignore[assignment] # of a recorded function only
    targets: Int[np.ndarray, "*leading"] | Float[np.ndarray, "*leading K"] | None = None
    h0: Float[np.ndarray, "*P B H"] | None = None
    c0: Float[np.ndarray, "*P B H"] | None = None
    lengths: Int[np.ndarray, " B"] | None = None

    def __post_init__(self) -> None:
        require_model(self.model)
        if not isinstance(self.params, Mapping):
            raise InvalidProblemError(f"params is a {type(self.params).__name__}, expected a dict of arrays by name")
        params = {name: as_array(f"params[{name!r}]", array) for name, array in self.params.items()}
        batch: dict[str, Any] = {
            name: None if (value := getattr(self, name)) is None else as_array(name, value) for name in BATCH
        }
        check_problem(self.model, params, batch)
        for name in ("targets", "lengths"):
            if batch[name] is not None and batch[name].dtype.kind in "iu":
                batch[name] = batch[name].astype("int64")  # every framework takes this one
        for name, value in batch.items():
            object.__setattr__(self, name, value)
        ordered = {name: params[name] for name in self.model.parameter_specs}
        object.__setattr__(self, "params", MappingProxyType(ordered))
        for array in self.arrays().values():
            array.flags.writeable = False

    def __repr__(self) -> str:
        return f"<Problem: {self.summary}, case {self.fingerprint[:12]}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For Hypothesis and IPython, which otherwise show a dataclass field by field."""
        printer.text(repr(self))

    @classmethod
    def from_seed(
        cls,
        model: Model,
        *,
        seed: int,
        seq_len: int | None = None,
        batch_size: int | None = None,
        dtype: DTypeLike = "float64",
        lengths: ArrayLike | None = None,
        recurrent_gain: float = 1.0,
    ) -> Problem:
        """Draws a whole problem from one seed.

        Everything comes from one `numpy.random.Generator(PCG64(seed))`, in float64, and is then rounded to
        the dtype, in this order: the parameters in the order of `model.parameter_shapes` (weights normal
        with variance 1 / fan-in, biases normal with standard deviation ½; but the weights of an ordered system
        are the model's), h0 and c0 (normal, standard deviation ½), inputs (standard normal), targets (uniform
        labels; or uniform in [0, 1); or standard normal).

        Args:
            model: what is computed.
            seed: a non-negative integer.
            seq_len: T, at least 1, for a recurrent network.
            batch_size: B, at least 1, for a recurrent or a feed-forward network.
            dtype: float64 or float32.
            lengths: (B,), integers in 1…T.
            recurrent_gain: multiplies every W. Below 1 the state contracts; well above 1 it is chaotic.

        Returns:
            The problem; the same one for the same arguments, on every machine.

        Raises:
            InvalidProblemError: a size is missing, or is given although the model has none; or a value is out of range;
                or the model is a recorded function.

        Example:
            >>> from gradparity.backends import Problem, Recurrent
            >>> problem = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seed=0, seq_len=7, batch_size=2)
            >>> problem.inputs.shape, problem.params["U"].shape
            ((7, 2, 3), (5, 3))
        """
        require_model(model)
        require_drawable(model)
        leading = leading_sizes_given(model, {"seq_len": seq_len, "batch_size": batch_size})
        rng = generator(seed)
        params, states = draw_parameters(model, rng, leading)
        multiply_recurrent_weights(model, params, require_number("recurrent_gain", recurrent_gain))
        inputs = rng.standard_normal(model.input_spec(*leading).shape)
        target = model.target_spec(*leading)
        targets = None if target is None else draw(rng, target)
        arrays = rounded_arrays(model, params, inputs, targets, states, dtype)
        return cls(model, **arrays | {"lengths": lengths})

    @classmethod
    def from_data(
        cls,
        model: Model,
        inputs: ArrayLike,
        targets: ArrayLike | None,
        *,
        seed: int,
        dtype: DTypeLike = "float64",
        lengths: ArrayLike | None = None,
    ) -> Problem:
        """A batch of your own, with parameters and initial states drawn as `from_seed` draws them.

        Args:
            model: what is computed.
            inputs: as in `Problem`; rounded to the dtype.
            targets: as in `Problem`; numbers are rounded to the dtype.
            seed: a non-negative integer.
            dtype: float64 or float32.
            lengths: (B,), integers in 1…T.

        Returns:
            The problem.

        Raises:
            InvalidProblemError: the arrays do not fit the model, as in `Problem`; or a value is out of range.

        Example:
            >>> import numpy as np
            >>> from gradparity.backends import Problem, Recurrent
            >>> model = Recurrent("rnn", 1, 5, 1, loss="squared_error")
            >>> x = np.sin(np.arange(9)).reshape(9, 1, 1)
            >>> Problem.from_data(model, x[:-1], x[1:], seed=0).seq_len  # predicts the next value
            8
        """
        require_model(model)
        require_drawable(model)
        inputs = as_array("inputs", inputs)
        targets = None if targets is None else as_array("targets", targets)
        params, states = draw_parameters(model, generator(seed), leading_sizes(model, inputs))
        arrays = rounded_arrays(model, params, inputs, targets, states, dtype)
        return cls(model, **arrays | {"lengths": lengths})

    @property
    def leading(self) -> tuple[int, ...]:
        """The sizes T and B, or what of them the model has."""
        return () if self.inputs is None else self.inputs.shape[:-1]

    @property
    def seq_len(self) -> int:
        """T, the number of time steps; 1 where there is no time."""
        return self.inputs.shape[0] if self.inputs is not None and self.inputs.ndim == 3 else 1

    @property
    def batch_size(self) -> int:
        """B, the number of sequences or samples; 1 where there is no batch."""
        return self.inputs.shape[-2] if self.inputs is not None and self.inputs.ndim > 1 else 1

    @property
    def sequence_lengths(self) -> np.ndarray:
        """(B,): the length of every sequence, which is T where none is given."""
        return np.full(self.batch_size, self.seq_len) if self.lengths is None else self.lengths

    @property
    def states(self) -> dict[str, np.ndarray]:
        """The initial states by name."""
        states = {"h0": self.h0, "c0": self.c0}
        return {name: array for name, array in states.items() if array is not None}

    @property
    def differentiable(self) -> dict[str, np.ndarray]:
        """Every array with a gradient, by the name of that: the parameters, the initial states and the inputs."""
        inputs = {} if self.inputs is None else {"inputs": self.inputs}
        return {**self.params, **self.states, **inputs}

    @property
    def summary(self) -> str:
        """The model, the dtype and all sizes on one line."""
        sizes = zip(self.model.LEADING.values(), self.leading, strict=True)
        leading = "".join(f"{letter}={size} " for letter, size in sizes)
        return f"{self.model.summary}, {self.dtype.name}, {leading}{self.model.size_summary}"

    @property
    def dtype(self) -> np.dtype:
        """The dtype of every floating-point array, and of every answer; of a recorded function the narrowest."""
        if self.inputs is not None:
            return self.inputs.dtype
        return min((array.dtype for array in self.params.values()), key=lambda dtype: dtype.itemsize)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by name, the parameters as `params.U` and so on, in a fixed order."""
        arrays = {f"params.{name}": array for name, array in self.params.items()}
        batch = {name: getattr(self, name) for name in BATCH}
        return arrays | {name: array for name, array in batch.items() if array is not None}

    def writable_copy(self) -> Problem:
        """The same problem in arrays of its own that can be written to, which a function may then change."""
        return self.with_unchecked(**{name: _copied(value) for name, value in vars(self).items()})

    def with_unchecked(self, **changes: Any) -> Problem:
        """The problem with some fields replaced, neither checked nor copied: for numbers computed on the way."""
        changed = object.__new__(type(self))
        for name, value in {**vars(self), **changes}.items():
            object.__setattr__(changed, name, value)
        return changed

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the model and every array's name, dtype, shape and bytes, in hexadecimal."""
        return case_file.fingerprint(describe(self.model), self.arrays())

    def save(self, path: str | Path) -> Path:
        """Writes the problem to an .npz file without pickle, whole or not at all.

        Args:
            path: the file, which is replaced if it exists.

        Returns:
            The path.

        Raises:
            RequestError: the file cannot be written.

        Example:
            >>> import tempfile
            >>> from gradparity.backends import Problem, Recurrent
            >>> problem = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seed=0, seq_len=7, batch_size=2)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = problem.save(f"{folder}/case.npz")
            ...     Problem.load(path).fingerprint == problem.fingerprint
            True
        """
        return write_whole(Path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """What `save` writes into a file.

        Example:
            >>> from gradparity.backends import Problem, Recurrent
            >>> problem = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seed=0, seq_len=7, batch_size=2)
            >>> Problem.from_bytes(problem.to_bytes()).fingerprint == problem.fingerprint
            True
        """
        header = {"model": describe(self.model), "fingerprint": self.fingerprint}
        arrays = self.arrays()
        if isinstance(self.model, Traced):
            arrays |= {f"recording.{name}": array for name, array in traced_parts.packed(self.model).items()}
        return case_file.packed(header, arrays)

    def save_in(self, folder: str | Path, name: str = "case") -> Path:
        """Saves the problem in a folder as `name-fingerprint.npz`.

        Args:
            folder: the folder, which is made if it does not exist.
            name: what the file's name begins with.

        Returns:
            The file's path.

        Raises:
            RequestError: the folder or the file cannot be written.
        """
        return self.save(require_folder(Path(folder)) / f"{name}-{self.fingerprint[:12]}.npz")

    @classmethod
    def load(cls, path: str | Path) -> Problem:
        """Reads a problem that `save` wrote.

        Args:
            path: the file.

        Returns:
            The problem, to the bit.

        Raises:
            InvalidProblemError: the file is missing, damaged, or not a gradparity case.

        Example:
            >>> from gradparity.backends import Problem
            >>> Problem.load("missing.npz")
            Traceback (most recent call last):
            gradparity.backends.errors.InvalidProblemError: missing.npz: no such file
        """
        return cls._from_parts(*case_file.read(Path(path)), str(path))

    @classmethod
    def from_bytes(cls, content: bytes, path: str = "case") -> Problem:
        """Reads what `save` writes into a file.

        Args:
            content: of the file.
            path: how messages call it.

        Returns:
            The problem, to the bit.

        Raises:
            InvalidProblemError: it is damaged, or not a gradparity case.
        """
        return cls._from_parts(*case_file.unpacked(io.BytesIO(content), path), path)

    @classmethod
    def _from_parts(cls, header: Mapping[str, Any], arrays: dict[str, np.ndarray], path: str) -> Problem:
        params, recording, batch = (_taken(arrays, prefix) for prefix in ("params.", "recording.", ""))
        try:
            model = traced_reading.unpacked(recording) if recording else model_from(header["model"])
            problem = cls(model, params, **batch)
        except (TypeError, ValueError, LookupError) as error:
            raise InvalidProblemError(f"{path}: not a valid gradparity case: {error}") from error
        if problem.fingerprint != header.get("fingerprint"):
            raise InvalidProblemError(f"{path}: damaged: its arrays do not match the fingerprint saved with them")
        return problem


def _taken(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """Takes the arrays out whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): arrays.pop(name) for name in list(arrays) if name.startswith(prefix)}


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: array.copy() for name, array in value.items()}
    return value.copy() if isinstance(value, np.ndarray) else value
