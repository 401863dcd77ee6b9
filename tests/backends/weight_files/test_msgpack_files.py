"""Flax's msgpack: what Flax writes comes back to the bit, and what lies about itself is one line."""

from __future__ import annotations

import tracemalloc

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import msgpack
import numpy as np
import pytest
from gradparity.backends import InvalidProblemError
from gradparity.backends.weight_files import read_weight_file
from gradparity.backends.weight_files.msgpack_files import read_msgpack


class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.RNN(nn.OptimizedLSTMCell(4))(x)
        return nn.Dense(2)(nn.RNN(nn.GRUCell(4), name="unused")(x))


@pytest.fixture(scope="module")
def variables():
    return Model().init(jax.random.key(0), jnp.ones((1, 5, 3)))


def written(path, content):
    path.write_bytes(content)
    return path


def test_what_flax_writes_is_read(tmp_path, variables):
    path = written(tmp_path / "m.msgpack", flax.serialization.to_bytes(variables))
    file = read_weight_file(path)
    found = {layer.name: (layer.library, layer.cell, layer.input_size, layer.hidden_size) for layer in file.layers}
    assert found == {
        "params.OptimizedLSTMCell_0": ("flax-linen", "lstm", 3, 4),
        "params.GRUCell_0": ("flax-linen", "gru", 4, 4),
    }
    kernel = variables["params"]["OptimizedLSTMCell_0"]["hf"]["kernel"]
    np.testing.assert_array_equal(file.arrays["params.OptimizedLSTMCell_0.hf.kernel"], np.asarray(kernel))


def test_the_state_of_an_optimizer_is_no_layer(tmp_path, variables):
    state = {"params": variables["params"], "opt_state": {"0": {"mu": variables["params"]}}}
    file = read_weight_file(written(tmp_path / "m.msgpack", flax.serialization.msgpack_serialize(state)))
    assert [layer.name for layer in file.layers] == ["params.OptimizedLSTMCell_0", "params.GRUCell_0"]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "int8", "uint64", "bool"])
def test_every_dtype_comes_back(tmp_path, dtype):
    array = np.asarray(jnp.arange(6).reshape(2, 3).astype("bfloat16") if dtype == "bfloat16" else np.arange(6))
    array = array.astype(dtype) if dtype != "bfloat16" else array
    one = array.ravel()[1] if dtype != "bfloat16" else np.float32(1)
    packed = flax.serialization.msgpack_serialize({"a": array, "one": one, "text": "x", "nothing": None})
    arrays = read_msgpack(written(tmp_path / "m.msgpack", packed)).arrays
    np.testing.assert_array_equal(arrays["a"].astype("f8"), array.astype("f8"))
    assert arrays["one"] == 1


def test_arrays_in_chunks_are_joined(tmp_path, monkeypatch):
    monkeypatch.setattr(flax.serialization, "MAX_CHUNK_SIZE", 64)
    array = np.arange(60.0).reshape(3, 20)
    packed = flax.serialization.msgpack_serialize({"a": {"w": array}})
    np.testing.assert_array_equal(read_msgpack(written(tmp_path / "m.msgpack", packed)).arrays["a.w"], array)


def extension(shape, name, buffer, code=1):
    return msgpack.packb({"w": msgpack.ExtType(code, msgpack.packb((shape, name, buffer)))})


def nested(levels):
    return b"\x81\xa1a" * levels + b"\xc0"


LIES = {
    "no bytes": (extension((1 << 20, 1 << 20), "float32", b""), "larger than 2 GiB together"),
    "few bytes": (extension((3, 4), "float32", b"1234"), "another size than its shape"),
    "negative": (extension((-1, -4), "float32", bytes(16)), "has shape"),
    "dtype": (extension((1,), "object", b"12345678"), "an array is object, which NumPy has not"),
    "other": (extension((1,), "float32", b"1234", code=7), "an extension 7"),
    "parts": (msgpack.packb({"w": msgpack.ExtType(1, msgpack.packb(3))}), "damaged"),
    "complex": (msgpack.packb({"w": msgpack.ExtType(2, msgpack.packb((1.0, 2.0)))}), "an extension 2"),
    "deep": (nested(100), "more than 64 levels"),
    "very deep": (nested(100_000), "damaged"),
    "no map": (msgpack.packb([1, 2]), "no dictionary"),
    "long map": (b"\xdf\xff\xff\xff\xff", "damaged"),
    "long list": (b"\x81\xa1a\xdd\xff\xff\xff\xff", "damaged"),
    "many": (msgpack.packb({str(k): [[]] * 90_000 for k in range(9)}), "more than 100000 entries"),
    "trailing": (msgpack.packb({}) + b"\x00", "damaged"),
    "chunks": (msgpack.packb({"__msgpack_chunked_array__": True, "shape": {"0": 3}, "chunks": {}}), "damaged"),
}


@pytest.mark.parametrize("lie", LIES)
def test_files_that_lie_are_refused_in_one_line_and_in_little_memory(tmp_path, lie):
    content, message = LIES[lie]
    path = written(tmp_path / "m.msgpack", content)
    tracemalloc.start()
    with pytest.raises(InvalidProblemError, match=rf"^[^\n]*m\.msgpack: [^\n]*{message}[^\n]*$"):
        read_msgpack(path)
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()


def test_a_file_cut_short_anywhere_is_one_line(tmp_path, variables):
    whole = flax.serialization.to_bytes(variables)
    for size in range(0, len(whole), 53):
        with pytest.raises(InvalidProblemError, match=r"^[^\n]*m\.msgpack: damaged[^\n]*$"):
            read_msgpack(written(tmp_path / "m.msgpack", whole[:size]))
