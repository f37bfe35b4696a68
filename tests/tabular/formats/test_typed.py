"""Parquet and Arrow keep their types; lies in such files are refused."""

import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backpropd.errors import NotATable, TableTooLarge
from backpropd.tabular import ReadOptions, TableLimits
from tests.tabular.formats.reading import codes, kinds, read


def parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def arrow_file(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema, **options) as writer:
        writer.write_table(table)
    return out.getvalue()


def arrow_stream(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return out.getvalue()


Write = Callable[..., bytes]
WRITERS = [parquet, arrow_file, arrow_stream]
FORMATS = {parquet: "parquet", arrow_file: "arrow", arrow_stream: "arrow"}

CELLS = {
    "int": (pa.array([1, None, -3]), [1, None, -3]),
    "unsigned": (pa.array([1, None, 255], pa.uint8()), [1, None, 255]),
    "big": (pa.array([2**53, None, 1]), ["9007199254740992", None, "1"]),
    "huge": (pa.array([2**64 - 1, 0, None], pa.uint64()), ["18446744073709551615", "0", None]),
    "float": (pa.array([1.5, float("nan"), float("-inf")]), [1.5, None, None]),
    "half": (pa.array([1.5, None, 2.0], pa.float16()), [1.5, None, 2]),
    "decimal": (pa.array([Decimal("1.50"), None, Decimal("-3")]), [1.5, None, -3]),
    "long_decimal": (pa.array([Decimal(2**60), None, Decimal(1)]), ["1152921504606846976", None, "1"]),
    "text": (pa.array([" padded ", "", "b"]), ["padded", None, "b"]),
    "large_text": (pa.array(["x", None, "y"], pa.large_string()), ["x", None, "y"]),
    "dictionary": (pa.array(["x", None, "y"]).dictionary_encode(), ["x", None, "y"]),
    "boolean": (pa.array([True, None, False]), ["true", None, "false"]),
    "bytes": (pa.array([b"x", None, b"y"]), ["x", None, "y"]),
    "nothing": (pa.nulls(3), [None, None, None]),
    "list": (pa.array([[1, 2], None, []]), ["[1, 2]", None, "[]"]),
    "map": (pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())), ['[["k", 1]]', None, "[]"]),
    "duration": (pa.array([1500, None, 0], pa.duration("ms")), [1.5, None, 0]),
}  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", CELLS)
def test_a_column_of_each_type_keeps_its_values(tmp_path: Path, write: Write, name: str) -> None:
    values, expected = CELLS[name]
    table, rows = read(tmp_path, write(pa.table({"x": values, "row": [1, 2, 3]})))
    assert (table.format, table.dialect, table.rows) == (FORMATS[write], None, 3)
    assert [row["x"] for row in rows] == expected
    assert kinds(table)["row"] == "number"


@pytest.mark.parametrize("write", WRITERS)
def test_fields_of_structs_are_columns(tmp_path: Path, write: Write) -> None:
    rows = [{"s": {"a": 1, "t": {"b": "x"}}}, {"s": None}, {"s": {"a": None, "t": None}}]
    _, read_rows = read(tmp_path, write(pa.Table.from_pylist(rows)))
    assert read_rows == [{"s.a": 1, "s.t.b": "x"}, {"s.a": None, "s.t.b": None}, {"s.a": None, "s.t.b": None}]


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    columns = {"f": [1.0, float("inf")], "l": [[1], [2]], "n": [float("nan"), 1]}
    table, _ = read(tmp_path, parquet(pa.table(columns)))
    assert codes(table) == [("nested_values", "l"), ("cells_not_numbers", "f")]
    assert [(each.line, each.value) for each in table.warnings[1].examples] == [(2, "inf")]


def test_a_late_value_beyond_float64_makes_the_column_strings(tmp_path: Path) -> None:
    columns = {"a": [1] * 200_000 + [2**60], "b": [float("inf")] + [1.0] * 200_000}
    table, rows = read(tmp_path, parquet(pa.table(columns)))
    assert (table.rows, rows[0]["a"]) == (200_001, "1")
    assert [(each.column, each.count) for each in table.warnings if each.code == "cells_not_numbers"] == [("b", 1)]


def test_equal_names_get_numbers(tmp_path: Path) -> None:
    data = arrow_file(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["age", "age"]))
    table, rows = read(tmp_path, data)
    assert rows == [{"age": 1, "age_2": 2}]
    assert table.warnings


def test_options_apply_to_typed_columns(tmp_path: Path) -> None:
    data = parquet(pa.table({"zip": [2134, 10115], "x": [-999.0, 1.5]}))
    _, rows = read(tmp_path, data, ReadOptions(kinds={"zip": "category"}, missing=("-999", "none")))
    assert rows == [{"zip": "2134", "x": None}, {"zip": "10115", "x": 1.5}]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_buffers_are_read(tmp_path: Path, codec: str) -> None:
    data = arrow_file(pa.table({"a": [1] * 1000}), options=pa.ipc.IpcWriteOptions(compression=codec))
    assert read(tmp_path, data)[0].rows == 1000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([b"\xff\xfe"]), "the column 'x' holds bytes that are not text"),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "the column 'x' has the type month_day_nano_interval"),
        (pa.array(["a\0b"]), "'x' has a value with the character NUL"),
    ],
)
def test_a_column_that_no_table_has_is_refused_by_name(tmp_path: Path, values: pa.Array, message: str) -> None:
    with pytest.raises(NotATable, match=message):
        read(tmp_path, arrow_file(pa.table({"x": values})))


def test_limits_are_checked(tmp_path: Path) -> None:
    data = parquet(pa.table({"a": [1] * 10, "b": [2] * 10}))
    with pytest.raises(TableTooLarge, match="more than 9 rows, the maximum"):
        read(tmp_path, data, limits=TableLimits(rows=9))
    with pytest.raises(TableTooLarge, match="2 columns; the maximum is 1"):
        read(tmp_path, data, limits=TableLimits(columns=1))
    with pytest.raises(TableTooLarge, match="more than 9 rows"):
        read(tmp_path, arrow_stream(pa.table({"a": [1] * 10})), limits=TableLimits(rows=9))


@pytest.mark.parametrize("write", WRITERS)
def test_a_cut_off_file_is_refused(tmp_path: Path, write: Write) -> None:
    data = write(pa.table({"a": [dt.date(2020, 1, 1)] * 1000, "b": [str(n) for n in range(1000)]}))
    for end in (9, len(data) // 2, len(data) - 9):
        with pytest.raises(NotATable):
            read(tmp_path, data[:end])


def npy(array: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz(**arrays: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


YEAR_10000 = pa.array([[253_402_300_800]], pa.list_(pa.timestamp("s")))
BEYOND = [
    parquet(pa.table({"a": YEAR_10000, "b": [1]})),
    arrow_file(pa.table({"a": YEAR_10000, "b": [1]})),
    npz(x=np.ones((2, 2)), columns=np.array([b"a", b"\xff"])),
    npy(np.zeros(2, [("a", float), ("\ud800", float)])),
]


@pytest.mark.parametrize("data", BEYOND, ids=["parquet", "arrow", "npz", "npy"])
def test_what_a_library_cannot_represent_is_an_error_of_the_file(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(NotATable, match="is damaged, or has what is not supported"):
        read(tmp_path, data)


def test_names_of_columns_may_be_bytes_in_utf_8(tmp_path: Path) -> None:
    table, _ = read(tmp_path, npz(x=np.ones((2, 2)), columns=np.array(["ä".encode(), b"b"])))
    assert [column.name for column in table.columns] == ["ä", "b"]
