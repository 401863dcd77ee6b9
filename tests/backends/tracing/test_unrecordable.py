"""What cannot be recorded is refused in one line, which says where; what is only there and not used is not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from gradparity.backends.tracing.recorder import NotRecordableError
from gradparity.backends.tracing.trace import trace
from gradparity.backends.tracing.verification import verify

W, X = np.array([[0.5, -0.25], [1.0, 0.75]]), np.array([0.3, -0.6])
KINDS = {
    "a numpy.matrix": W.view(np.matrix),
    "a numpy.ma.MaskedArray": np.ma.masked_array(W, W > 0.9),
    "of complex128": W + 0j,
    "of complex64": W.astype("complex64"),
    "of float16": W.astype("float16"),
    f"of {np.dtype('longdouble')}": W.astype("longdouble"),
}
SOURCE = """
import numpy as np
def as_argument(w, x):
    return ({use}).sum()
def as_global(x):
    return ({use}).sum()
def not_used(w, x):
    return (x * x).sum()
"""
USES = ["w @ x", "x @ w", "w * x", "x + w", "np.exp(w) @ x", "np.asarray(w) @ x", "w.T @ x", "w[0] * x", "-w", "w > 0"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use", USES)
def test_an_array_of_another_kind_is_refused_where_it_is_used(kind, use, program):
    module = program(SOURCE.format(use=use))
    line = rf"^program\.py:{{}}, in {{}}: .+: w is {re.escape(kind)}, which is not recorded: [^\n]+$"
    with pytest.raises(NotRecordableError, match=line.format(4, "as_argument")):
        trace(module.as_argument, {"w": KINDS[kind], "x": X})
    module.w = KINDS[kind]
    with pytest.raises(NotRecordableError, match=line.format(6, "as_global")):
        trace(module.as_global, {"x": X})
    assert trace(module.not_used, {"w": KINDS[kind], "x": X}).returned.value == (X * X).sum()


def test_it_still_passes_for_an_array_where_its_class_is_asked_for(program):
    module = program("import numpy as np\ndef loss(w, x):\n    return (x * isinstance(w, np.ndarray)).sum()")
    assert trace(module.loss, {"w": W.view(np.matrix), "x": X}).returned.value == X.sum()


def test_an_array_over_a_file_is_an_array(tmp_path, gradients):
    W.tofile(tmp_path / "w")
    for mode in ("r", "r+", "c"):
        gradients(
            lambda w, x: np.tanh(w @ x).sum(),
            {"w": np.memmap(tmp_path / "w", "float64", mode, shape=(2, 2)), "x": X},
            ["w"],
        )
    np.testing.assert_array_equal(np.fromfile(tmp_path / "w").reshape(2, 2), W)


FOREIGN = {
    "torch": (
        "import torch\nheld = torch.ones(2, dtype=torch.float64)",
        ["held * x", "x * held", "torch.from_numpy(x)"],
    ),
    "jax": ("import jax.numpy as jnp\nheld = jnp.ones(2)", ["held * x", "x * held", "jnp.sin(x)"]),
    "pandas": ("import pandas\nheld = pandas.Series([1.0, 2.0])", ["held * x", "x * held", "pandas.Series(x)"]),
    "scipy": (
        "import scipy.ndimage, scipy.linalg",
        ["scipy.ndimage.gaussian_filter1d(x, 1.0)", "scipy.linalg.norm(x)"],
    ),
    "random": ("import decimal, statistics", ["decimal.Decimal(x[0])", "statistics.stdev(x)"]),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_library_that_knows_no_recorded_arrays_is_refused_where_it_is_used(name, program):
    pytest.importorskip(name)
    source, uses = FOREIGN[name]
    for number, use in enumerate(uses):
        source += f"\ndef loss{number}(x):\n    return ({use}).sum()\n"
    module = program(source)
    for number, use in enumerate(uses):
        with pytest.raises(NotRecordableError, match=rf"^program\.py:\d+, in loss{number}: [^\n]+$") as refusal:
            trace(getattr(module, f"loss{number}"), {"x": X})
        assert use.partition("(")[0] in str(refusal.value)


BUFFERS = {
    "a generator's": "h = rng.standard_normal(2)",
    "a global generator's": "h = np.random.default_rng(1).standard_normal(2)",
    "SciPy's": "h = scipy.linalg.inv(np.eye(2))[0]",
}
WRITES = {
    "h[:] = x": "refused",
    "h[:1] = x[1:]": "refused",
    "h += x": "refused",
    "h[0] += x[0]": "lost",
    "h[0] = x[0] * x[1]": "lost",
    "np.multiply(x, x, out=h)": "refused",
    "np.add.at(h, [0], x[:1])": "refused",
    "np.copyto(h, x)": "refused",
    "h.fill(x[0])": "lost",
    "h.flat[0] = x[0]": "lost",
    "h.flat = x": "refused",
}


def verified(loss):
    traced = trace(loss, {"x": X})
    verify(traced, traced.model(traced.returned, {"x": "x"}), ["x"], loss, {"x": X}, lambda loss: loss)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("name", BUFFERS)
def test_recorded_numbers_in_a_buffer_that_another_made_are_never_lost(name, write, program):
    module = program(
        f"""
        import numpy as np
        import scipy.linalg
        rng = np.random.default_rng(0)
        def loss(x):
            {BUFFERS[name]}
            {write}
            return (h * h).sum() + x.sum()
        """
    )
    with pytest.raises(NotRecordableError, match=r"program\.py:7, in loss: .*(h|x)") as refusal:
        verified(module.loss)
    assert ("lost something" in str(refusal.value)) is (WRITES[write] == "lost")


def test_random_numbers_that_are_only_computed_with_are_recorded(program, gradients):
    module = program(
        """
        import numpy as np
        rng = np.random.default_rng(0)
        def loss(x):
            mask = (rng.random(2) < 2) / 0.5
            noise = np.random.default_rng(1).standard_normal(2)
            return np.tanh(x * mask + noise + np.random.rand(2)).sum()
        """
    )
    gradients(module.loss, {"x": X}, ["x"])
