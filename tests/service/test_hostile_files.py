"""Hostile uploads: each is rejected with a clear error or read as data, and the API's memory hardly grows."""

import io
import struct
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backpropd.config import Settings
from tests.service.requests import open_app
from tests.service.validation import Client

MIB = 2**20
MAX_GROWTH = 50 * MIB
MAX_SECONDS = 60.0  # most take far less, except on a busy machine
CSV = "text/csv"

Upload = Callable[..., Any]


@pytest.fixture
def upload(settings: Settings) -> Iterator[Upload]:
    """A function that uploads a file and returns the response's JSON."""
    with open_app(settings, max_upload_bytes=2**31) as app:
        yield poster(app.test_client())


def poster(http: Client) -> Upload:
    """Upload files with this client, and assert that the memory of the API does not grow."""
    http.post("/v1/datasets", data="a\n1\n", headers={"Content-Type": CSV})
    memory = psutil.Process().memory_info

    def post(data: bytes | str | Path, kind: str = CSV, query: str = "") -> Any:
        before, began = memory().rss, time.monotonic()
        if isinstance(data, Path):
            with data.open("rb") as file:
                answer = http.post(f"/v1/datasets{query}", input_stream=file, headers={"Content-Type": kind},
                                   content_length=data.stat().st_size)  # fmt: skip
        else:
            answer = http.post(f"/v1/datasets{query}", data=data, headers={"Content-Type": kind})
        assert memory().rss - before < MAX_GROWTH
        assert time.monotonic() - began < MAX_SECONDS
        assert answer.status_code < 500
        return answer.json

    return post


def kinds(dataset: Any) -> dict[str, str]:
    return {column["name"]: column["kind"] for column in dataset["columns"]}


def npz_of_eight_tebibytes() -> bytes:
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118)
    header += b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }".ljust(117) + b"\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x.npy", header)
    return out.getvalue()


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * 10_000_000)
    return out.getvalue()


def gzip_bomb() -> bytes:
    import gzip

    return gzip.compress(gzip.compress(b"0" * 10_000_000))


def parquet_bomb() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"a": ["x" * 1000] * 100_000}), out)
    return out.getvalue()


def arrow(file: bool) -> bytes:
    out = io.BytesIO()
    table = pa.table({"a": [1, 2]})
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue().replace(b"\x02\x00\x00\x00", b"\xff\xff\xff\x7f")  # wrong offsets


def pickled_npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([object], dtype=object), allow_pickle=True)
    return out.getvalue()


OTHER_FORMATS = {
    "zip": (zip_bomb(), "a zip archive of a.csv, which is not supported: unpack it"),
    "damaged zip": (zip_bomb()[:-30], "a zip archive that is damaged"),
    "npy": (pickled_npy(), "holds Python objects, which need pickle"),
    "pickle": (b"\x80\x04\x95cos\nsystem\n", "a pickle"),
    "xz": (b"\xfd7zXZ\x00....", "xz"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as XLSX"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "HDF5"),
    "sqlite": (b"SQLite format 3\0", "export one table as CSV"),
    "pdf": (b"%PDF-1.7", "a PDF"),
    "html": (b"\xef\xbb\xbf\n <!DOCTYPE HTML><html>", "a web page"),
    "xml": (b'<?xml version="1.0"?><a/>', "XML"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
}


@pytest.mark.parametrize("kind", [CSV, "application/octet-stream", "multipart/form-data"])
@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_a_file_of_another_format_is_rejected_by_name(upload: Upload, name: str, kind: str) -> None:
    data, format_name = OTHER_FORMATS[name]
    if kind.startswith("multipart"):
        kind += "; boundary=b"
        data = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + data + b"\r\n--b--\r\n"
    answer = upload(data, kind)
    assert answer["code"] == "not_a_table"
    assert format_name in answer["detail"]


@pytest.mark.parametrize(
    ("data", "code", "detail"),
    [
        (",".join(map(str, range(10**6))) + "\nx", "table_too_large", "1000000 columns; the maximum is 20000"),
        ("," * 1_000_000 + "\n1\n", "table_too_large", "1000001 columns"),
        ("a,b\n1,2\n\0\n", "not_a_table", "line 3 contains a NUL"),
        (b"a,b\n1,\xed\xa0\x80\n", "not_a_table", "line 2 contains half of a surrogate pair"),
        ("a,b\n\ud800,1\n".encode("utf-16-le", "surrogatepass"), "not_a_table", "NUL"),
        (b"\xff\xfe" + "a,b\n\ud800,1\n".encode("utf-16-le", "surrogatepass"), "not_a_table", "UTF-16"),
        ("a,b\n" + "1,2\n3,4,5\n" * 100, "not_a_table", "100 of 200 rows do not fit the table (line 3: '3,4,5'"),
        ('a,b\n1,"2\n' * 1000, "not_a_table", "rows do not fit the table (line 2:"),
    ],
)  # fmt: skip
def test_an_error_names_its_line_or_column(upload: Upload, data: str | bytes, code: str, detail: str) -> None:
    answer = upload(data)
    assert answer["code"] == code
    assert detail in answer["detail"]
    assert len(answer["detail"]) < 1000


@pytest.mark.parametrize(
    ("name", "read_as"),
    [("x" * 10_000, "x" * 1000), ("x\u202egpj", "xgpj"), ("b\x1b[2J", "b[2J"), ("a", "a_2"), ("\u200b", "column_2")],
)
def test_an_odd_column_name_is_mended_with_a_warning(upload: Upload, name: str, read_as: str) -> None:
    dataset = upload(f"a,{name}\n1,2\n")
    assert list(kinds(dataset)) == ["a", read_as]
    assert "columns_renamed" in [warning["code"] for warning in dataset["warnings"]]


@pytest.mark.parametrize(
    ("before", "size"), [("a,b\n1,", 1024), ('a,b\n1,"', 64), ("", 64), ('a,b\n1,"\n', 64), ('"', 64)]
)
def test_a_field_of_a_gigabyte_is_rejected(upload: Upload, tmp_path: Path, before: str, size: int) -> None:
    source = tmp_path / "giant.csv"
    with source.open("wb") as file:
        file.write(before.encode())
        for _ in range(size):
            file.write(b"x" * MIB)
    answer = upload(source)
    assert answer["code"] in ("not_a_table", "too_large")
    source.unlink()


def test_a_quoted_field_over_millions_of_lines_is_rejected(upload: Upload) -> None:
    answer = upload('a,b\n1,"' + "xxxxxxxxxxxxxxx\n" * 2_000_000 + '"\n')
    assert answer["code"] == "not_a_table"


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("=cmd|' /C calc'!A0", "category"),
        ("1e400", "category"),
        ("0x10", "category"),
        ("１２", "number"),
        ("1_000", "category"),
        ("1,5", "number"),
        ("../../etc/passwd", "category"),
        ("9" * 400, "category"),
        ("0." + "9" * 5000, "number"),
    ],
)
def test_an_odd_cell_keeps_its_text(upload: Upload, cell: str, kind: str) -> None:
    dataset = upload(f'n,odd\n1,"{cell}"\n2,"{cell}"\n')
    assert kinds(dataset) == {"n": "number", "odd": kind}
    if kind == "category":
        assert [level["value"] for level in dataset["columns"][1]["levels"]] == [cell]


