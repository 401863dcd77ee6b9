"""A wrong expression that stands on several lines is found as in one line."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.loading import module_from_file

PROGRAM = """
import numpy as np

def gradients(gamma, x, v):
    centred = x - np.mean(x, axis=0)
    inverse = 1 / np.sqrt(np.var(x, axis=0) + 1e-3)
    loss = np.sum(gamma * centred * inverse * v)
    dx = {}
    return loss, {{"gamma": np.sum(centred * inverse * v, axis=1, keepdims=True), "x": dx}}
"""
ONE_LINE = "gamma * inverse * (v - np.mean(v, axis=0) - centred * inverse**2 * np.mean(v * centred, axis=0))"
SEVERAL = """gamma * inverse * (
        v
        - np.mean(v, axis=0)
        - centred
        * inverse**2
        * np.mean(v * centred, axis=0)
    )"""


@pytest.mark.parametrize("wrong", [ONE_LINE, SEVERAL])
def test_a_wrong_expression_is_found_on_however_many_lines_it_stands(tmp_path, wrong):
    (tmp_path / "mine.py").write_text(PROGRAM.format(wrong))
    rng = np.random.default_rng(0)
    arguments = rng.normal(size=(4, 1)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    check = check_gradients(module_from_file(tmp_path / "mine.py").gradients, *arguments, ordinary_only=True)
    (located,) = check.localization.located
    assert (located.line, located.says) == (8, "dx should be dL/d(x).")
