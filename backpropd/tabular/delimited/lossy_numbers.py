"""Signs that a float64 may have lost something of a number that Arrow converted.

Leading zeros (`007`) and phone numbers (`+491701234567`) are searched for in the bytes, infinities and whole numbers of
2^53 and beyond among the values, and underflows (`1e-400`) in the bytes if there is a 0 among the values. A false alarm
costs time and never a value, because `lossless_numbers` then decides cell by cell. The bytes are whole rows without
quotes.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backpropd.tabular.columns import MAX_WHOLE

WINDOW_BYTES = 96 * 1024  # its temporary arrays stay in a core's cache, and are too small to be mapped anew each time
OVERLAP = 4  # no pattern is longer than five bytes
MANY_ZEROS = b"0" * 64  # without an exponent of three digits, a number underflows only after more than 200 zeros

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def may_hold_codes(chunk: memoryview, delimiter: str) -> bool:
    """Whether a cell may begin like `007`, perhaps behind spaces and a sign, or with a plus and several digits."""
    is_edge = _lookup_table(b"\r\n" + delimiter.encode())
    is_prefix = _lookup_table(b" \t\v\f+-")
    return any(
        _has_leading_zero(window, is_edge, is_prefix) or _has_plus(window, is_edge | is_prefix)
        for window in _windows(chunk)
    )


def may_be_out_of_range(block: pa.RecordBatch, chunk: memoryview) -> bool:
    """Whether a number of the block may be too large or too small for a float64 to represent without loss."""
    columns = [column.drop_null() for column in block.columns if column.type == pa.float64()]
    x = pa.concat_arrays(columns).to_numpy() if columns else np.empty(0)
    if len(x) and not (x.min() > -MAX_WHOLE and x.max() < MAX_WHOLE):  # also true of NaN
        return True
    return bool((x == 0).any()) and any(
        _has_small_exponent(window) or _has_many_zeros(window) for window in _windows(chunk)
    )


def _windows(chunk: memoryview) -> Iterator[Bytes]:
    """Overlapping windows of the bytes; the first one shows the beginning as if a line ended before it."""
    yield np.frombuffer(b"\n\n" + chunk[: 2 * OVERLAP] + b"\n\n", np.uint8)
    characters = np.frombuffer(chunk, np.uint8)
    for start in range(0, len(chunk), WINDOW_BYTES):
        yield characters[max(start - OVERLAP, 0) : start + WINDOW_BYTES]


def _lookup_table(characters: bytes) -> Mask:
    table = np.zeros(256, np.bool_)
    table[[*characters]] = True
    return table


def _has_leading_zero(window: Bytes, is_edge: Mask, is_prefix: Mask) -> bool:
    zeros = window[2:-1] == ord("0")
    zeros &= _is_digit(window[3:])
    zeros &= window[1:-2] - np.uint8(ord(".")) > ord("9") - ord(".")  # most zeros are within a number: `1.002`
    offsets = np.flatnonzero(zeros) + 2
    before, two_before = window[offsets - 1], window[offsets - 2]
    return bool((is_edge[before] | (is_prefix[before] & (is_edge | is_prefix)[two_before])).any())


def _has_plus(window: Bytes, is_before: Mask) -> bool:
    """Whether a plus stands at the beginning of a cell and before three digits; those of exponents do not."""
    offsets = np.flatnonzero(window[1:-3] == ord("+")) + 1
    begins = is_before[window[offsets - 1]]
    return bool((begins & _is_digit(window[offsets + 1]) & _is_digit(window[offsets + 3])).any())


def _has_small_exponent(window: Bytes) -> bool:
    exponents = window[:-4] | 0x20 == ord("e")
    exponents &= window[1:-3] == ord("-")
    offsets = np.flatnonzero(exponents)
    return bool(
        (_is_digit(window[offsets + 2]) & _is_digit(window[offsets + 3]) & _is_digit(window[offsets + 4])).any()
    )


def _has_many_zeros(window: Bytes) -> bool:
    eights = window[: len(window) // 8 * 8].view(np.uint64) == 0x3030303030303030
    return bool(eights.any()) and MANY_ZEROS in window.tobytes()


def _is_digit(characters: Bytes) -> Mask:
    found: Mask = characters - np.uint8(ord("0")) < 10
    return found
