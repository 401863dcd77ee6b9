"""What a function can reach is found wherever it is held, under whatever name."""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict, deque, namedtuple

import numpy as np
import pytest

W, X = np.array([[0.5, -0.25], [1.0, 0.75]]), np.array([0.3, -0.6])
Layer = namedtuple("Layer", ["W", "b"])


# Where an array may be held


HOLDERS = {
    "a list": ([W], "held[0]", "held[0]"),
    "a list in a dict": ({"layers": [W]}, "held['layers'][0]", "held['layers'][0]"),
    "a tuple": ((1, W), "held[1]", "held[1]"),
    "a tuple in a tuple": ((1, (2, W)), "held[1][1]", "held[1][1]"),
    "a namedtuple": (Layer(W, 0.0), "held.W", "held[0]"),
    "a deque": (deque([W]), "held[0]", "held[0]"),
    "an OrderedDict": (OrderedDict(b=1, W=W), "held['W']", "held['W']"),
    "a defaultdict": (defaultdict(list, W=[W]), "held['W'][0]", "held['W'][0]"),
    "a SimpleNamespace": (types.SimpleNamespace(W=W), "held.W", "held.W"),
    "a mapping that cannot be written to": (types.MappingProxyType({"W": W}), "held['W']", "held['W']"),
    "an array of objects": (np.array([W, None], dtype=object), "held[0]", "held[0]"),
    "a bound method of NumPy": (W.dot, "np.asarray(held.__self__)", "held"),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_an_array_is_found_in(name, program, gradients):
    held, expression, path = HOLDERS[name]
    if name == "a bound method of NumPy":
        module = program("import numpy as np\ndef loss(held, x):\n    return np.tanh(held(x)).sum()")
    else:
        module = program(f"import numpy as np\ndef loss(held, x):\n    return np.tanh({expression} @ x).sum()")
    gradients(module.loss, {"held": held, "x": X}, [path, "x"])
    np.testing.assert_array_equal(W, [[0.5, -0.25], [1.0, 0.75]])


SOURCES = {
    "a global": ("W = np.ones((2, 2)) / 3\ndef loss(x):\n    return np.tanh(W @ x).sum()", "W"),
    "a global of the same name as an argument": (
        "x = np.ones((2, 2)) / 3\ndef inner(y):\n    return x @ y\ndef loss(x):\n    return np.tanh(inner(x)).sum()",
        "program.x",
    ),
    "a default": ("def loss(x, W=np.ones((2, 2)) / 3):\n    return np.tanh(W @ x).sum()", "W"),
    "a default of a keyword": ("def loss(x, *, W=np.ones((2, 2)) / 3):\n    return np.tanh(W @ x).sum()", "W"),
    "a default of another function": (
        "def layer(x, W=np.ones((2, 2)) / 3):\n    return W @ x\ndef loss(x):\n    return np.tanh(layer(x)).sum()",
        "layer.W",
    ),
    "a closure": (
        """
        def make():
            W = np.ones((2, 2)) / 3
            def loss(x):
                return np.tanh(W @ x).sum()
            return loss
        loss = make()
        """,
        "W",
    ),
    "a function's attribute": (
        "def loss(x):\n    return np.tanh(loss.W @ x).sum()\nloss.W = np.ones((2, 2)) / 3",
        "loss.W",
    ),
    "a class": (
        "class Net:\n    W = np.ones((2, 2)) / 3\ndef loss(x):\n    return np.tanh(Net.W @ x).sum()",
        "Net.W",
    ),
    "a class that is inherited from": (
        """
        def classes():
            class Base:
                W = np.ones((2, 2)) / 3
            class Net(Base):
                pass
            return Net
        Net = classes()
        def loss(x):
            return np.tanh(Net.W @ x).sum()
        """,
        "Base.W",
    ),
    "an object": (
        """
        class Net:
            def __init__(self):
                self.W = np.ones((2, 2)) / 3
            def loss(self, x):
                return np.tanh(self.W @ x).sum()
        loss = Net().loss
        """,
        "self.W",
    ),
    "an object that is called": (
        """
        class Net:
            def __init__(self):
                self.W = np.ones((2, 2)) / 3
            def __call__(self, x):
                return np.tanh(self.W @ x).sum()
        loss = Net()
        """,
        "self.W",
    ),
    "an object of an object": (
        """
        class Net:
            pass
        net = Net()
        net.layer = Net()
        net.layer.params = {"W": np.ones((2, 2)) / 3}
        def loss(x):
            return np.tanh(net.layer.params["W"] @ x).sum()
        """,
        "net.layer.params['W']",
    ),
    "a slot": (
        """
        class Net:
            __slots__ = ("W", "h")
            def __init__(self):
                self.W = np.ones((2, 2)) / 3
            def loss(self, x):
                self.h = self.W @ x
                return np.tanh(self.h).sum()
        loss = Net().loss
        """,
        "self.W",
    ),
    "a private slot": (
        """
        class Net:
            __slots__ = ("__W",)
            def __init__(self):
                self.__W = np.ones((2, 2)) / 3
            def loss(self, x):
                return np.tanh(self.__W @ x).sum()
        loss = Net().loss
        """,
        "self._Net__W",
    ),
    "a frozen dataclass with slots": (
        """
        from dataclasses import dataclass
        @dataclass(frozen=True, slots=True)
        class Net:
            W: np.ndarray
        net = Net(np.ones((2, 2)) / 3)
        def loss(x):
            return np.tanh(net.W @ x).sum()
        """,
        "net.W",
    ),
    "a property": (
        """
        class Net:
            def __init__(self):
                self._W = np.ones((2, 2)) / 3
            @property
            def W(self):
                return self._W
        net = Net()
        def loss(x):
            return np.tanh(net.W @ x).sum()
        """,
        "net._W",
    ),
    "a dict with attributes": (
        """
        class Params(dict):
            def __getattr__(self, name):
                return self[name]
            def __setitem__(self, name, value):
                raise TypeError("it cannot be written to")
        params = Params(W=np.ones((2, 2)) / 3)
        def loss(x):
            return np.tanh(params.W @ x).sum()
        """,
        "params['W']",
    ),
    "an attribute of a dict": (
        """
        class Params(dict):
            pass
        params = Params()
        params.W = np.ones((2, 2)) / 3
        def loss(x):
            return np.tanh(params.W @ x).sum()
        """,
        "params.W",
    ),
    "an attribute of a list": (
        """
        class Layers(list):
            pass
        layers = Layers()
        layers.W = np.ones((2, 2)) / 3
        def loss(x):
            return np.tanh(layers.W @ x).sum()
        """,
        "layers.W",
    ),
    "an object in a set": (
        """
        class Net:
            pass
        nets = {Net()}
        for net in nets:
            net.W = np.ones((2, 2)) / 3
        del net
        def loss(x):
            return sum(np.tanh(net.W @ x).sum() for net in nets)
        """,
        "nets{}.W",
    ),
    "a partial function": (
        """
        from functools import partial
        def layer(W, x):
            return W @ x
        first = partial(layer, np.ones((2, 2)) / 3)
        def loss(x):
            return np.tanh(first(x)).sum()
        """,
        "firstargs[0]",
    ),
    "a keyword of a partial function": (
        """
        from functools import partial
        def layer(x, W):
            return W @ x
        first = partial(layer, W=np.ones((2, 2)) / 3)
        def loss(x):
            return np.tanh(first(x)).sum()
        """,
        "first.W",
    ),
    "an Enum": (
        """
        import enum
        class Kind(enum.Enum):
            FIRST = 1
            def __init__(self, number):
                self.W = np.ones((2, 2)) / 3
        def loss(x):
            return np.tanh(Kind.FIRST.W @ x).sum()
        """,
        "Kind._member_map_['FIRST'].W",
    ),
    "what a cached function reads": (
        """
        from functools import lru_cache
        W = np.ones((2, 2)) / 3
        @lru_cache
        def doubled(n):
            return n * W
        doubled(2)
        def loss(x):
            return np.tanh(doubled(2) @ x).sum()
        """,
        "W",
    ),
    "what a cached static method reads": (
        """
        from functools import lru_cache
        class Net:
            W = np.ones((2, 2)) / 3
            @staticmethod
            @lru_cache(maxsize=None)
            def doubled(n):
                return n * Net.W
        Net.doubled(2)
        def loss(x):
            return np.tanh(Net.doubled(2) @ x).sum()
        """,
        "Net.W",
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_an_array_is_found_in_the_program_in(name, program, gradients):
    source, path = SOURCES[name]
    module = program("import numpy as np\n" + __import__("textwrap").dedent(source))
    gradients(module.loss, {"x": X}, [path, "x"])


def test_one_array_in_two_places_is_one_array(program, gradients):
    module = program(
        """
        import numpy as np
        class Net:
            def __init__(self):
                self.W = np.ones((2, 2)) / 3
                self.params = {"W": self.W, "again": [self.W.T]}
            def loss(self, x):
                return np.tanh(self.W @ x).sum() + np.sin(self.params["W"] @ x + self.params["again"][0] @ x).sum()
        net = Net()
        """
    )
    gradients(module.net.loss, {"x": X}, ["self.W", "x"])


def test_a_cached_function_tells_apart_numbers_that_are_equal(program, gradients):
    module = program(
        """
        from functools import lru_cache
        @lru_cache
        def square(number):
            return number * number
        def loss(w):
            return square(w[0]) + 3 * square(w[1])
        """
    )
    assert gradients(module.loss, {"w": np.ones(2)}, ["w"])["w"].tolist() == [2.0, 6.0]
