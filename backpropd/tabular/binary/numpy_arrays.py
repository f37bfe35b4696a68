"""NumPy's vectors as arrays of Arrow."""

from typing import Any

import numpy as np
import pyarrow as pa

from backpropd.errors import NotATable
from backpropd.tabular.messages import quoted

MICROSECONDS = {"Y": 3.2e13, "M": 2.7e12, "W": 6.1e11, "D": 8.7e10, "h": 3.6e9, "m": 6e7, "s": 1e6, "ms": 1e3}
MAX_MICROSECONDS = 2.0**62

Array = np.ndarray[Any, Any]


def is_structured(array: Array) -> bool:
    """Whether the elements have named fields."""
    return array.dtype.names is not None


def to_arrow(name: str, values: Array) -> pa.Array:
    """A vector (n,) as an array. Raises `NotATable` for a type or values that no column has."""
    kind = values.dtype.kind
    if values.ndim != 1 or values.dtype.names is not None or values.dtype.itemsize == 0:
        raise _refused(name, values.dtype)
    if kind in "fiub" and values.dtype.itemsize <= 8:
        return pa.array(np.ascontiguousarray(values, values.dtype.newbyteorder("=")))
    if kind == "S":
        return pa.array(values.tolist(), pa.binary())
    if kind == "U":
        return pa.array(_texts(name, values), pa.string())
    if kind in "Mm":
        return _instants(name, values)
    raise _refused(name, values.dtype)


def _texts(name: str, values: Array) -> list[str]:
    try:
        texts: list[str] = values.tolist()
        "".join(texts).encode()
    except (UnicodeError, ValueError, SystemError) as error:
        raise NotATable(f"the column {quoted(name)} has codes that are no characters: save it again") from error
    return texts


def _instants(name: str, values: Array) -> pa.Array:
    """Dates and durations in microseconds."""
    unit, step = np.datetime_data(values.dtype)
    if unit == "generic":
        raise _refused(name, values.dtype)
    ticks = np.abs(values[~np.isnat(values)].astype(np.int64).astype(float))
    if (ticks * step * MICROSECONDS.get(unit, 1.0) > MAX_MICROSECONDS).any():
        raise NotATable(f"the column {quoted(name)} has dates or durations that are out of range")
    return pa.array(values.astype(f"{values.dtype.kind}8[us]"))


def _refused(name: str, dtype: Any) -> NotATable:
    of = f"the column {quoted(name)}" if name else "the array"
    return NotATable(
        f"{of} has the type {str(dtype)[:100]}, which no table of this service has: save numbers or strings"
    )
