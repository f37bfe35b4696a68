"""From a request of the Open Inference Protocol to rows."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from flask import request

from backpropd import errors
from backpropd.errors import Problem, pointer
from backpropd.learn import Model
from backpropd.tabular.column_names import first_repeated
from backpropd.tabular.inputs.conversion import Cells
from backpropd.tabular.inputs.tensor_rows import TensorRows
from service.http.handover import SHORT_BYTES, hand_over
from service.http.parsing import read_body, validate
from service.http.sending import hold_memory
from service.http.strict_json import read_json
from service.limits.memory_limit import json_cost
from service.schemas.inference import InferenceInput, InferenceRequest
from service.services import services
from service.tensors import cells_from_bytes, cells_from_data

JSON_LENGTH = "Inference-Header-Content-Length"
BINARY = "application/octet-stream"
WINDOW_BITS = {"gzip": 31, "deflate": 15}  # of zlib


def hand_over_body() -> None:
    """Hand this request over, whatever its body is."""
    hand_over(services().settings.max_json_bytes)


def receive(model: Model) -> tuple[InferenceRequest, TensorRows]:
    """The request, and its rows.

    Raises `errors.UnsupportedMediaType`, `errors.TooLarge`, `errors.Malformed`, `errors.Invalid`.
    """
    if request.mimetype not in ("", "application/json", BINARY):
        raise errors.UnsupportedMediaType(f"send application/json, {BINARY} or no Content-Type here")
    body = _body(services().settings.max_json_bytes)
    length = _json_length(len(body))
    asked = validate(InferenceRequest, read_json(body[:length]))
    return asked, _rows(asked.inputs, memoryview(body)[length:], model)


def _body(limit: int) -> bytes:
    """The body, decompressed. Raises `errors.TooLarge` if it is then longer than `limit` bytes."""
    raw = read_body(request, limit, *WINDOW_BITS)
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    return _decompressed(raw, WINDOW_BITS[encoding], limit) if encoding in WINDOW_BITS else raw


def _decompressed(raw: bytes, window_bits: int, limit: int) -> bytes:
    decoder = zlib.decompressobj(window_bits)
    try:
        body = decoder.decompress(raw, SHORT_BYTES)
        if decoder.unconsumed_tail or not decoder.eof:
            hand_over(limit)
            body += decoder.decompress(decoder.unconsumed_tail, limit + 1 - len(body))
    except zlib.error as error:
        raise errors.Malformed("the body is not what its Content-Encoding says") from error
    if len(body) > limit:
        raise errors.TooLarge(f"the body is longer than {limit} bytes, the limit, when it is decompressed")
    if not decoder.eof or decoder.unused_data:
        raise errors.Malformed("the compressed body has an end before or after the end of the request")
    if len(body) > SHORT_BYTES:
        hold_memory(json_cost(len(body)))
    return body


def _json_length(length: int) -> int:
    given = request.headers.get(JSON_LENGTH, str(length))
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) <= length):
        raise errors.Malformed(f"{JSON_LENGTH} is the number of bytes of the JSON, at most {length} here")
    return int(given)


def _rows(inputs: Sequence[InferenceInput], binary: memoryview, model: Model) -> TensorRows:
    if repeated := first_repeated(each.name for each in inputs):
        raise _invalid("/inputs", f"the input {repeated[:100]!r} is sent twice")
    _check_shapes(inputs)
    cells, at = list[Cells](), 0
    for number, tensor in enumerate(inputs):
        size = tensor.parameters.binary_data_size or 0
        cells.append(_cells(tensor, binary[at : at + size], pointer("inputs", number)))
        at += size
    if at != len(binary):
        raise _invalid("/inputs", f"{len(binary)} bytes follow the JSON, and binary_data_size adds up to {at}")
    features = [info.name for info in model.encoder.column_infos]
    if _is_matrix(inputs, features):
        return TensorRows(_columns(cells[0], features), dict.fromkeys(features, pointer("inputs", 0)))
    return _named(inputs, cells)


def _check_shapes(inputs: Sequence[InferenceInput]) -> None:
    most, rows = services().settings.max_prediction_rows, inputs[0].shape[0]
    if not rows:
        raise _invalid("/inputs/0/shape", "there are no rows: send at least one")
    if rows > most:
        raise _invalid("/inputs/0/shape", f"the request has {rows} rows and the limit is {most}: send fewer")
    for number, each in enumerate(inputs):
        if each.shape[0] != rows:
            detail = f"there are {each.shape[0]} rows here and {rows} in the first input: send as many in each"
            raise _invalid(pointer("inputs", number, "shape"), detail)


def _cells(tensor: InferenceInput, binary: memoryview, where: str) -> Cells:
    """The cells of a tensor, row by row."""
    count, size = math.prod(tensor.shape), tensor.parameters.binary_data_size
    if (tensor.data is None) == (size is None):
        raise _invalid(where, "send either data or, with the values after the JSON, binary_data_size")
    if tensor.data is None:
        if len(binary) != size:
            raise _invalid(where, f"the body has only {len(binary)} of the {size} bytes of this input")
        return cells_from_bytes(binary, tensor.datatype, count, where)
    if not isinstance(tensor.data, list):
        raise _invalid(f"{where}/data", "send a JSON array here")
    cells = cells_from_data(tensor.data, tensor.datatype, f"{where}/data")
    if len(cells.values) != count:
        raise _invalid(f"{where}/data", f"there are {len(cells.values)} values, and the shape has {count}")
    return cells


def _is_matrix(inputs: Sequence[InferenceInput], features: Sequence[str]) -> bool:
    """Whether there is one input, of all features: by its width or, where there is one feature, by its other name."""
    if len(inputs) > 1:
        return False
    width = math.prod(inputs[0].shape[1:])
    return width == len(features) and (width > 1 or inputs[0].name not in features)


def _columns(cells: Cells, features: Sequence[str]) -> dict[str, Cells]:
    width = len(features)
    columns = (np.arange(column, len(cells.values), width) for column in range(width))
    return {name: Cells(cells.values.take(pa.array(rows))) for name, rows in zip(features, columns, strict=True)}


def _named(inputs: Sequence[InferenceInput], cells: Sequence[Cells]) -> TensorRows:
    for number, each in enumerate(inputs):
        if math.prod(each.shape[1:]) != 1:
            detail = "a column has the shape [rows] or [rows, 1], a matrix of all features has [rows, features]"
            raise _invalid(pointer("inputs", number, "shape"), detail)
    names = [each.name for each in inputs]
    pointers = {name: pointer("inputs", number) for number, name in enumerate(names)}
    return TensorRows(dict(zip(names, cells, strict=True)), pointers)


def _invalid(where: str, detail: str) -> errors.Invalid:
    return errors.Invalid.from_problems([Problem(where, detail)])
