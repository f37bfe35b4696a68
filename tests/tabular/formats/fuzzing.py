"""Coverage-guided fuzzers of the readers of formats: `python -m tests.tabular.formats.fuzzing FORMAT`; needs atheris.

Any bytes become a table or one of our errors. What is fuzzed of an archive is its one member, which is then packed; of
Parquet, what stands between its signatures.
Add a test for every finding.
"""

import datetime as dt
import gzip
import io
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["backpropd.tabular", "zipfile", "numpy.lib"]):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from backpropd.errors import Invalid, TooLarge
    from backpropd.tabular import TableLimits, ingest

LIMITS = TableLimits(rows=10_000, columns=200, cells=100_000, category_levels=50, upload_bytes=1_000_000)
TABLE = pa.table(
    {
        "n": [1, None, 2**60],
        "x": [0.5, float("nan"), float("inf")],
        "w": pa.array(["a", "b", None]).dictionary_encode(),
        "d": [dt.date(2020, 1, 2), None, dt.date(1969, 1, 1)],
        "s": [{"a": 1, "b": [1, 2]}, None, {"a": 2, "b": []}],
        "f": [True, None, False],
    }
)
SHEET = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c r="B1" t="inlineStr"><is><t>b</t></is></c></row>
<row r="2"><c r="A2"><v>1.5</v></c><c r="B2" t="b"><v>1</v></c></row>
<row r="3"><c r="A3" s="1"><v>45000</v></c><c r="B3"><f>A2*2</f><v>3</v></c></row>
</sheetData></worksheet>"""
PARTS = {
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="s" sheetId="1" '
    'r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
    "xl/styles.xml": '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="2">'
    '<xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
}


def zipped(members: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def parquet(**options: Any) -> bytes:
    """The length of the footer in two bytes, and the file without its frame: `framed` is the inverse."""
    out = io.BytesIO()
    pq.write_table(TABLE, out, **options)
    data = out.getvalue()
    return data[-8:-6] + data[4:-8]


def framed(data: bytes) -> bytes:
    """A Parquet file between its signatures, without which it would be read as text."""
    return b"PAR1" + data[2:] + data[:2] + b"\0\0PAR1"


def arrow(new: Callable[..., pa.RecordBatchFileWriter]) -> bytes:
    out = io.BytesIO()
    with new(out, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return out.getvalue()


def npy(array: object) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


FIELDS = np.array([("a", 1, "2020-01-01")], dtype=[("w", "U3"), ("n", "<i4"), ("d", "M8[s]")])
JSON = [
    b'[{"a": 1, "b": "x"}, {"a": 2.5, "c": {"d": [1, null]}}]',
    b'{"a": 1e5}\n{"a": true}\n',
    b'[["a", "b"], [1, 2], [3]]',
    b'{"data": [{"a": 1}], "next": null}',
    b'{"a": [1, 2], "b": ["x", null]}',
    b'{"a": {"0": 1}, "b": {"0": "\\ud83d\\ude00"}}',
]
ARRAYS = [npy(np.eye(2)), npy(np.asfortranarray(np.eye(3, dtype=np.float32))), npy(FIELDS), npy(np.array([b"a"]))]
SEEDS: dict[str, list[bytes]] = {
    "json": JSON,
    "parquet": [
        parquet(),
        parquet(compression="none", use_dictionary=False, store_schema=False),
        parquet(data_page_version="2.0", compression="zstd", row_group_size=2),
        parquet(use_dictionary=False, column_encoding={"n": "DELTA_BINARY_PACKED", "x": "BYTE_STREAM_SPLIT"}),
    ],
    "arrow": [arrow(pa.ipc.new_file), arrow(pa.ipc.new_stream)],
    "npy": ARRAYS,
    "npz": ARRAYS,
    "xlsx": [SHEET.encode()],
    "gzip": [gzip.compress(b"a,b\n1,2\n")],
    "zstd": [pa.compress(b"a,b\n1,2\n", codec="zstd", asbytes=True)],
}
PACK: dict[str, Callable[[bytes], bytes]] = {
    "parquet": framed,
    "npz": lambda data: zipped({"X.npy": data, "y.npy": ARRAYS[0]}),
    "xlsx": lambda data: zipped({**PARTS, "xl/worksheets/sheet1.xml": data}),
}

_folder = Path(tempfile.mkdtemp())


def fuzz_one(name: str, data: bytes) -> None:
    """Read the bytes. Raises any unexpected error."""
    source = _folder / "source"
    source.write_bytes(PACK.get(name, bytes)(data))
    try:
        ingest(source, source.with_name("target"), limits=LIMITS)
    except (Invalid, TooLarge) as error:
        if not error.detail.isprintable():
            raise


def main() -> None:
    """Fuzz one format until an option of libFuzzer ends it."""
    name = sys.argv.pop(1)
    corpus = Path(f".fuzz/{name}")
    corpus.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(SEEDS[name]):
        (corpus / f"seed{n}").write_bytes(seed)
    options = [
        f"-artifact_prefix=.fuzz/{name}-",
        "-max_len=8192",
        "-len_control=0",
        "-timeout=30",
        "-rss_limit_mb=4096",
    ]
    atheris.Setup([*sys.argv, *options, str(corpus)], lambda data: fuzz_one(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
