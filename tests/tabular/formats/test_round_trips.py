"""Random tables, written in every format by other libraries, come back the same."""

import datetime as dt
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backpropd.tabular import ReadOptions
from tests.tabular.formats.reading import read

Rows = list[dict[str, Any]]
# A sheet keeps 15 digits of a number. Python writes whole numbers from 2^53 to 1e16 with all digits, as numbers that a
# float64 may not represent.
FLOATS = (
    st.floats(-1e300, 1e300, allow_subnormal=False)
    .map(lambda x: float(f"{x:.15g}"))
    .filter(lambda x: not 2.0**53 <= abs(x) < 1e16)
)
WORDS = st.text("aäß€𝄞 ,;\"'#|\\=-0.", max_size=8)
INSTANTS = st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2200, 1, 1)).map(lambda each: each.replace(microsecond=0))
ROWS = st.fixed_dictionaries(
    {
        "x": st.none() | FLOATS,
        "n": st.integers(-(10**15), 10**15),
        "w": st.none() | WORDS,
        "b": st.none() | st.booleans(),
        "d": st.none() | INSTANTS,
    }
)
SCHEMA = pa.schema({"x": pa.float64(), "n": pa.int64(), "w": pa.string(), "b": pa.bool_(), "d": pa.timestamp("us")})
KINDS = {"w": "text", "d": "date"}


def to_parquet(rows: Rows) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), out, row_group_size=3, compression="zstd")
    return out.getvalue()


def to_arrow(new: Callable[..., Any], rows: Rows) -> bytes:
    out = io.BytesIO()
    with new(out, SCHEMA) as writer:
        writer.write_table(pa.Table.from_pylist(rows, SCHEMA), max_chunksize=2)
    return out.getvalue()


def to_feather(rows: Rows) -> bytes:
    return to_arrow(pa.ipc.new_file, rows)


def to_stream(rows: Rows) -> bytes:
    return to_arrow(pa.ipc.new_stream, rows)


def to_json(rows: Rows) -> bytes:
    return json.dumps(rows, default=str).encode()


def to_json_lines(rows: Rows) -> bytes:
    lines = ({name: each for name, each in row.items() if name == "n" or each is not None} for row in rows)
    return gzip.compress(
        ("\n\n".join(json.dumps(row, default=str, ensure_ascii=False) for row in lines) + "\n").encode()
    )


def to_json_columns(rows: Rows) -> bytes:
    return json.dumps({name: [row[name] for row in rows] for name in SCHEMA.names}, default=str, indent=1).encode(
        "utf-16"
    )


def to_json_lists(rows: Rows) -> bytes:
    return json.dumps(
        {"columns": SCHEMA.names, "data": [[row[name] for name in SCHEMA.names] for row in rows]}, default=str
    ).encode()


def to_xlsx(rows: Rows) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, SCHEMA.names)
        for n, row in enumerate(rows, 1):
            for column, cell in enumerate(row[name] for name in SCHEMA.names):
                if isinstance(cell, str):
                    sheet.write_string(n, column, cell)
                elif cell is not None:
                    sheet.write(n, column, cell)
    return out.getvalue()


WRITERS = (to_parquet, to_feather, to_stream, to_json, to_json_lines, to_json_columns, to_json_lists, to_xlsx)


def as_stored(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.strip() or None
    return value


@pytest.mark.parametrize("write", WRITERS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, min_size=1, max_size=12))
@example(rows=[{"x": None, "n": n, "w": None, "b": None, "d": None} for n in range(5)])
def test_a_table_comes_back_as_it_was_written(tmp_path: Path, write: Callable[[Rows], bytes], rows: Rows) -> None:
    kinds = {name: kind for name, kind in KINDS.items() if any(row[name] is not None for row in rows)}
    table, found = read(tmp_path, write(rows), ReadOptions(kinds=kinds, header=True))
    assert table.rows == len(rows)
    for name in ("x", "n", "w", "b"):
        assert [row.get(name) for row in found] == [as_stored(row[name]) for row in rows], name
    dates = [None if row.get("d") is None else dt.datetime.fromisoformat(str(row["d"])) for row in found]
    assert dates == [row["d"] for row in rows]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.tuples(FLOATS, st.integers(-(2**31), 2**31 - 1), WORDS), min_size=1, max_size=12),
    order=st.sampled_from("CF"),
    type_=st.sampled_from(["<f8", ">f8", "<f4", "<i4", ">i4", "|b1"]),
)
def test_arrays_come_back_as_they_were_saved(tmp_path: Path, values: list[Any], order: Any, type_: str) -> None:
    numbers = np.array([row[1] for row in values])
    matrix = np.asarray(np.stack([numbers, numbers[::-1], numbers], axis=1).astype(type_), order=order)
    words, options = np.array([row[2] for row in values]), ReadOptions(kinds={"w": "text"})
    floats = np.array([row[0] for row in values])
    as_npy, as_npz, as_fields = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(as_npy, matrix)
    np.savez_compressed(as_npz, X=matrix, w=words, x=floats)
    np.save(as_fields, np.array([*zip(floats, words, strict=True)], [("x", "f8"), ("w", words.dtype)]))
    expected = [[str(each).lower() if type_ == "|b1" else each for each in row] for row in matrix.tolist()]
    _, rows = read(tmp_path, as_npy.getvalue())
    assert [[*row.values()] for row in rows] == expected
    _, rows = read(tmp_path, as_npz.getvalue(), options)
    assert [[*row.values()][:3] for row in rows] == expected
    for data in (as_npz, as_fields):
        _, rows = read(tmp_path, data.getvalue(), options)
        assert [row["x"] for row in rows] == floats.tolist()
        assert [row["w"] for row in rows] == [as_stored(word) for word in words.tolist()]
