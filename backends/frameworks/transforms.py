"""Transformations such as `jax.jit` and `torch.func.grad`, inside which a framework computes nothing definite."""

from __future__ import annotations

import sys
import traceback

from ..errors import InsideTransformError, first_line, is_authors, show_frame


def require_no_transform(name: str, error: BaseException) -> None:
    """Raises an error that names the host's line, if a backend failed since the host called from a transformation.

    Args:
        name: of the backend that raised.
        error: what it raised, with its traceback.

    Raises:
        InsideTransformError: the error came through JAX or PyTorch, which is tracing or transforming the host's call.
    """
    for module, (is_inside, framework, example) in TRANSFORMS.items():
        if module in sys.modules and _came_through(error, module) and is_inside():
            own = [frame for frame in traceback.extract_stack() if is_authors(frame.filename)]
            place = f" ({show_frame(own[-1])})" if own else ""
            raise InsideTransformError(
                f"gradparity was called inside a transformation of {framework} such as {example}{place}: "
                f"call it outside. There {name} raised {first_line(error)}"
            ) from error


def _came_through(error: BaseException, module: str) -> bool:
    """Whether an error came through code that uses a framework; else the framework may not even be initialized."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(frame.f_globals.get(module) is sys.modules[module] for frame in frames)


def _is_inside_jax() -> bool:
    import jax

    return isinstance(jax.numpy.zeros(()), jax.core.Tracer)


def _is_inside_torch() -> bool:
    import torch

    try:
        torch.zeros(()).requires_grad_()
    except RuntimeError:  # PyTorch refuses this in a transformation, and has no public way to ask
        return True
    return False


TRANSFORMS = {
    "jax": (_is_inside_jax, "JAX", "jax.jit"),
    "torch": (_is_inside_torch, "PyTorch", "torch.func.grad"),
}
