"""Files that lie about their size or grow when they are read: a clear error within the sandbox's limits, every time."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backpropd.errors import Invalid, TooLarge
from backpropd.tabular import SandboxedReader, SandboxLimits, TableLimits
from tests.tabular.formats.test_xlsx import SHEET, TABLE, changed, workbook

MIB = 2**20
LIMITS = TableLimits(rows=2_000_000, columns=2_000, cells=20_000_000, upload_bytes=100 * MIB)


def parquet(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def large_dictionary() -> bytes:
    """Two million cells that refer to one string of a megabyte."""
    cells = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int32)), pa.array(["x" * MIB]))
    return parquet(pa.table({"a": cells, "b": cells}))


def many_row_groups() -> bytes:
    return parquet(pa.table({f"c{n}": [1.0] * 2000 for n in range(20)}), row_group_size=1)


def many_columns() -> bytes:
    return parquet(pa.table({f"c{n}": [1.0] for n in range(20_000)}))


def false_footer(length: int) -> Callable[[], bytes]:
    return lambda: parquet(pa.table({"a": [1, 2]}))[:-8] + struct.pack("<i", length) + b"PAR1"


def many_rows() -> bytes:
    return parquet(pa.table({"a": np.zeros(30_000_000)}), compression="zstd")


def deep_structs() -> bytes:
    values = pa.array([1])
    for _ in range(40):
        values = pa.StructArray.from_arrays([values], ["s"])
    return arrow(pa.table({"a": values}))


def arrow(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema, **options) as writer:
        writer.write_table(table)
    return out.getvalue()


def false_buffer_size() -> bytes:
    compressed = arrow(pa.table({"a": [1.5] * 1000}), options=pa.ipc.IpcWriteOptions(compression="zstd"))
    size = struct.pack("<q", 8000)
    assert size in compressed
    return compressed.replace(size, struct.pack("<q", 2**40))


def false_offsets() -> bytes:
    return arrow(pa.table({"a": ["xy", "z"]})).replace(struct.pack("<iii", 0, 2, 3), struct.pack("<iii", 0, 2**30, 3))


def false_lengths() -> bytes:
    table = pa.table({"a": np.arange(77_777.0)})
    return arrow(table).replace(struct.pack("<q", 77_777), struct.pack("<q", 2**50))


def large_arrow_dictionary() -> bytes:
    cells = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int32)), pa.array(["x" * MIB]))
    return arrow(pa.table({"a": cells}))


def npy_header(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n"


def false_npy(descr: str, shape: str) -> Callable[[], bytes]:
    return lambda: npy_header(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}") + b"\0" * 64


def npz(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def npz_bomb() -> bytes:
    return npz(("a.npy", false_npy("<f8", "(20000000,)")() + bytes(160_000_000)))


def npz_of_many() -> bytes:
    return npz(*((f"{n}.npy", false_npy("<f8", "(8,)")()) for n in range(5_000)))


def shared_string_bomb() -> bytes:
    cell = '<c r="{}{}" t="s"><v>0</v></c>'
    rows = "".join(
        f'<row r="{n}">{"".join(cell.format(letter, n) for letter in "ABCDEFGH")}</row>' for n in range(1, 5_000)
    )
    book = changed(
        workbook(("data", TABLE)), SHEET, lambda text: text[: text.index("<row")] + rows + "</sheetData></worksheet>"
    )
    return changed(book, "xl/sharedStrings.xml", lambda text: text.replace("<t>n</t>", f"<t>{'x' * 100_000}</t>", 1))


def far_cells() -> bytes:
    """The corners of an area that is dense enough to pass for a table, and takes gigabytes."""
    cells = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 40_000))
    return changed(
        workbook(("data", TABLE)), SHEET, lambda text: text[: text.index("<row")] + cells + "</sheetData></worksheet>"
    )


def sheet_bomb() -> bytes:
    return changed(
        workbook(("data", TABLE)), SHEET, lambda text: text.replace("<sheetData>", "<sheetData>" + " " * 150_000_000)
    )


BOMBS: dict[str, Callable[[], bytes]] = {
    "parquet with a large dictionary": large_dictionary,
    "parquet with many columns": many_columns,
    "parquet with a footer beyond its begin": false_footer(10**9),
    "parquet with a negative footer": false_footer(-5),
    "parquet with a footer that begins elsewhere": false_footer(3),
    "parquet with many rows": many_rows,
    "arrow with deep structs": deep_structs,
    "arrow with a false size of a buffer": false_buffer_size,
    "arrow with false offsets": false_offsets,
    "arrow with false lengths": false_lengths,
    "arrow with a large dictionary": large_arrow_dictionary,
    "npy with a false shape": false_npy("<f8", "(1099511627776,)"),
    "npy with a shape beyond integers": false_npy("<f8", f"({10**40}, 2)"),
    "npy with a product beyond integers": false_npy("<f8", f"({2**40}, {2**40})"),
    "npy with a negative shape": false_npy("<f8", "(-1,)"),
    "npy without bytes": false_npy("|V0", f"({10**12},)"),
    "npy of empty strings": false_npy("<U0", f"({10**12},)"),
    "npy of no columns": false_npy("<f8", f"({10**12}, 0)"),
    "npy of objects": false_npy("|O", "(8,)"),
    "npy with a call for its shape": false_npy("<f8", "exit()"),
    "npy with deep parentheses": false_npy("<f8", "(" * 5000),
    "npz that grows": npz_bomb,
    "npz of many arrays": npz_of_many,
    "xlsx with a long string in every cell": shared_string_bomb,
    "xlsx with far cells": far_cells,
    "xlsx that grows": sheet_bomb,
    "json nested deeply": lambda: b'{"a":' * 1_000_000,
    "json of brackets": lambda: b"[" * 10_000_000,
    "json with a string that does not end": lambda: b'[{"a": "' + b"x" * 50_000_000,
    "json with a number that does not end": lambda: b'[{"a": ' + b"1" * 50_000_000,
    "json with many names": lambda: json.dumps([{f"c{n}": 1} for n in range(100_000)]).encode(),
    "json with many names in one object": lambda: json.dumps([dict.fromkeys(map(str, range(1_000_000)), 1)]).encode(),
    "json with rows of one list": lambda: b"[[" + b"1," * 5_000_000 + b"1]]",
    "json of empty objects": lambda: b"[" + b"{}," * 3_000_000 + b"{}]",
    "gzip that grows": lambda: gzip.compress(b"a\n" + b"1\n" * 60_000_000),
    "gzip of a zip bomb": lambda: gzip.compress(npz_bomb()),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_clear_error_within_the_limits(tmp_path: Path, name: str) -> None:
    reader = SandboxedReader(LIMITS, SandboxLimits(memory_bytes=256 * MIB, cpu_seconds=30, seconds=60))
    (tmp_path / "bomb").write_bytes(BOMBS[name]())
    with pytest.raises((Invalid, TooLarge)) as raised:  # also where its time is up
        reader.read(tmp_path / "bomb", tmp_path / "table", "csv")
    assert len(raised.value.detail) < 1000
    assert raised.value.detail.isprintable()


def test_many_row_groups_are_read(tmp_path: Path) -> None:
    reader = SandboxedReader(LIMITS, SandboxLimits(memory_bytes=256 * MIB, cpu_seconds=30, seconds=60))
    (tmp_path / "table").write_bytes(many_row_groups())
    assert reader.read(tmp_path / "table", tmp_path / "out", "csv").rows == 2000
