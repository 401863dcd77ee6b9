"""Small programs, written to files as people have them."""

from __future__ import annotations

import importlib
import sys
from textwrap import dedent

import numpy as np
import pytest
from gradparity.backends.tracing.array import as_recorded
from gradparity.backends.tracing.replay import Replay
from gradparity.backends.tracing.trace import call, trace
from gradparity.backends.tracing.verification import verify


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Gives `program(source, helper=source, ...)`: the module of the first one, with the others beside it."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def written(source, **beside):
        for name, text in {**beside, "program": source}.items():
            file = tmp_path / f"{name.replace('.', '/')}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(dedent(text))
        importlib.invalidate_caches()
        return importlib.import_module("program")

    yield written
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def gradients():
    """Gives `gradients(function, arguments, paths)`: those of the recording, after it was checked twice.

    Once by `verify`, and once against central differences of the plain function.
    """

    def of(function, arguments, paths, floats=()):
        traced = trace(function, arguments, floats)
        model = traced.model(traced.returned, {path: path for path in paths})
        verify(traced, model, paths, function, arguments, lambda loss: loss)
        replay = Replay(model)
        replay.forward(traced.rows())
        found = replay.gradients()
        assert replay.loss == pytest.approx(float(as_recorded(traced.returned).numbers), rel=1e-13)
        for path in paths:
            values = traced.arguments[path].values
            expected = differences(function, arguments, path, values)
            np.testing.assert_allclose(found[path], expected, rtol=1e-6, atol=1e-7, err_msg=path)
            assert np.abs(expected).max() > 1e-3, f"{path} does not matter"
        return found

    return of


def differences(function, arguments, path, values, step=1e-6):
    """Central differences of the plain function with respect to one array."""
    slopes = np.zeros(values.shape)
    for index in np.ndindex(values.shape):
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[index] += sign * step
            ends.append(float(call(function, arguments, {path: moved})))
        slopes[index] = (ends[0] - ends[1]) / (2 * step)
    return slopes
