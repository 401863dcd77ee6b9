"""The arrays of an ONNX graph that are known without running it: initializers, constants, and what moves their numbers.

What is folded moves numbers and computes nothing: Identity, Cast, Transpose, Squeeze, Unsqueeze, Reshape, Slice and
Concat. External data (ONNX's `docs/ExternalData.md`) is read from inside the file's folder only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import InvalidProblemError, first_line, printable
from .limits import MAX_DEPTH, Budget

QUANTIZED = ("DequantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "DequantizeBFP")


class NotConstant(Exception):  # noqa: N818 # an answer, and no error
    """The array is not known without running the graph; the message says why."""


class Constants:
    """The constant arrays of a graph, and of the graphs around it.

    Args:
        path: of the file.
        graph: an `onnx.GraphProto`.
        budget: what the file's arrays may take.
        outer: the constants of the graph in which this one stands.
    """

    def __init__(self, path: Path, graph: Any, budget: Budget, outer: Constants | None = None) -> None:
        self.path, self.budget, self.outer = path, budget, outer
        self.tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.makers = {name: node for node in graph.node for name in node.output}
        self.made: dict[str, np.ndarray] = {}

    def array(self, name: str, depth: int = 0) -> np.ndarray:
        """The array of that name.

        Raises:
            NotConstant: it is not known without running the graph.
            InvalidProblemError: its numbers are not in the file, or too large.
        """
        if depth > MAX_DEPTH:
            raise NotConstant(f"{shown(name)} is made by more than {MAX_DEPTH} nodes")
        if name not in self.made:
            if name in self.tensors:
                self.made[name] = self.tensor(self.tensors[name])
            elif name in self.makers:
                self.made[name] = self._fold(self.makers[name], name, depth)
            elif self.outer:
                return self.outer.array(name, depth + 1)
            else:
                raise NotConstant(f"{shown(name)} is given when the model runs")
        return self.made[name]

    def tensor(self, tensor: Any) -> np.ndarray:
        """The array of a TensorProto."""
        name = shown(tensor.name)
        try:
            itemsize = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        except (KeyError, TypeError, ValueError):
            raise NotConstant(f"{name} has no dtype that NumPy has") from None
        self.budget.take_array(name, tensor.dims, itemsize)
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor = self._with_external_data(tensor)
        if math.prod(tensor.dims) > tensor.ByteSize():  # every number takes a byte at least
            raise InvalidProblemError(f"{self.path}: damaged: {name} has fewer numbers than its shape needs")
        try:
            array = numpy_helper.to_array(tensor)
        except Exception as error:  # whatever onnx and NumPy make of damaged bytes
            raise InvalidProblemError(f"{self.path}: damaged: {name}: {first_line(error)}") from error
        return array.astype("f4") if array.dtype.name == "bfloat16" else array

    def _with_external_data(self, tensor: Any) -> Any:
        """The tensor with its numbers, from a file inside the folder of the model."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location, folder = entries.get("location", ""), self.path.parent.resolve()
        place = (folder / location).resolve()
        if not location or not place.is_relative_to(folder):
            where = f"{shown(tensor.name)} is in {printable(location)!r}"
            raise InvalidProblemError(f"{self.path}: {where}, expected a file in the same folder")
        itemsize = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        size = math.prod(tensor.dims) * itemsize
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
            with place.open("rb") as file:
                file.seek(offset)
                content = file.read(size)
        except (OSError, ValueError) as error:
            raise InvalidProblemError(f"{self.path}: {printable(location)}: cannot be read: {error}") from error
        if length != size or len(content) != size:
            where = f"{self.path}: {printable(location)}"
            raise InvalidProblemError(f"{where}: {shown(tensor.name)} has another size there than its shape needs")
        whole = onnx.TensorProto()
        whole.CopyFrom(tensor)
        whole.ClearField("external_data")
        whole.data_location, whole.raw_data = TensorProto.DEFAULT, content
        return whole

    def _fold(self, node: Any, name: str, depth: int) -> np.ndarray:
        if node.op_type == "Constant":
            attributes = attributes_of(node)
            if "value" in attributes:
                return self.tensor(attributes["value"])
            if "value_ints" in attributes or "value_int" in attributes:
                return np.array(attributes.get("value_ints", attributes.get("value_int")), "i8")
            if "value_floats" in attributes or "value_float" in attributes:
                return np.array(attributes.get("value_floats", attributes.get("value_float")), "f4")
        if node.op_type not in FOLDED:
            quantized = "quantized: " if node.op_type in QUANTIZED else ""
            raise NotConstant(f"{quantized}{shown(name)} comes out of {shown(node.op_type)}")
        arrays = [self.array(argument, depth + 1) if argument else None for argument in node.input]
        self.budget.take_array(name, (sum(array.nbytes for array in arrays if array is not None),), 1)
        try:
            return FOLDED[node.op_type](attributes_of(node), *arrays)
        except Exception as error:  # of a graph that does not fit together
            raise NotConstant(f"{shown(name)}: {first_line(error)}") from error


def shown(text: str | bytes) -> str:
    """A text of a model, fit to be printed. What is no UTF-8 comes as bytes."""
    return printable(text.decode(errors="replace") if isinstance(text, bytes) else text)


def attributes_of(node: Any) -> dict[str, Any]:
    """The attributes of a node by name; text as str."""
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}

    def as_text(value: Any) -> Any:
        return shown(value) if isinstance(value, bytes) else value

    return {
        name: [as_text(item) for item in value] if isinstance(value, list) else as_text(value)
        for name, value in values.items()
    }


def _cast(attributes: Mapping[str, Any], array: np.ndarray) -> np.ndarray:
    dtype = helper.tensor_dtype_to_np_dtype(attributes["to"])
    return array.astype("f4" if dtype.name == "bfloat16" else dtype)


def _axes(attributes: Mapping[str, Any], axes: np.ndarray | None) -> tuple[int, ...] | None:
    given = attributes.get("axes") if axes is None else axes
    return None if given is None else tuple(int(axis) for axis in given)


def _squeeze(attributes: Mapping[str, Any], array: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    return np.squeeze(array, _axes(attributes, axes))


def _unsqueeze(attributes: Mapping[str, Any], array: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    return np.expand_dims(array, _axes(attributes, axes) or ())


def _reshape(attributes: Mapping[str, Any], array: np.ndarray, shape: np.ndarray) -> np.ndarray:
    copied = not attributes.get("allowzero")
    return array.reshape([array.shape[k] if size == 0 and copied else int(size) for k, size in enumerate(shape)])


def _slice(attributes: Mapping[str, Any], array: np.ndarray, *of_inputs: np.ndarray | None) -> np.ndarray:
    names = ("starts", "ends", "axes", "steps")
    given = dict(zip(names, of_inputs, strict=False)) if of_inputs else {n: attributes.get(n) for n in names}
    starts, ends, axes, steps = (given.get(name) for name in names)
    assert starts is not None
    assert ends is not None
    slices = [slice(None)] * array.ndim
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis, step = (k if axes is None else int(axes[k])), (1 if steps is None else int(steps[k]))
        slices[axis] = slice(int(start), int(end) if step > 0 or end > -array.shape[axis] else None, step)
    return array[tuple(slices)]


FOLDED: dict[str, Callable[..., np.ndarray]] = {
    "Identity": lambda attributes, array: array,
    "Cast": _cast,
    "Transpose": lambda attributes, array: np.transpose(array, attributes.get("perm")),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Slice": _slice,
    "Concat": lambda attributes, *arrays: np.concatenate(arrays, attributes["axis"]),
}
