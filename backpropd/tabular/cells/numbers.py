"""Cells in the notation of their column as plain numbers, and as float64."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backpropd.tabular.cells.notation import MULTIPLIERS, NumberNotation
from backpropd.tabular.lossless_numbers import parse_numbers

_WORDS = pa.array([*MULTIPLIERS], pa.string())
_EXPONENTS = pa.array([f"e{exponent}" for exponent in MULTIPLIERS.values()], pa.string())


def plain_numbers(cells: pa.StringArray, notation: NumberNotation) -> pa.StringArray:
    """Tidied cells as plain numbers such as `-1299.99` or `30.32e3`, null where a cell is none in this notation."""
    parts = dict(zip(_names(found := pc.extract_regex(cells, notation.pattern)), found.flatten(), strict=True))
    body = pc.replace_substring(parts["body"], "-", "")
    if notation.thousands:
        body = pc.replace_substring(body, notation.thousands, "")
    if notation.decimal != ".":
        body = pc.replace_substring(body, notation.decimal, ".")
    negative = pc.or_(
        pc.or_(pc.equal(parts["sign"], "-"), pc.equal(parts["inner"], "-")),
        pc.or_(pc.equal(parts["minus"], "-"), pc.equal(parts["open"], "(")),
    )
    numbers = pc.binary_join_element_wise(pc.if_else(negative, "-", ""), body, _exponent(parts), "")
    balanced = pc.equal(pc.equal(parts["open"], "("), pc.equal(parts["close"], ")"))
    return pc.if_else(balanced, numbers, pa.scalar(None, pa.string()))


def _names(found: pa.StructArray) -> list[str]:
    return [field.name for field in found.type]


def _exponent(parts: dict[str, pa.StringArray]) -> pa.StringArray:
    """The exponent of each number as `e3`, or an empty string."""
    exponent, multiplier = parts["exponent"], parts["multiplier"]
    written = pc.if_else(pc.equal(exponent, ""), "", pc.binary_join_element_wise("e", exponent, ""))
    position = pc.index_in(multiplier, value_set=_WORDS)
    return pc.coalesce(_EXPONENTS.take(position), written)


def to_float64(numbers: pa.StringArray, *, exact: bool) -> pa.DoubleArray | None:
    """Plain numbers as finite float64, null where the string is null or the number is too large.

    With `exact`, None if a float64 loses something of one of them, by the rule in `columns`.
    """
    found = parse_numbers(numbers)
    if found is not None or exact:
        return found
    x = numbers.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return pa.array(x, mask=~np.isfinite(x))


def mask_of_nulls(cells: pa.Array) -> NDArray[np.bool_]:
    """Which values (n,) are null."""
    mask: NDArray[np.bool_] = cells.is_null().to_numpy(zero_copy_only=False)
    return mask
