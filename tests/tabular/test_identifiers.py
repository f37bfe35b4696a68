"""Columns that identify rows: row numbers, record numbers and UUIDs, and columns that only resemble them."""

import random
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from backpropd.tabular import find_identifiers, ingest

ROWS = 40


def identifiers(folder: Path, header: str, cells: Callable[[int], str], rows: int = ROWS) -> list[str]:
    """The names of the identifiers of a table with these rows."""
    (folder / "a.csv").write_text(header + "\n" + "".join(f"{cells(n)}\n" for n in range(rows)))
    table = ingest(folder / "a.csv", folder / "a.parquet")
    return list(find_identifiers(table.columns, table.rows))


@pytest.mark.parametrize("first", [0, 1, 5001])
@pytest.mark.parametrize("rows", [10, 40, 3000])
def test_numbers_that_count_up_by_one_are_an_identifier_in_any_column(tmp_path: Path, first: int, rows: int) -> None:
    assert identifiers(tmp_path, "size,nth", lambda n: f"{n % 7},{first + n}", rows) == ["nth"]


def test_a_short_table_has_no_identifiers(tmp_path: Path) -> None:
    assert identifiers(tmp_path, "id,size", lambda n: f"{n},{n % 3}", 9) == []


def test_the_numbers_of_shuffled_rows_are_an_identifier_in_the_first_column(tmp_path: Path) -> None:
    numbers = random.Random(1).sample(range(1, 2001), 2000)
    assert identifiers(tmp_path, "case,place", lambda n: f"{numbers[n]},{numbers[n]}", 2000) == ["case"]


@pytest.mark.parametrize(
    "name", ["id", "Id", "PassengerId", "customer_id", "ID_Number", "Loan-ID", "No.", "S.No", "index", "row", "key"]
)
def test_different_numbers_with_gaps_are_an_identifier_if_the_name_says_so(tmp_path: Path, name: str) -> None:
    assert identifiers(tmp_path, f"size,{name}", lambda n: f"{n % 7},{n * n + 3}") == [name]


@pytest.mark.parametrize("name", ["paid", "grid", "humid", "width", "monkey", "nero", "casino", "size"])
def test_a_word_that_ends_like_an_identifier_is_none(tmp_path: Path, name: str) -> None:
    assert identifiers(tmp_path, f"more,{name}", lambda n: f"{n % 7},{n * n + 3}") == []


@pytest.mark.parametrize("name", ["year", "Year", "sale_year", "t", "days", "age"])
def test_times_that_count_up_are_no_identifier(tmp_path: Path, name: str) -> None:
    assert identifiers(tmp_path, f"{name},size", lambda n: f"{1960 + n},{n % 7}") == []


@pytest.mark.parametrize("name", ["Unnamed: 0", "X"])
def test_a_first_column_without_a_name_is_an_identifier_though_numbers_are_left_out(tmp_path: Path, name: str) -> None:
    assert identifiers(tmp_path, f"{name},size", lambda n: f"{997 * n % 1009},{n % 7}") == [name]


def test_repeated_or_broken_numbers_are_no_identifier(tmp_path: Path) -> None:
    assert identifiers(tmp_path, "id,share_id", lambda n: f"{n // 2},{n / 8}") == []


def test_uuids_are_an_identifier_in_short_and_long_tables(tmp_path: Path) -> None:
    numbers = random.Random(2)
    for rows in (15, 60):
        found = identifiers(tmp_path, "u,size", lambda n: f"{uuid.UUID(int=numbers.getrandbits(128))},{n % 7}", rows)
        assert found == ["u"]


def test_names_that_are_used_once_each_are_an_identifier(tmp_path: Path) -> None:
    assert identifiers(tmp_path, "school,size", lambda n: f"school {n},{n % 7}", 20) == ["school"]
    assert identifiers(tmp_path, "school,size", lambda n: f"school {n // 2},{n % 7}", 20) == []


def test_codes_are_an_identifier_if_the_name_says_so(tmp_path: Path) -> None:
    def codes(n: int) -> str:
        return f"C{n:05}-XY,a note {n},{n % 7}"

    assert identifiers(tmp_path, "customerID,note_id,size", codes) == ["customerID"]


def test_words_in_few_rows_are_no_identifier(tmp_path: Path) -> None:
    assert identifiers(tmp_path, "region,size", lambda n: f"{'' if n % 4 else f'region {n}'},{n % 7}", 40) == []
