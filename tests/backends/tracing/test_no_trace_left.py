"""A call leaves everything as it was, also if it raises; and it can be said what it changed."""

from __future__ import annotations

import copy
import random
from collections import OrderedDict, deque

import numpy as np
import pytest
from gradparity.backends.tracing.array import RecordedArray
from gradparity.backends.tracing.recorder import NotRecordableError
from gradparity.backends.tracing.trace import call, changes_of, trace

RUNS = {
    "a plain call": lambda function, arguments: call(function, arguments),
    "a call with other numbers": lambda function, arguments: call(function, arguments, {"w": np.full(3, 0.25)}),
    "a recorded call": lambda function, arguments: trace(function, arguments),
    "a call that says what it changed": lambda function, arguments: changes_of(function, arguments),
}

MODULE = """
import functools
import random
import numpy as np
rng = np.random.default_rng(1)
own = random.Random(2)
legacy = np.random.RandomState(3)
hidden = np.arange(3.0)
cache = {"h": hidden, "n": 0}
history = [1]
seen = {1}

@functools.lru_cache
def shifted(n):
    return n + np.zeros(3)

class Net:
    count = 0
    def __init__(self):
        self.W = np.ones(3)
        self.step = 0
        self.old = "here"

class Slots:
    __slots__ = ("W", "h")
    def __init__(self):
        self.W = np.ones(3)

net, slots = Net(), Slots()

def loss(w, scale=[1.0]):
    global added, history
    h = w * shifted(2) * net.W * slots.W
    hidden[0] = 7
    w[1] = 5
    cache["n"] += 1
    cache["x"] = h
    del cache["h"]
    history.append(h)
    history = None
    seen.add(2)
    added = h
    net.W = net.W * 2
    net.step += 1
    net.new = h
    del net.old
    Net.count += 1
    Net.other = h
    slots.W = h
    slots.h = h
    loss.calls = 1
    scale[0] = 3.0
    np.random.rand()
    random.random()
    rng.standard_normal(2)
    own.random()
    legacy.rand()
    np.seterr(over="raise")
    if FAILS:
        raise ValueError("at the end")
    return (h * h).sum()
"""


def state_of(module):
    """All that the function can change, in values of its own."""
    names = {
        name: copy.deepcopy(value)
        for name, value in vars(module).items()
        if name in ("hidden", "cache", "history", "seen", "added")
    }
    held = [copy.deepcopy(vars(module.net)), dict(vars(module.loss)), copy.deepcopy(module.loss.__defaults__)]
    classes = {name: value for name, value in vars(module.Net).items() if not name.startswith("__")}
    slots = {name: copy.deepcopy(getattr(module.slots, name)) for name in ("W", "h") if hasattr(module.slots, name)}
    sources = [
        np.random.mtrand._rand.get_state(),
        random.getstate(),
        module.rng.bit_generator.state,
        module.own.getstate(),
    ]
    return [sorted(vars(module)), names, held, classes, slots, sources, module.legacy.get_state(), np.geterr()]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("run", RUNS)
def test_everything_is_afterwards_as_it_was(run, fails, program):
    module = program(MODULE + f"\nFAILS = {fails}")
    w = np.array([1.0, 2.0, 3.0])
    before, ids = state_of(module), {name: id(value) for name, value in vars(module).items()}
    if fails:
        with pytest.raises(ValueError, match="at the end"):
            RUNS[run](module.loss, {"w": w})
    else:
        RUNS[run](module.loss, {"w": w})
    np.testing.assert_equal(state_of(module), before)
    assert {name: id(value) for name, value in vars(module).items()} == ids
    np.testing.assert_array_equal(w, [1.0, 2.0, 3.0])
    assert module.shifted.cache_info().currsize == 0
    assert type(module.net.W) is np.ndarray
    assert not isinstance(module.shifted(3), RecordedArray)


def test_a_call_says_what_it_changed(program):
    module = program(MODULE + "\nFAILS = False")
    assert set(changes_of(module.loss, {"w": np.array([1.0, 2.0, 3.0])})) == {
        *("np.seterr", "np.random", "random", "rng", "own", "legacy"),
        *("w", "hidden", "cache['n']", "cache['x']", "cache['h']", "history", "seen", "added", "scale[0]"),
        *("net.W", "net.step", "net.new", "net.old", "Net.count", "Net.other", "slots.W", "slots.h", "loss.calls"),
    }


def test_a_call_that_changes_nothing_says_so(program):
    module = program(
        """
        import numpy as np
        from functools import lru_cache, partial
        @lru_cache
        def two(n):
            return 2.0
        half = partial(two, 3)
        def loss(w, held):
            held["h"] = held["h"]
            w[0] = w[0]
            return (w * two(1) * half()).sum()
        """
    )
    assert changes_of(module.loss, {"w": np.ones(3), "held": {"h": np.full(2, np.nan)}}) == []


