"""The products and copies of weights, at sizes where they are done in another way."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.manual.affine import LONG_ROW, SHORT_STRIP, blocked_transpose


@pytest.mark.parametrize("columns", [1, LONG_ROW - 1, LONG_ROW, LONG_ROW + 1])
@pytest.mark.parametrize("rows", [1, SHORT_STRIP - 1, SHORT_STRIP, SHORT_STRIP + 1, 2 * SHORT_STRIP + 3])
def test_a_transpose_in_strips_is_the_transpose_whether_rows_are_long_or_not(rows, columns):
    W = np.arange(rows * columns, dtype=float).reshape(rows, columns)
    out = np.full((columns, rows), np.nan)
    blocked_transpose(W, out=out)
    np.testing.assert_array_equal(out, W.T)
