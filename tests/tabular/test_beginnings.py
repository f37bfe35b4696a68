"""A table whose text is cut shows whole rows alone, in any encoding, and nothing of the cut."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from backpropd.tabular import ReadOptions, ingest
from backpropd.tabular.beginnings import copy_beginning

NAMES = [f"Ā\u0a05Ċa{n}" for n in range(40)]  # letters of which bytes are those of a line feed


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "cp932"])
@pytest.mark.parametrize("size", range(200, 216))
def test_the_beginning_ends_with_a_line(tmp_path: Path, encoding: str, size: int) -> None:
    names = [f"東京ソ{n}" for n in range(40)] if encoding == "cp932" else NAMES
    text = "name,n\n" + "".join(f"{name},{n}\n" for n, name in enumerate(names))
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(text.encode(encoding))
    assert copy_beginning(source, target, size, encoding)
    found = target.read_bytes().decode(encoding)
    assert text.startswith(found)
    assert found.endswith("\n")
    assert len(found) > 20


def test_a_long_first_line_is_cut_between_characters(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("ä" * 100)
    assert copy_beginning(source, target, 51, None)
    assert target.read_text() == "ä" * 25


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("size", [300, 306, 310, 314])
def test_a_cut_within_a_quoted_cell_is_not_noticed(tmp_path: Path, strict: bool, size: int) -> None:
    source, target = tmp_path / "source.csv", tmp_path / "target.parquet"
    source.write_text("note,n\n" + "".join(f'"two\nlines {n % 3}",{n % 7}\n' for n in range(100)))
    info = ingest(source, target, options=ReadOptions(strict=strict), beginning=size)
    assert not info.warnings
    assert 10 <= info.rows < 20
    assert pq.read_table(target)["note"].to_pylist() == [f"two\nlines {n % 3}" for n in range(info.rows)]
    assert pq.read_table(target)["n"].to_pylist() == [n % 7 for n in range(info.rows)]
