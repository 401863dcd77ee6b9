"""Problems: a model together with its parameters and one batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from . import casefile
from .errors import InvalidProblemError
from .files import require_folder
from .model import Model, Recurrent, require_integer
from .validation import as_array, check_problem, require_dtype, require_number, require_time_batch_size

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike, DTypeLike


@dataclass(frozen=True, eq=False)
class Problem:
    """One question for every backend: the loss and the gradients of this model on these numbers.

    The arrays are copied, checked (see Raises) and made read-only. All floating-point arrays have one
    dtype, float64 or float32, which is the problem's.

    Attributes:
        model: what is computed.
        params: the parameters by name, with the shapes of `model.parameter_shapes`.
        inputs: x_t, (T, B, D).
        targets: y_t, integer labels (T, B) or numbers (T, B, K), as `model.loss` needs.
        h0: the initial state, (B, H).
        lengths: (B,), integers in 1…T; None means that all sequences have T steps. What lies past a
            length has no influence on any result (but has to be valid: any label in range will do).

    Raises:
        InvalidProblemError: an array is missing, or has a wrong shape or dtype, or holds a NaN, an
            infinity, or a label or length out of range.
    """

    model: Model
    params: Mapping[str, np.ndarray]
    inputs: Float[np.ndarray, "T B D"]
    targets: Int[np.ndarray, "T B"] | Float[np.ndarray, "T B K"]
    h0: Float[np.ndarray, "B H"]
    lengths: Int[np.ndarray, " B"] | None = None

    def __post_init__(self) -> None:
        _require_model(self.model)
        if not isinstance(self.params, Mapping):
            raise InvalidProblemError(f"params is a {type(self.params).__name__}, expected a dict of arrays by name")
        params = {name: as_array(f"params[{name!r}]", array) for name, array in self.params.items()}
        batch: dict[str, Any] = {name: as_array(name, getattr(self, name)) for name in ("inputs", "targets", "h0")}
        batch["lengths"] = None if self.lengths is None else as_array("lengths", self.lengths)
        check_problem(self.model, params, **batch)
        for name in ("targets", "lengths"):
            if batch[name] is not None and batch[name].dtype.kind in "iu":
                batch[name] = batch[name].astype("int64")  # every framework takes this one
        for name, value in batch.items():
            object.__setattr__(self, name, value)
        ordered = {name: params[name] for name in self.model.parameter_shapes}
        object.__setattr__(self, "params", MappingProxyType(ordered))
        for array in self.arrays().values():
            array.flags.writeable = False

    @classmethod
    def from_seed(
        cls,
        model: Model,
        *,
        seq_len: int,
        batch_size: int,
        seed: int,
        dtype: DTypeLike = "float64",
        lengths: ArrayLike | None = None,
        recurrent_gain: float = 1.0,
    ) -> Problem:
        """Draws a whole problem from one seed.

        Everything comes from one `numpy.random.Generator(PCG64(seed))`, in float64, and is then rounded to
        the dtype, in this order: the parameters in the order of `model.parameter_shapes` (weights normal
        with variance 1 / fan-in, biases normal with standard deviation ½), h0 (normal, standard deviation
        ½), inputs (standard normal), targets (uniform labels; or uniform in [0, 1); or standard normal).

        Args:
            model: what is computed.
            seq_len: T, at least 1.
            batch_size: B, at least 1.
            seed: a non-negative integer.
            dtype: float64 or float32.
            lengths: (B,), integers in 1…T.
            recurrent_gain: multiplies W. Below 1 the state contracts; well above 1 it is chaotic.
        """
        _require_model(model)
        seq_len = require_integer("seq_len", seq_len, at_least=1)
        batch_size = require_integer("batch_size", batch_size, at_least=1)
        rng = _generator(seed)
        params, h0 = _draw_parameters(model, rng, batch_size)
        params["W"] *= require_number("recurrent_gain", recurrent_gain)
        inputs = rng.standard_normal((seq_len, batch_size, model.input_size))
        targets: np.ndarray
        if model.has_labels:
            targets = rng.integers(0, model.output_size, (seq_len, batch_size))
        elif model.loss == "sigmoid_cross_entropy":
            targets = rng.random((seq_len, batch_size, model.output_size))
        else:
            targets = rng.standard_normal((seq_len, batch_size, model.output_size))
        return cls._rounded(model, params, inputs, targets, h0, lengths, dtype)

    @classmethod
    def from_data(
        cls,
        model: Model,
        inputs: ArrayLike,
        targets: ArrayLike,
        *,
        seed: int,
        dtype: DTypeLike = "float64",
        lengths: ArrayLike | None = None,
    ) -> Problem:
        """A given batch, with parameters and h0 drawn as `from_seed` draws them.

        Args:
            model: what is computed.
            inputs: (T, B, D); rounded to the dtype.
            targets: labels (T, B), or numbers (T, B, K), which are rounded to the dtype.
            seed: a non-negative integer.
            dtype: float64 or float32.
            lengths: (B,), integers in 1…T.
        """
        _require_model(model)
        inputs, targets = as_array("inputs", inputs), as_array("targets", targets)
        require_time_batch_size(inputs)
        params, h0 = _draw_parameters(model, _generator(seed), inputs.shape[1])
        return cls._rounded(model, params, inputs, targets, h0, lengths, dtype)

    @classmethod
    def _rounded(
        cls,
        model: Model,
        params: dict[str, np.ndarray],
        inputs: np.ndarray,
        targets: np.ndarray,
        h0: np.ndarray,
        lengths: Any,
        dtype: DTypeLike,
    ) -> Problem:
        to = require_dtype(dtype)
        return cls(
            model,
            {name: array.astype(to) for name, array in params.items()},
            inputs.astype(to),
            targets if model.has_labels else targets.astype(to),
            h0.astype(to),
            lengths,
        )

    @property
    def seq_len(self) -> int:
        """T, the number of time steps."""
        return self.inputs.shape[0]

    @property
    def batch_size(self) -> int:
        """B, the number of sequences."""
        return self.inputs.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of every floating-point array, and of every answer."""
        return self.inputs.dtype

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by name, the parameters as `params.U` and so on, in a fixed order."""
        arrays = {f"params.{name}": array for name, array in self.params.items()}
        arrays |= {"inputs": self.inputs, "targets": self.targets, "h0": self.h0}
        return arrays if self.lengths is None else arrays | {"lengths": self.lengths}

    def writable_copy(self) -> Problem:
        """The same problem in arrays of its own that can be written to, to be given out of one's hands."""
        copy = object.__new__(type(self))
        for name, value in vars(self).items():
            object.__setattr__(copy, name, _copied(value))
        return copy

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the model and every array's name, dtype, shape and bytes, in hexadecimal."""
        digest = hashlib.sha256(json.dumps(describe(self.model), sort_keys=True).encode())
        for name, array in self.arrays().items():
            little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            digest.update(f"{name} {little_endian.dtype.str} {array.shape}\n".encode())
            digest.update(little_endian.tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path) -> Path:
        """Writes the problem to an .npz file without pickle, whole or not at all; returns the path."""
        header = {"model": describe(self.model), "fingerprint": self.fingerprint}
        return casefile.write(Path(path), header, self.arrays())

    def save_in(self, folder: str | Path, name: str = "case") -> Path:
        """Saves the problem in a folder, which is made if need be, under the name and its fingerprint."""
        return self.save(require_folder(Path(folder)) / f"{name}-{self.fingerprint[:12]}.npz")

    @classmethod
    def load(cls, path: str | Path) -> Problem:
        """Reads a problem that `save` wrote.

        Raises:
            InvalidProblemError: the file is missing, damaged, or not a gradparity case.
        """
        header, arrays = casefile.read(Path(path))
        params = {name.removeprefix("params."): a for name, a in arrays.items() if name.startswith("params.")}
        batch: dict[str, Any] = {name: array for name, array in arrays.items() if not name.startswith("params.")}
        try:
            problem = cls(_model_from(header["model"]), params, **batch)
        except (TypeError, ValueError, LookupError) as error:
            raise InvalidProblemError(f"{path}: not a valid gradparity case: {error}") from error
        if problem.fingerprint != header.get("fingerprint"):
            raise InvalidProblemError(f"{path}: damaged: its arrays do not match the fingerprint saved with them")
        return problem


def _require_model(model: object) -> None:
    if not isinstance(model, Model):
        raise InvalidProblemError(f"model is a {type(model).__name__}, expected a Recurrent")


def describe(model: Model) -> dict[str, Any]:
    """The model as plain values, for JSON."""
    return {"family": type(model).__name__, **asdict(model)}


def _model_from(description: Mapping[str, Any]) -> Model:
    families: dict[str, Callable[..., Model]] = {"Recurrent": Recurrent}
    fields = dict(description)
    return families[fields.pop("family")](**fields)


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(require_integer("seed", seed, at_least=0)))


def _draw_parameters(
    model: Model, rng: np.random.Generator, batch_size: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    params = {}
    for name, shape in model.parameter_shapes.items():
        scale = shape[-1] ** -0.5 if len(shape) == 2 else 0.5
        params[name] = scale * rng.standard_normal(shape)
    return params, 0.5 * rng.standard_normal((batch_size, model.hidden_size))


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: array.copy() for name, array in value.items()}
    return value.copy() if isinstance(value, np.ndarray) else value
