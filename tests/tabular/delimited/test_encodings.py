"""Text in every common encoding is read, or refused by name."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from backpropd.tabular import preview_rows
from tests.tabular.reading import levels, read


@pytest.mark.parametrize("encoding", [
    "utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be",
])  # fmt: skip
def test_letters_survive_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    _, path = read(tmp_path, "größe,n\nä,1\n".encode(encoding))
    assert preview_rows(path, 5) == [{"größe": "ä", "n": 1}]


def test_a_byte_between_80_and_9f_is_windows_1252(tmp_path: Path) -> None:
    _, path = read(tmp_path, "Preis (€),n\n“x” – y,1\n".encode("cp1252"))
    assert preview_rows(path, 5) == [{"Preis (€)": "“x” – y", "n": 1}]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize("rows", [60, 200_000])
def test_no_row_is_lost_when_a_file_grows_as_it_is_transcoded(tmp_path: Path, encoding: str, rows: int) -> None:
    info, path = read(tmp_path, ("town,n\n" + "".join(f"Köln Süd,{n}\n" for n in range(rows))).encode(encoding))
    assert info.rows == rows
    assert pq.read_table(path)["n"].to_pylist() == list(range(rows))


def test_a_late_byte_that_is_not_utf8_makes_the_file_latin_1(tmp_path: Path) -> None:
    info, path = read(tmp_path, b"a,b\n" + b"x,1\n" * 100_000 + "ä,2\n".encode("latin-1"))
    assert info.rows == 100_001
    assert "ä" in levels(path)
