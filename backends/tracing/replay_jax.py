"""A recording carried out again by JAX, which differentiates and compiles it as one program."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..frameworks.jax_compilation import options_to_compile_quickly
from ..frameworks.jax_isolation import isolated
from ..interface import Evaluation
from ..models.traced import CONSTANT, Traced
from ..problems import Problem
from .assembly import ArraysOf, Assembly
from .trace import arguments_of, gradients_of

FUNCTIONS: dict[str, Callable[..., Array]] = {
    **{
        name: getattr(jnp, name)
        for name in (
            *("negative", "absolute", "square", "reciprocal", "sqrt", "cbrt", "exp", "exp2", "expm1"),
            *("log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan"),
            *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
            *("add", "subtract", "multiply", "divide", "power", "maximum", "logaddexp", "arctan2", "hypot", "matmul"),
        )
    },
    "sigmoid": jax.nn.sigmoid,
    "erf": jax.scipy.special.erf,
    "stop": jax.lax.stop_gradient,
    "cast": lambda x, dtype: x.astype(dtype),
    "sum": lambda x, axes: jnp.sum(x, axes),
    "cumsum": lambda x, axis: jnp.cumsum(x, axis),
    "inverse": jnp.linalg.inv,
    "logdet": lambda x: jnp.linalg.slogdet(x)[1],
    "cholesky": jnp.linalg.cholesky,
}


def differentiate(problem: Problem) -> Evaluation:
    """The loss and the gradients of a recorded function, by JAX's `value_and_grad` under `jit`.

    Args:
        problem: of a `Traced` model.

    Returns:
        The answer, without outputs.
    """
    model = problem.model
    assert isinstance(model, Traced)
    rows = arguments_of(problem)
    loss = model.constant_loss
    if model.loss.number == CONSTANT:
        slopes = [np.zeros(block.stop - block.start) for block in model.arguments]
    else:
        with isolated(np.dtype("float64")):
            leaves = [jnp.asarray(rows[block.dtype][block.start - 1 : block.stop - 1]) for block in model.arguments]
            options = options_to_compile_quickly()
            value, slopes = jax.jit(jax.value_and_grad(partial(_loss, model)), compiler_options=options)(leaves)
            loss, slopes = float(value), [np.asarray(slope) for slope in slopes]
    for block, slope in zip(model.arguments, slopes, strict=True):
        rows[block.dtype][block.start - 1 : block.stop - 1] = slope
    return Evaluation(loss, gradients_of(model, rows), None)


def _loss(model: Traced, leaves: list[Array]) -> Array:
    loss: Array = Assembly(model).carried_out(leaves, FUNCTIONS, ArraysOf(jnp.asarray, jnp.concatenate))
    return loss
