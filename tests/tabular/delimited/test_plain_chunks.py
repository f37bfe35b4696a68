"""A file that seems plain is read in chunks, and once more in another way if a later chunk is not."""

from pathlib import Path

import pytest

from backpropd.tabular.delimited import plain_chunks
from backpropd.tabular.delimited.reader import open_delimited
from backpropd.tabular.ingest import ingest
from backpropd.tabular.read_again import ReadAgain
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.table import preview_rows

ROWS = [f"{n}.5,word {n % 3}" for n in range(1000)]
EXPECTED = [[n + 0.5, f"word {n % 3}"] for n in range(1000)]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_chunks, "CHUNK_BYTES", 2000)
    monkeypatch.setattr(plain_chunks, "FIRST_CHUNK_BYTES", 500)


def read(folder: Path, lines: list[str], end: str = "\n", last: str = "\n") -> tuple[list[list[object]], bool]:
    """The rows of a table of these lines, and whether it was read as plain to its end."""
    path, target = folder / "table.csv", folder / "table.parquet"
    path.write_bytes((end.join(["a,b", *lines]) + last).encode())
    table = ingest(path, target)
    reader = open_delimited(path, ReadOptions(), 10)
    plain = True
    try:
        list(reader)
    except ReadAgain:
        plain = False
    return [list(row.values()) for row in preview_rows(target, table.rows)], plain


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n", "\r\n\r\n\r\n"])
def test_line_ends_and_blank_lines_at_the_end_are_plain(tmp_path: Path, end: str, last: str) -> None:
    assert read(tmp_path, ROWS, end, last) == (EXPECTED, True)


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ('900.5,"word 0"', [900.5, "word 0"]),
        ("", None),
        ("a,b", None),
        ("900.5", [900.5, None]),
        ("900.5,word 0,", [900.5, "word 0"]),
        ("900.5,word\r0", None),
        ("\ufeff900.5,word 0", None),
    ],
)
def test_a_late_line_that_is_not_plain_is_read_as_an_early_one(
    tmp_path: Path, line: str, row: list[object] | None
) -> None:
    late, plain = read(tmp_path, [*ROWS[:900], line, *ROWS[901:]])
    assert not plain
    early, _ = read(tmp_path, [ROWS[899], line, *ROWS[901:]])
    assert late[899:] == early
    assert row is None or late[900] == row


@pytest.mark.parametrize("last", ["", "\n", "\n\n"])
def test_a_header_repeated_as_the_last_row_is_no_row(tmp_path: Path, last: str) -> None:
    assert read(tmp_path, [*ROWS, "a,b"], last=last) == (EXPECTED, False)


def test_a_row_that_begins_like_the_header_is_a_row(tmp_path: Path) -> None:
    rows, plain = read(tmp_path, [*(f"{n},x" for n in range(1000)), "a,bc"])
    assert (plain, rows[-1]) == (True, [None, "bc"])


def test_a_row_that_quotes_an_error_of_the_parser_is_read(tmp_path: Path) -> None:
    rows, plain = read(tmp_path, [*ROWS, "conversion error", "6,x,7"])
    assert (plain, rows[:1000]) == (False, EXPECTED)


def test_a_row_longer_than_a_small_chunk_is_read_without_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_chunks, "CHUNK_BYTES", 600_000)
    monkeypatch.setattr(plain_chunks, "SMALL_CHUNK_BYTES", 1000)
    long = "x" * 400_000
    lines = [f"1.5,{long}", *ROWS]
    with_threads = read(tmp_path, lines)
    monkeypatch.setattr(plain_chunks, "are_threads_allowed", lambda: False)
    assert read(tmp_path, lines) == with_threads == ([[1.5, long], *EXPECTED], True)


def test_rows_that_do_not_fit_are_counted_once_however_often_the_file_is_read(tmp_path: Path) -> None:
    lines = ["1,2,3" if n % 15 else "a" for n in range(12_000)]
    lines[11_990] = "word,2,3"
    (tmp_path / "table.csv").write_text("\n".join(["a,b,c", *lines]))
    table = ingest(tmp_path / "table.csv", tmp_path / "table.parquet")
    assert [each.count for each in table.warnings if each.code == "lines_left_out"] == [799]


def test_a_late_missing_number_is_missing_and_a_late_word_makes_words(tmp_path: Path) -> None:
    rows, plain = read(tmp_path, [*ROWS[:900], "NA,word 0", "inf,word 1", *ROWS[902:]])
    assert plain
    assert rows == [*EXPECTED[:900], [None, "word 0"], [None, "word 1"], *EXPECTED[902:]]
    rows, plain = read(tmp_path, [*ROWS[:900], "x1,word 0", *[f"x{n},word" for n in range(200)]])
    assert plain
    assert rows[0] == ["0.5", "word 0"]


def test_a_late_code_keeps_its_zero(tmp_path: Path) -> None:
    rows, plain = read(tmp_path, [*(f"{n},x" for n in range(1000)), "007,x"])
    assert plain
    assert rows[-1] == ["007", "x"]
