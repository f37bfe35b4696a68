"""Doubts about numbers that Arrow read by itself: whether a float64 may have lost something of a cell.

Leading zeros (`007`) are looked for in the bytes, infinities and whole numbers of 2^53 and beyond among the values, and
what became 0 (`1e-400`) in the bytes again, where there is a 0. A doubt costs time, never a value: it may be about a
cell that loses nothing, and `numerals` has the last word. The bytes are whole rows, without quotes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backpropd.tabular.delimited.number_parsing import MOST_WHOLE

CHUNK_BYTES = 96 * 1024  # what is made of it stays in a core's cache, and below what the system maps anew each time
OVERLAP = 4  # no pattern is longer than five bytes
MANY_ZEROS = b"0" * 64  # without an exponent of three digits, a number becomes 0 only after more than 200

Bytes = NDArray[np.uint8]
Marks = NDArray[np.bool_]


def on_leading_zeros(piece: memoryview, delimiter: str) -> bool:
    """Whether a cell seems to begin like `007`, perhaps behind spaces and a sign."""
    edges = _marked(b"\r\n" + delimiter.encode())
    soft = _marked(b" \t\v\f+-")
    return any(_has_leading_zero(chunk, edges, soft) for chunk in _chunks(piece))


def on_size(block: pa.RecordBatch, piece: memoryview) -> bool:
    """Whether a number of the block may be too large, or too small, for a float64 to keep it as it stands."""
    columns = [column.drop_null() for column in block.columns if column.type == pa.float64()]
    x = pa.concat_arrays(columns).to_numpy() if columns else np.empty(0)
    if len(x) and not (x.min() > -MOST_WHOLE and x.max() < MOST_WHOLE):  # NaN is in no range
        return True
    return bool((x == 0).any()) and any(_has_small_exponent(chunk) or _has_zeros(chunk) for chunk in _chunks(piece))


def _chunks(piece: memoryview) -> Iterator[Bytes]:
    yield np.frombuffer(b"\n\n" + piece[: 2 * OVERLAP] + b"\n\n", np.uint8)
    letters = np.frombuffer(piece, np.uint8)
    for start in range(0, len(piece), CHUNK_BYTES):
        yield letters[max(start - OVERLAP, 0) : start + CHUNK_BYTES]


def _marked(letters: bytes) -> Marks:
    marks = np.zeros(256, np.bool_)
    marks[[*letters]] = True
    return marks


def _has_leading_zero(chunk: Bytes, edges: Marks, soft: Marks) -> bool:
    zeros = chunk[2:-1] == ord("0")
    zeros &= _digits(chunk[3:])
    zeros &= chunk[1:-2] - np.uint8(ord(".")) > ord("9") - ord(".")  # most are within a number: `1.002`
    places = np.flatnonzero(zeros) + 2
    before, further = chunk[places - 1], chunk[places - 2]
    return bool((edges[before] | (soft[before] & (edges | soft)[further])).any())


def _has_small_exponent(chunk: Bytes) -> bool:
    exponents = chunk[:-4] | 0x20 == ord("e")
    exponents &= chunk[1:-3] == ord("-")
    places = np.flatnonzero(exponents)
    return bool((_digits(chunk[places + 2]) & _digits(chunk[places + 3]) & _digits(chunk[places + 4])).any())


def _has_zeros(chunk: Bytes) -> bool:
    eights = chunk[: len(chunk) // 8 * 8].view(np.uint64) == 0x3030303030303030
    return bool(eights.any()) and MANY_ZEROS in chunk.tobytes()


def _digits(letters: Bytes) -> Marks:
    found: Marks = letters - np.uint8(ord("0")) < 10
    return found
