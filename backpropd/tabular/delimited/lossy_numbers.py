"""Signs that a float64 may have lost something of a number that Arrow converted.

Leading zeros (`007`) and phone numbers (`+491701234567`) are searched for in the bytes, infinities and whole numbers of
2^53 and beyond among the values, and underflows (`1e-400`) in the bytes if there is a 0 among the values. A false alarm
costs time and never a value, because `lossless_numbers` then decides cell by cell. The bytes are whole rows without
quotes.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backpropd.tabular.columns import MAX_WHOLE
from backpropd.tabular.delimited.byte_patterns import literal

WINDOW_BYTES = 192 * 1024  # its temporary arrays stay in a core's cache, and are too small to be mapped anew each time
OVERLAP = 4  # no pattern is longer than five bytes
LINE_ENDS = b"\n" * 3
INSIDE_NUMBERS = frozenset("+-./0123456789eE")
MANY_ZEROS = b"0" * 64  # without an exponent of three digits, a number underflows only after more than 200 zeros

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def code_pattern(delimiter: str) -> str:
    """What finds cells that begin like `007`, perhaps behind spaces and a sign, or with a plus and several digits."""
    edge, prefix = literal(b"\r\n" + delimiter.encode()), literal(b" \t\v\f+-")
    return rf"(?:^|[{edge}])[{prefix}]*0[0-9]|(?:^|[{edge}{prefix}])\+[0-9](?s:.)[0-9]"


def may_begin_with_zeros(chunk: memoryview, delimiter: str) -> bool:
    """False only if no cell begins like `007`: several times as fast as the search for `code_pattern`."""
    if delimiter in INSIDE_NUMBERS:
        return True
    beginning = np.frombuffer(LINE_ENDS + bytes(chunk[: OVERLAP + 1]), np.uint8)
    return any(map(_has_leading_zero, itertools.chain([beginning], _windows(chunk))))


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
    """Overlapping windows of the bytes."""
    characters = np.frombuffer(chunk, np.uint8)
    for start in range(0, len(chunk), WINDOW_BYTES):
        yield characters[max(start - OVERLAP, 0) : start + WINDOW_BYTES]


def _has_leading_zero(window: Bytes) -> bool:
    """Whether a 0 stands before a digit, and neither behind a digit or point nor in an exponent as in `1e-05`.

    No delimiter is one of `INSIDE_NUMBERS`.
    """
    digits = window - np.uint8(ord("0"))
    found = digits[2:-1] == 0
    found &= digits[3:] < 10
    digits += np.uint8(ord("0") - ord("."))
    found &= digits[1:-2] > 11  # from the point to 9 there are 12 characters
    if not found.any():
        return False
    offsets = np.flatnonzero(found)
    is_exponent = (window[offsets] | 0x20 == ord("e")) & (window[offsets + 1] == ord("-"))
    return not is_exponent.all()


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
