"""Real input: the data sets `digits` and `sunspots`, and any text or CSV file, as one batch each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...backends import Problem, Recurrent, RequestError
from ...backends.errors import unknown_name
from ...backends.frameworks.loading import require
from .catalogue import System
from .csv_series import read_series, standardized

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import DTypeLike

BUILT_IN = ("digits", "sunspots")
HIDDEN_SIZE = 16


@dataclass(frozen=True, eq=False)
class Dataset:
    """A batch of real input.

    Attributes:
        name: `digits`, `sunspots` or the file's name.
        summary: what is predicted from what.
        inputs: (T, B, D).
        targets: labels (T, B), or numbers (T, B, K).
        output_size: K.
        loss: the loss that fits the targets.
    """

    name: str
    summary: str
    inputs: Float[np.ndarray, "T B D"]
    targets: Int[np.ndarray, "T B"] | Float[np.ndarray, "T B K"]
    output_size: int
    loss: str

    @property
    def default_system(self) -> str:
        """The system that is compared on this data when none is named."""
        return "elman-softmax" if self.loss == "softmax_cross_entropy" else "elman-squared-error"

    def problem(self, system: System, *, seed: int, dtype: DTypeLike = "float64") -> Problem:
        """The system's model in this data's sizes, its parameters drawn from the seed.

        Args:
            system: a recurrent one, with the loss that the targets need.
            seed: of the parameters and the initial states.
            dtype: `float64` or `float32`.

        Raises:
            RequestError: the system has no time, or another loss.
        """
        if not isinstance(system.model, Recurrent):
            raise RequestError(f"{system.name} has no time, but {self.name} is a sequence: try {self.default_system}")
        if system.model.loss != self.loss:
            raise RequestError(
                f"{system.name} has the loss {system.model.loss}, but {self.name} needs {self.loss}: "
                f"try {self.default_system}"
            )
        model = replace(
            system.model,
            input_size=self.inputs.shape[2],
            hidden_size=HIDDEN_SIZE,
            output_size=self.output_size,
        )
        return Problem.from_data(model, self.inputs, self.targets, seed=seed, dtype=dtype)


def load_dataset(source: str) -> Dataset:
    """Loads real input as one batch.

    Args:
        source: `digits`, `sunspots`, or a path that ends in .txt (the next character) or .csv (the next value).

    Returns:
        The inputs (T, B, D) with their targets.

    Raises:
        MissingFrameworkError: the package that carries the data set is not installed.
        RequestError: the file is missing, or there is nothing in it to predict.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "poem.txt").write_text("the tide turns; the tide returns")
        ...     dataset = load_dataset(f"{folder}/poem.txt")
        >>> dataset.inputs.shape, dataset.summary
        ((25, 7, 11), 'the next of 11 different characters')
    """
    if source == "digits":
        return _digits()
    if source == "sunspots":
        return _sunspots()
    suffix = Path(source).suffix.lower()
    if suffix == ".txt":
        return _text(Path(source))
    if suffix == ".csv":
        return _csv(Path(source))
    raise unknown_name("data set", source, (*BUILT_IN, "FILE.txt", "FILE.csv"))


def _digits(images: int = 128) -> Dataset:
    """Handwritten digits, row by row from the top.

    The label stands at every step, not at the last alone: so each step carries a loss, as in the documents
    (L = Σ_t ℓ_t), and gradients flow back over every distance from 0 to T − 1.
    """
    require("sklearn", needed_by="data set 'digits'", extra="data", package="scikit-learn")
    from sklearn.datasets import load_digits

    data = load_digits()
    rows = data.images[:images].transpose(1, 0, 2) / 16  # (T, B, D), from 0 to 1
    labels = np.broadcast_to(data.target[:images], rows.shape[:2])
    return Dataset("digits", "the digit, after each of 8 rows of 8 pixels", rows, labels, 10, "softmax_cross_entropy")


def _sunspots() -> Dataset:
    require("statsmodels", needed_by="data set 'sunspots'", extra="data")
    from statsmodels.datasets import sunspots

    numbers = np.asarray(sunspots.load_pandas().data["SUNACTIVITY"], dtype="float64")
    # 22 years, two cycles of the sun
    return _series("sunspots", "the next year's sunspots", numbers, seq_len=22)


def _text(path: Path) -> Dataset:
    text = _read(path)
    if len(text) < 2:
        what = "is empty" if not text else "holds 1 character"
        raise RequestError(f"{path}: {what}, expected at least 2 to predict one from the other")
    alphabet = sorted(set(text))
    if len(alphabet) == 1:
        raise RequestError(f"{path}: only {alphabet[0]!r} occurs, expected at least 2 different characters")
    number = {character: i for i, character in enumerate(alphabet)}
    codes = np.array([number[character] for character in text])
    inputs, targets = _windows(codes, seq_len=25, batch_size=8)
    one_hot = (inputs[..., None] == np.arange(len(alphabet))).astype("float64")
    summary = f"the next of {len(alphabet)} different characters"
    return Dataset(str(path), summary, one_hot, targets, len(alphabet), "softmax_cross_entropy")


def _csv(path: Path) -> Dataset:
    text = _read(path)
    if not text.strip():
        raise RequestError(f"{path}: is empty, expected a numeric column")
    try:
        series = read_series(text)
    except ValueError as error:
        raise RequestError(f"{path}: {error}") from None
    return _series(str(path), f"the next value of {series.summary}", series.values, seq_len=24)


def _series(name: str, summary: str, numbers: np.ndarray, *, seq_len: int) -> Dataset:
    """One step ahead, in units of the standard deviation around the mean."""
    if len(numbers) < 2:
        raise RequestError(f"{name}: holds {len(numbers)} value, expected at least 2 to predict one from the other")
    inputs, targets = _windows(standardized(numbers)[:, None], seq_len=seq_len, batch_size=8)
    return Dataset(name, summary, inputs, targets, 1, "squared_error")


def _windows(sequence: np.ndarray, *, seq_len: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows (T, B, …) evenly spread over the whole sequence, and the same ones a step later."""
    T = min(seq_len, len(sequence) - 1)
    B = min(batch_size, len(sequence) - T)
    starts = np.linspace(0, len(sequence) - 1 - T, B).astype(int)
    steps = np.arange(T)[:, None] + starts
    return sequence[steps], sequence[steps + 1]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: byte {error.start} is not UTF-8, expected a text file in UTF-8") from None
    except FileNotFoundError:
        raise RequestError(f"{path}: no such file") from None
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from None
