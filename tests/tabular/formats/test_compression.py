"""Files compressed with gzip or zstd: unpacked before they are recognized, within a limit."""

import gzip
import random
from pathlib import Path

import pyarrow as pa
import pytest

from backpropd.errors import EmptyDataset, NotATable, TableTooLarge
from backpropd.tabular import TableLimits
from tests.tabular.formats.reading import read

TEXT = b"a,b\n1,x\n2,y\n"
ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


EMPTY_FRAME = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(TEXT),
        gzip.compress(TEXT[:4]) + gzip.compress(TEXT[4:]),
        gzip.compress(TEXT) + b"\0" * 512,
        zstd(TEXT),
        zstd(TEXT[:4]) + zstd(TEXT[4:]),
        EMPTY_FRAME + zstd(TEXT),
    ],
    ids=["gzip", "two members", "zeros behind", "zstd", "two frames", "an empty frame"],
)
def test_a_compressed_file_is_read(tmp_path: Path, data: bytes) -> None:
    table, rows = read(tmp_path, data)
    assert (table.format, rows) == ("csv", ROWS)
    assert {each.name for each in tmp_path.iterdir()} == {"source", "target"}


NOISE = ("a\n" + "".join(f"{random.Random(n).random()}\n" for n in range(1000))).encode()


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_damaged_file_is_refused(tmp_path: Path, pack: object) -> None:
    data = pack(NOISE)  # type: ignore[operator]
    middle = len(data) // 2
    changed = data[:middle] + b"xxxx" + data[middle + 4 :]
    for broken in (data[:-3], data[:middle], data + b"xxxxxxxxxxxx", *([changed] if pack is gzip.compress else [])):
        with pytest.raises(NotATable, match="damaged or cut off"):
            read(tmp_path, broken)


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_file_is_unpacked_up_to_the_limit_only(tmp_path: Path, pack: object) -> None:
    bomb = pack(b"a\n" + b"1\n" * 10_000_000)  # type: ignore[operator]
    with pytest.raises(TableTooLarge, match="more than 1000000 bytes when unpacked"):
        read(tmp_path, bomb, limits=TableLimits(upload_bytes=1_000_000))
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


def test_a_file_compressed_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotATable, match="compressed twice, the second time with gzip"):
        read(tmp_path, gzip.compress(zstd(TEXT)))


def test_nothing_compressed_is_an_empty_table(tmp_path: Path) -> None:
    with pytest.raises(EmptyDataset):
        read(tmp_path, gzip.compress(b""))
