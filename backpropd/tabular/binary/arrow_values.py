"""From Arrow's many types to the three of a table's columns: float64, strings and `timestamp[us]`."""

import base64
import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backpropd.errors import NotATable
from backpropd.tabular.cells.dates import FIRST_INSTANT, LAST_INSTANT
from backpropd.tabular.columns import MAX_WHOLE
from backpropd.tabular.lossless_numbers import parse_numbers
from backpropd.tabular.messages import quoted

TEXT, NUMBER, DATE = "text", "number", "date"
DATES = pa.timestamp("us")
_IS = pa.types
_NESTED = (_IS.is_list, _IS.is_large_list, _IS.is_fixed_size_list, _IS.is_list_view, _IS.is_large_list_view, _IS.is_map)
_TEXTS = (_IS.is_string, _IS.is_large_string, _IS.is_string_view, _IS.is_boolean, _IS.is_time)
_BYTES = (_IS.is_binary, _IS.is_large_binary, _IS.is_fixed_size_binary, _IS.is_binary_view)
_NUMBERS = (_IS.is_integer, _IS.is_floating, _IS.is_decimal, _IS.is_duration, _IS.is_null)
_DATES = (_IS.is_date, _IS.is_timestamp)


def kind_of_type(name: str, type: pa.DataType) -> str:
    """`text`, `number` or `date` for a column of this type. Raises `NotATable` for a type that is none of them."""
    kinds = ((TEXT, (*_TEXTS, *_BYTES, *_NESTED)), (NUMBER, _NUMBERS), (DATE, _DATES))
    value = plain_type(type)
    for kind, tests in kinds:
        if any(test(value) for test in tests):
            return TEXT if _IS.is_dictionary(type) else kind
    raise NotATable(f"the column {quoted(name)} has the type {type}, which no table of this service has: leave it out")


def plain_type(type: pa.DataType) -> pa.DataType:
    """The type of the values, whether they are stored as they are, by a dictionary, in runs or as an extension."""
    while True:
        if _IS.is_dictionary(type) or _IS.is_run_end_encoded(type):
            type = type.value_type
        elif isinstance(type, pa.BaseExtensionType):
            type = type.storage_type
        else:
            return type


def plain_values(values: pa.Array) -> pa.Array:
    """The values as an array of their `plain_type`."""
    while plain_type(values.type) != values.type:
        if _IS.is_dictionary(values.type):
            values = values.dictionary_decode()
        elif _IS.is_run_end_encoded(values.type):
            values = pc.run_end_decode(values)
        else:
            values = values.storage
    return values


def is_nested(type: pa.DataType) -> bool:
    """Whether the values are lists or maps, which become JSON."""
    return any(test(plain_type(type)) for test in _NESTED)


def to_text(name: str, values: pa.Array) -> pa.StringArray:
    """Plain values as trimmed strings; an empty one is missing.

    Booleans are `true` and `false`, whole numbers have no decimals, lists are JSON. Raises `NotATable` for bytes that
    are not UTF-8.
    """
    if any(test(values.type) for test in _NESTED):
        return pa.array([None if each is None else _json(each) for each in values.to_pylist()], pa.string())
    if any(test(values.type) for test in _BYTES):
        values = _decoded(name, values)
    elif _IS.is_date(values.type) or (_IS.is_timestamp(values.type) and values.type.tz):
        values = to_dates(values)[0]
    elif _IS.is_duration(values.type):
        values = to_numbers(values)
    texts = values.cast(pa.string())
    if _IS.is_temporal(values.type):
        texts = pc.replace_substring_regex(texts, r"( 00:00:00)?\.0+$", "")
    elif pc.any(pc.match_substring(texts, "\0")).as_py():
        raise NotATable(f"the column {quoted(name)} has a value with the character NUL: remove it")
    texts = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(pc.binary_length(texts), 0), pa.scalar(None, pa.string()), texts)


def _decoded(name: str, values: pa.Array) -> pa.Array:
    try:
        return values.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid as error:
        raise NotATable(
            f"the column {quoted(name)} holds bytes that are not text: leave it out, or send numbers instead"
        ) from error


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def to_numbers(values: pa.Array) -> pa.DoubleArray | None:
    """Plain values as float64, or None if one of them cannot be represented without loss.

    NaN is missing, durations are seconds; infinities remain.
    """
    if _IS.is_decimal(values.type):
        return parse_numbers(values.cast(pa.string()))
    if _IS.is_duration(values.type):
        unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[values.type.unit]
        return pc.divide(values.cast(pa.int64()).cast(pa.float64(), safe=False), unit)
    if _IS.is_integer(values.type) and not _fits(values):
        return None
    numbers = values.cast(pa.float64())
    if not _IS.is_floating(values.type):
        return numbers
    is_nan = pc.is_nan(numbers)
    return pc.if_else(is_nan, pa.scalar(None, pa.float64()), numbers) if pc.any(is_nan).as_py() else numbers


def _fits(values: pa.Array) -> bool:
    extremes = pc.min_max(values).as_py()
    return extremes["min"] is None or max(-extremes["min"], extremes["max"]) < MAX_WHOLE


def to_dates(values: pa.Array) -> tuple[pa.TimestampArray, pa.Array]:
    """Dates or timestamps as `timestamp[us]`, in UTC where they have a time zone; and a mask of those out of range.

    What is not in the years 1 to 9999 is missing.
    """
    ticks, micros = _ticks(values)
    out = pc.or_(pc.less(ticks, FIRST_INSTANT // micros), pc.greater(ticks, LAST_INSTANT // micros))
    kept = pc.if_else(out, pa.scalar(None, pa.int64()), ticks)
    return pc.multiply(kept, micros).cast(DATES), out


def _ticks(values: pa.Array) -> tuple[pa.Int64Array, int]:
    """Whole numbers since 1970, and the microseconds of one."""
    if _IS.is_date32(values.type):
        return values.cast(pa.int32()).cast(pa.int64()), 86_400_000_000
    unit = "ms" if _IS.is_date64(values.type) else values.type.unit
    if unit == "ns":
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return values.cast(pa.int64()), {"s": 1_000_000, "ms": 1000}.get(unit, 1)