def test_the_order_of_a_dict_and_the_shape_of_an_array_are_put_back():
    def loss(names, ordered, w, held):
        names["a"] = names.pop("a")
        ordered.move_to_end("a")
        w.shape = (-1,)
        held.rotate(1)
        return float((w * w).sum())

    names, ordered, w, held = {"a": 1, "b": 2}, OrderedDict(a=1, b=2), np.ones((2, 2)), deque([1, 2], maxlen=2)
    call(loss, {"names": names, "ordered": ordered, "w": w, "held": held})
    assert list(names) == list(ordered) == ["a", "b"]
    assert w.shape == (2, 2)
    assert list(held) == [1, 2]


def test_a_variable_of_an_enclosing_function_is_put_back():
    count = 0

    def loss(w):
        nonlocal count, late
        count, late = count + 1, w
        return (w * w).sum()

    if count:
        late = None

    w = np.ones(2)
    for run in RUNS.values():
        run(loss, {"w": w} if run is not RUNS["a call with other numbers"] else {"w": np.ones(3)})
    assert count == 0
    with pytest.raises(NameError):
        late  # noqa: B018 # nothing is in it
    assert changes_of(loss, {"w": w}) == ["count", "late"]


def test_an_objects_dict_that_is_replaced_comes_back():
    class Net:
        def __init__(self):
            self.W = np.ones(2)

        def loss(self, x):
            self.__dict__ = {"W": self.W + x}
            return (self.W * self.W).sum()

    net = Net()
    names = net.__dict__
    call(net.loss, {"x": np.ones(2)})
    trace(net.loss, {"x": np.ones(2)})
    assert net.__dict__ is names
    np.testing.assert_array_equal(net.W, [1, 1])


def test_an_array_that_may_not_be_written_to_keeps_its_flag():
    w = np.ones(2)
    w.flags.writeable = False
    call(lambda w: (w * w).sum(), {"w": w}, {"w": np.zeros(2)})
    assert not w.flags.writeable
    np.testing.assert_array_equal(w, [1, 1])


def test_numbers_that_may_be_written_to_through_a_view_alone_are_put_back():
    whole = np.ones(3)
    part = whole[:2]
    whole.flags.writeable = False

    def loss(whole, part):
        part[0] = 7
        return whole.sum()

    arguments = {"whole": whole, "part": part}
    assert call(loss, arguments) == 9
    assert changes_of(loss, arguments) == ["whole", "part"]
    np.testing.assert_array_equal(whole, [1, 1, 1])


def test_the_mask_of_an_array_is_put_back():
    masked = np.ma.masked_array([1.0, 2.0], [False, True])

    def loss(masked):
        masked[0] = np.ma.masked
        masked[1] = 5
        return 0.0

    call(loss, {"masked": masked})
    assert masked.mask.tolist() == [False, True]
    assert masked.data.tolist() == [1.0, 2.0]


def test_what_is_left_as_it_is_in_a_recorded_call_is_put_back_too():
    names = np.array(["a", "b"])

    def loss(w, names):
        names[0] = "z"
        return (w * w).sum()

    trace(loss, {"w": np.ones(2), "names": names})
    assert names.tolist() == ["a", "b"]


class Stubborn(random.Random):
    def setstate(self, state):
        raise NotImplementedError("it goes on")


def test_one_thing_that_cannot_be_put_back_does_not_keep_the_others():
    held, w = {"n": 1}, np.ones(2)

    def loss(held, source, w):
        held["n"] = 2
        w[0] = source.random()
        return 0.0

    with pytest.raises(NotImplementedError, match="it goes on"):
        call(loss, {"held": held, "source": Stubborn(1), "w": w})
    assert held == {"n": 1}
    np.testing.assert_array_equal(w, [1, 1])


def test_a_source_that_has_no_state_is_passed_over():
    assert call(lambda source: source.random() < 1, {"source": random.SystemRandom()})


@pytest.mark.parametrize("make", [lambda: (n for n in (1.0, 2.0)), lambda: map(float, [1]), lambda: iter([1.0])])
def test_what_a_call_would_use_up_is_refused(make):
    with pytest.raises(NotRecordableError, match=r"steps is a .*, which a call uses up"):
        call(lambda w, steps: sum(steps) + w, {"w": 1.0, "steps": make()})


def test_what_python_itself_holds_is_no_part_of_a_namespace_that_a_program_made():
    made = {}
    exec("def loss(w): return w @ w", made)
    assert changes_of(lambda w: made["loss"](w), {"w": np.ones(2)}) == []
