"""Cells as float64, a block at a time, if a float64 represents every one of them without loss."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.columns import MAX_WHOLE

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
WHOLE = r"^[+-]?\d+\.?0*$"
NONZERO = r"^[+-]?[0.]*[1-9]"
LEADING_ZERO = "^[+-]?0[0-9]"
PHONE_NUMBER = r"^\+[0-9]{7,}$"
MIN_UNDERFLOW_LENGTH = len("1e-324")


def parse_numbers(cells: pa.StringArray) -> pa.DoubleArray | None:
    """The cells as float64, ignoring spaces around them; None if one is no number by the rule in `columns`."""
    try:
        numbers = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        cells = pc.ascii_trim_whitespace(cells)
        try:
            numbers = cells.cast(pa.float64())
        except pa.ArrowInvalid:
            return None
    x = numbers.drop_null().to_numpy() if numbers.null_count else numbers.to_numpy()
    return numbers if _is_lossless(cells.drop_null() if cells.null_count else cells, x) else None


def find_lossy(cells: pa.StringArray) -> NDArray[np.bool_]:
    """Which cells (n,), null or plain numbers without spaces and plus, are why `parse_numbers` gives None."""
    x = cells.cast(pa.float64()).to_numpy(zero_copy_only=False)
    lossy = np.isinf(x)
    for suspects, pattern in ((np.abs(x) >= MAX_WHOLE, WHOLE), (x == 0, NONZERO), (~np.isnan(x), LEADING_ZERO)):
        matches = pc.fill_null(pc.match_substring_regex(cells, pattern), False)
        lossy |= suspects & matches.to_numpy(zero_copy_only=False)
    mask: NDArray[np.bool_] = lossy
    return mask


def _is_lossless(cells: pa.StringArray, x: NDArray[Any]) -> bool:
    """Whether the float64 `x` (n,) represent the cells (n,) without loss."""
    if not len(x):
        return True
    low, high = float(x.min()), float(x.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        return False
    if max(-low, high) >= MAX_WHOLE and _any_matches(cells, np.abs(x) >= MAX_WHOLE, WHOLE):
        return False
    if low <= 0 <= high:
        may_underflow = (x == 0) & (pc.binary_length(cells).to_numpy() >= MIN_UNDERFLOW_LENGTH)
        if _any_matches(cells, may_underflow, NONZERO):
            return False
    return not _hold_codes(cells)


def _any_matches(cells: pa.StringArray, suspects: NDArray[np.bool_], pattern: str) -> bool:
    """Whether a suspect matches; regular expressions are expensive, so few cells are tested."""
    return bool(suspects.any()) and pc.any(pc.match_substring_regex(cells.filter(suspects), pattern)).as_py()


def _hold_codes(cells: pa.StringArray) -> bool:
    """Whether a number has a digit behind a leading zero, as `007`, or may be for a phone, as `+491701234567`.

    It reads the bytes, because every cell is tested.
    """
    _, offsets, characters = cells.buffers()
    edges = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    byte = np.frombuffer(characters, np.uint8)
    starts, ends = edges[:-1], edges[1:]
    sign = byte[starts]
    if _any_matches(cells, sign == ord("+"), PHONE_NUMBER):
        return True
    starts = starts + ((sign == ord("+")) | (sign == ord("-")))
    seconds = (starts + 1)[(byte[starts] == ord("0")) & (starts + 1 < ends)]
    return bool((byte[seconds] - np.uint8(ord("0")) < 10).any())
