"""Backends that the benchmark times or refuses, as the text of a module."""

CANDIDATES = '''
import os
from gradparity.backends.references.manual_backend import ManualBackend

class Right(ManualBackend):
    name = "right"

class Wrong(ManualBackend):
    name = "wrong"
    def prepare(self, problem):
        run = super().prepare(problem)
        def changed():
            loss, gradients = run()
            return loss, gradients | {"W": gradients["W"] * 1.001}
        return changed

class Silent(ManualBackend):
    """Its evaluate is right, and its timed call is not."""
    name = "silent"
    def prepare(self, problem):
        run = super().prepare(problem)
        return lambda: (run()[0], {})

class Odd(ManualBackend):
    name = "outliers"
    def prepare(self, problem):
        return lambda: self.evaluate(problem)

class Telling(ManualBackend):
    name = "telling"
    def prepare(self, problem):
        raise ValueError(f"{len(os.sched_getaffinity(0))} core, {os.environ['OMP_NUM_THREADS']} thread")

class Dying(ManualBackend):
    name = "dying"
    def prepare(self, problem):
        os._exit(7)

class Unable(ManualBackend):
    name = "unable"
    def supports(self, model, dtype):
        return "it has no LSTM" if model.cell == "lstm" else ""
'''
