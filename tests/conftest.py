"""Shapes are checked by beartype wherever `gradparity.manual` is called in this test run."""

from __future__ import annotations

import gc
import importlib
import os
import typing

# Where nothing compiled is kept, as in many containers, every process of a test would compile all of gradparity anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Several processes share the cores: a thread of torch that has nothing to do sleeps, and does not wait by counting.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# These are loaded before TYPE_CHECKING is set, which is meant for gradparity.manual alone: jax does not survive it.
import beartype  # noqa: F401
import hypothesis
import jax  # noqa: F401
import numpy  # noqa: F401
import pytest
import torch
from jaxtyping import install_import_hook

# A run that somebody waits for tries every property on few examples, the same each time; a campaign tries it on many.
# The tests that ask for a number of their own ask `sampling.examples`, so that these profiles scale them, too.
hypothesis.settings.register_profile("default", deadline=None, max_examples=30, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.register_profile("explore-a-little", deadline=None, max_examples=150)  # what .ci/run has time for
hypothesis.settings.load_profile("default")

with install_import_hook("gradparity.manual", "beartype.beartype"):
    typing.TYPE_CHECKING = True  # so that the names in the annotations exist when they are evaluated
    importlib.import_module("gradparity.manual")
    typing.TYPE_CHECKING = False


def pytest_collection_finish():
    """What is loaded by now stays: the collector of garbage need not look through it again and again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def same_weights_in_every_run():
    """PyTorch's layers draw their weights from its one generator, which earlier tests have moved."""
    torch.manual_seed(0)
