"""Tensors of the Open Inference Protocol: from JSON or bytes to cells, and from predictions to JSON or bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backpropd import errors
from backpropd.learn.predictions import Output
from backpropd.tabular.inputs.conversion import Cells
from backpropd.tabular.inputs.json_rows import cells_from_json

NUMBERS = {
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    "FP16": "<f2",
    "BF16": "<u2",
    "FP32": "<f4",
    "FP64": "<f8",
    "BOOL": "?",
}
WORDS = np.array(["false", "true"], object)
KINDS = {"f": "FP64", "b": "BOOL", "O": "BYTES"}  # of arrays of outputs


def cells_from_data(data: Sequence[Any], datatype: str, pointer: str) -> Cells:
    """The cells of a tensor's `data`, nested or not. Raises `errors.Invalid` for values of other types.

    Null is a missing value, except among integers and booleans.
    """
    nested = bool(data) and all(isinstance(each, list) for each in data)
    values = list(chain.from_iterable(data)) if nested else data
    allowed = _json_types(datatype)
    if not set(map(type, values)) <= allowed:
        index = next(index for index, each in enumerate(values) if type(each) not in allowed)
        raise errors.Invalid.from_problems([errors.Problem(pointer, f"value {index} (from 0) is not {datatype}")])
    if values and "INT" in datatype:
        bounds = np.iinfo(NUMBERS[datatype])
        if not bounds.min <= min(values) <= max(values) <= bounds.max:
            raise errors.Invalid.from_problems([errors.Problem(pointer, f"a value is outside the range of {datatype}")])
    return cells_from_json(values)


def _json_types(datatype: str) -> set[type]:
    if datatype == "BYTES":
        return {str, type(None)}
    if datatype == "BOOL":
        return {bool}
    return {int} if "INT" in datatype else {int, float, type(None)}


def cells_from_bytes(data: memoryview, datatype: str, count: int, pointer: str) -> Cells:
    """The cells of a tensor of `count` elements in binary form. Raises `errors.Invalid` if the bytes do not fit."""
    if datatype == "BYTES":
        return Cells(pa.array(_strings(data, count, pointer), pa.string()))
    dtype = np.dtype(NUMBERS[datatype])
    if len(data) != count * dtype.itemsize:
        detail = f"{count} elements of {datatype} have {count * dtype.itemsize} bytes, not {len(data)}"
        raise errors.Invalid.from_problems([errors.Problem(pointer, detail)])
    values = np.frombuffer(data, dtype)
    if datatype == "BOOL":
        return Cells(pa.array(WORDS[values.astype(np.intp)], pa.string()))
    if datatype == "BF16":  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return Cells(pa.array(values.astype(np.float64), from_pandas=True))


def _strings(data: memoryview, count: int, pointer: str) -> list[str]:
    """Strings, each after its length as four bytes, the lowest first."""
    try:
        found = [str(each, "utf-8") for each in _elements(data)]
    except UnicodeDecodeError as error:
        raise errors.Invalid.from_problems([errors.Problem(pointer, "BYTES are text here: send UTF-8")]) from error
    except (struct.error, IndexError) as error:
        detail = "the bytes end within an element: each is its length as 4 bytes, little-endian, and so many bytes"
        raise errors.Invalid.from_problems([errors.Problem(pointer, detail)]) from error
    if len(found) != count:
        detail = f"the bytes have {len(found)} elements, and the shape has {count}"
        raise errors.Invalid.from_problems([errors.Problem(pointer, detail)])
    return found


def _elements(data: memoryview) -> Iterator[memoryview]:
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        at += 4 + length
        if at > len(data):
            raise IndexError(at)
        yield data[at - length : at]


@dataclass(frozen=True)
class OutputTensor:
    """An output: numbers or truth values (rows,) or (rows, columns), or strings (rows,) as objects."""

    name: str
    values: NDArray[Any]

    @property
    def datatype(self) -> str:
        """Its name in the protocol."""
        return KINDS[self.values.dtype.kind]

    def to_bytes(self) -> bytes:
        """The binary form."""
        if self.datatype != "BYTES":
            return self.values.tobytes()
        encoded = [each.encode() for each in self.values]
        return b"".join(part for each in encoded for part in (struct.pack("<I", len(each)), each))


def output_tensors(blocks: Iterable[Sequence[Output]]) -> list[OutputTensor]:
    """The outputs of all blocks: `label` and `probabilities`, `labels` and `probabilities`, or `value`."""
    parts: dict[str, list[NDArray[Any]]] = {}
    for outputs in blocks:
        for member, columns in groupby(outputs, key=lambda output: output.member):
            parts.setdefault(member, []).append(_joined(list(columns)))
    return [OutputTensor(member, np.concatenate(arrays)) for member, arrays in parts.items()]


def _joined(columns: Sequence[Output]) -> NDArray[Any]:
    arrays = [_array(column.values) for column in columns]
    return arrays[0] if columns[0].key is None else np.column_stack(arrays)


def _array(values: pa.Array) -> NDArray[Any]:
    plain = values.cast(pa.string()) if pa.types.is_dictionary(values.type) else values
    found: NDArray[Any] = plain.to_numpy(zero_copy_only=False)
    return found
