"""NumPy is exchanged under whatever name a program has it, in all modules that it imports."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from gradparity.backends.tracing.trace import trace

W, X = np.array([[0.5, -0.25], [1.0, 0.75]]), np.array([0.3, -0.6])


FILL = """
    h[:] = x
    return (h * h).sum()
"""
NAMES = {
    "numpy": "import numpy\ndef loss(x):\n    h = numpy.zeros(2)" + FILL,
    "np": "import numpy as np\ndef loss(x):\n    h = np.zeros(2)" + FILL,
    "one function": "from numpy import zeros\ndef loss(x):\n    h = zeros(2)" + FILL,
    "one function under another name": "from numpy import zeros as z\ndef loss(x):\n    h = z(2)" + FILL,
    "all functions": "from numpy import *\ndef loss(x):\n    h = zeros(2)" + FILL,
    "of a helper": "from helper import *\ndef loss(x):\n    h = act(zeros(2))" + FILL,
    "in a helper": "import helper\ndef loss(x):\n    h = helper.filled(x)" + FILL,
    "in a package": "from pack.sub import filled\ndef loss(x):\n    h = filled(x)" + FILL,
    "of a package": "import pack.sub\ndef loss(x):\n    h = pack.sub.filled(x)" + FILL,
    "in a dict": "import numpy\nmake = {'zeros': numpy.zeros}\ndef loss(x):\n    h = make['zeros'](2)" + FILL,
    "as a default": "import numpy\ndef loss(x, make=numpy.zeros):\n    h = make(2)" + FILL,
    "in a class": "import numpy\nclass Net:\n    xp = numpy\ndef loss(x):\n    h = Net.xp.zeros(2)" + FILL,
    "in an object": (
        "import numpy, types\nheld = types.SimpleNamespace(make=numpy.zeros)\ndef loss(x):\n    h = held.make(2)" + FILL
    ),
    "in the function": "def loss(x):\n    import numpy as np\n    h = np.zeros(2)" + FILL,
    "one function in the function": "def loss(x):\n    from numpy import zeros\n    h = zeros(2)" + FILL,
    "a helper in the function": "def loss(x):\n    import helper\n    h = helper.filled(x)" + FILL,
    "by importlib": "import importlib\ndef loss(x):\n    h = importlib.import_module('numpy').zeros(2)" + FILL,
    "by a function of importlib": (
        "from importlib import import_module as get\ndef loss(x):\n    h = get('numpy').zeros(2)" + FILL
    ),
    "by what import calls": "def loss(x):\n    h = __import__('numpy').zeros(2)" + FILL,
    "in a function without a file": (
        "def made():\n    names = {}\n    exec('import numpy\\ndef zeros(n): return numpy.zeros(n)', names)\n"
        "    return names['zeros']\nzeros = made()\ndef loss(x):\n    h = zeros(2)" + FILL
    ),
    "in a partial function": (
        "import numpy, functools\nmake = functools.partial(numpy.zeros, 2)\ndef loss(x):\n    h = make()" + FILL
    ),
}
HELPER = """
from numpy import zeros, tanh as act
scale = zeros(2) + 0.5
def filled(x):
    h = zeros(len(x))
    for t in range(len(x)):
        h[t] = act(x[t]) * scale[t]
    return h
"""


@pytest.mark.parametrize("name", NAMES)
def test_numpy_is_found(name, program, gradients):
    beside = {"helper": HELPER, "pack.__init__": "", "pack.sub": "from helper import filled"}
    module = program(NAMES[name], **beside)
    gradients(module.loss, {"x": X}, ["x"])


def test_an_array_of_a_module_that_is_imported_in_the_function_is_found(program, gradients):
    module = program("def loss(x):\n    import helper\n    return helper.filled(x).sum()", helper=HELPER)
    gradients(module.loss, {"x": X}, ["scale", "x"])


def test_a_function_with_a_decorator_is_looked_into(program, gradients):
    module = program(
        """
        import numpy as np
        from functools import wraps
        def checked(function):
            @wraps(function)
            def call(*arguments):
                return function(*arguments)
            return call
        W = np.ones((2, 2)) / 3
        @checked
        def loss(x):
            return np.tanh(W @ x).sum()
        """
    )
    gradients(module.loss, {"x": X}, ["W", "x"])


def test_an_argument_that_is_a_partial_function_is_looked_into(gradients):
    layer = functools.partial(np.matmul, W)
    gradients(lambda layer, x: np.tanh(layer(x)).sum(), {"layer": layer, "x": X}, ["layerargs[0]", "x"])


def test_a_property_that_is_computed_once_is_looked_into(program, gradients):
    helper = """
        import numpy as np
        from functools import cached_property
        class Layer:
            @cached_property
            def buffer(self):
                return np.zeros(2)
    """
    module = program("from helper import Layer\ndef loss(x):\n    h = Layer().buffer" + FILL, helper=helper)
    gradients(module.loss, {"x": X}, ["x"])


def test_an_array_of_the_functions_own_module_has_the_short_name(program, gradients):
    own = """
        import helper
        import numpy as np
        scale = np.ones(2)
        def loss(x):
            return helper.filled(x) @ scale
    """
    gradients(program(own, helper=HELPER).loss, {"x": X}, ["scale", "helper.scale", "x"])


CLASSES = [
    "type(w * 2) is np.ndarray",
    "type(w > 0) is np.ndarray",
    "type(float(w[0])) is float",
    "type(w[0]) == np.float64",
    "type(w[0]) in (float, np.float64)",
    "type(w.tolist()[0]).__name__ == 'float'",
    "{float: 1, np.ndarray: 2}[type(float(w[0]))] == 1",
    "isinstance(w, type(w + 1))",
    "np.zeros(2, dtype=type(w[0])).dtype == np.float64",
    "type(Net()) is Net and type(Net) is type and type(float) is type",
    "isinstance(Net, type) and isinstance(float, type) and not isinstance(w, type)",
    "issubclass(Kind, type) and Kind('Made', (), {}).tag == 1",
    "type('Made', (Net,), {'tag': 2}).tag == 2",
]


@pytest.mark.parametrize("asked", CLASSES)
def test_the_class_of_what_is_recorded_is_the_one_that_a_program_asks_for(asked, program):
    source = f"""
        import numpy as np
        class Net:
            pass
        def loss(w):
            class Kind(type):
                def __new__(cls, name, bases, names):
                    return type.__new__(cls, name, bases, {{**names, "tag": 1}})
            return {asked}
    """
    loss = program(source).loss
    assert loss(X) is True
    assert trace(loss, {"w": X}).returned is True
