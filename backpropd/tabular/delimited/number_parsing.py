"""Numerals: text becomes float64, a block at a time, if a float64 keeps what is written."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
MOST_WHOLE = 2.0**53  # from here on, different whole numbers become the same float64
WHOLE = r"^[+-]?\d+\.?0*$"
NOT_ZERO = r"^[+-]?[0.]*[1-9]"
SHORTEST_UNDERFLOW = len("1e-324")


def numbers_in(cells: pa.StringArray) -> pa.DoubleArray | None:
    """The cells as float64, or None if one is no number by the rule in `columns`; spaces around do not count."""
    try:
        numbers = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        cells = pc.ascii_trim_whitespace(cells)
        try:
            numbers = cells.cast(pa.float64())
        except pa.ArrowInvalid:
            return None
    x = numbers.drop_null().to_numpy() if numbers.null_count else numbers.to_numpy()
    return numbers if _kept(cells.drop_null() if cells.null_count else cells, x) else None


def _kept(cells: pa.StringArray, x: NDArray[Any]) -> bool:
    """Whether the float64 `x` (n,) lose nothing of the cells (n,) they were read from."""
    if not len(x):
        return True
    low, high = float(x.min()), float(x.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        return False
    if max(-low, high) >= MOST_WHOLE and _any(cells, np.abs(x) >= MOST_WHOLE, WHOLE):
        return False
    if low <= 0 <= high and _any(cells, (x == 0) & _as_long_as_an_underflow(cells), NOT_ZERO):
        return False
    return not _padded(cells)


def _any(cells: pa.StringArray, suspects: NDArray[np.bool_], pattern: str) -> bool:
    """Whether one of the suspects is written like this: patterns are dear, so only few cells meet one."""
    return bool(suspects.any()) and pc.any(pc.match_substring_regex(cells.filter(suspects), pattern)).as_py()


def _as_long_as_an_underflow(cells: pa.StringArray) -> NDArray[np.bool_]:
    lengths: NDArray[np.int32] = pc.binary_length(cells).to_numpy()
    return lengths >= SHORTEST_UNDERFLOW


def _padded(cells: pa.StringArray) -> bool:
    """Whether a number has a digit behind a leading zero, as `007`: from the bytes, for every cell is looked at."""
    _, offsets, letters = cells.buffers()
    edges = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    byte = np.frombuffer(letters, np.uint8)
    starts, ends = edges[:-1], edges[1:]
    sign = byte[starts]
    starts = starts + ((sign == ord("+")) | (sign == ord("-")))
    seconds = (starts + 1)[(byte[starts] == ord("0")) & (starts + 1 < ends)]
    return bool((byte[seconds] - np.uint8(ord("0")) < 10).any())