def test_a_million_different_words_are_text(upload: Upload, tmp_path: Path) -> None:
    source = tmp_path / "words.csv"
    source.write_text("n,word\n" + "".join(f"1,word-{n}\n" for n in range(1_000_000)))
    dataset = upload(source)
    assert kinds(dataset) == {"n": "number", "word": "text"}
    assert dataset["rows"] == 1_000_000


def test_uuids_and_a_few_long_strings_are_text(upload: Upload) -> None:
    assert kinds(upload("id,n\n" + "".join(f"{uuid.UUID(int=n)},1\n" for n in range(1000))))["id"] == "text"
    assert kinds(upload("a,n\n" + "".join(f"{c * 100_000},1\n" for c in "xyz")))["a"] == "text"


NAMES = ["../../etc/passwd", "a\0b", "x" * 10_000, "x\u202egpj.csv", "..", "/", "C:\\x", "", ".csv"]


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_name_does_not_become_a_path(upload: Upload, tmp_path: Path, name: str) -> None:
    before = {path for path in tmp_path.rglob("*") if "blobs" not in path.parts}
    body = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    answer = upload(body + b"a,b\n1,2\n\r\n--b--\r\n", "multipart/form-data; boundary=b")
    if "code" not in answer:
        assert answer["name"].isprintable()
        assert 0 < len(answer["name"]) <= 200
        assert "/" not in answer["name"]
    assert {path for path in tmp_path.rglob("*") if "blobs" not in path.parts} <= before


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "a%00b", "x" * 10_000, "x%E2%80%AEgpj", "%0a"])
def test_a_hostile_dataset_name_does_not_become_a_path(upload: Upload, tmp_path: Path, name: str) -> None:
    before = {path for path in tmp_path.rglob("*") if "blobs" not in path.parts}
    answer = upload("a,b\n1,2\n", query=f"?name={name}")
    assert answer.get("code") in (None, "invalid")
    assert {path for path in tmp_path.rglob("*") if "blobs" not in path.parts} <= before


def test_a_table_beyond_a_limit_is_413_with_the_number(settings: Settings) -> None:
    with open_app(settings, max_rows=2, read_memory_bytes=MIB, max_upload_bytes=2**31) as app:
        http: Client = app.test_client()
        long = http.post("/v1/datasets", data="a\n1\n2\n3\n", content_type=CSV)
        large = http.post("/v1/datasets", data="a,b\n" + '"x",1\n' * 3_000_000, content_type=CSV)
    assert (long.status_code, long.json["code"]) == (413, "table_too_large")
    assert (large.status_code, large.json["code"]) == (413, "too_large")
    assert "1 MiB of memory" in large.json["detail"]
