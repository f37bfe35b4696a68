"""Characters without width are left out of cells, whatever the format is, and whatever the column holds."""

import json
from pathlib import Path

import pytest

from backpropd.tabular import ReadOptions, preview_rows
from tests.tabular.reading import kinds, read

HIDDEN = ["\u00ad", "\u200b", "\u200e", "\u202c", "\u2060", "\ufeff"]


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("format", ["csv", "json"])
def test_a_character_without_width_makes_no_other_number_word_or_date(tmp_path: Path, hidden: str, format: str) -> None:
    rows = [(f"{n}.5", "Bath" if n % 2 else "York", f"2020-01-{n}") for n in range(10, 30)]
    marked = [(f"{size}{hidden}", f"{town[:2]}{hidden}{town[2:]}", f"{hidden}{day}") for size, town, day in rows[:3]]
    table = [("size", "town", "day"), *marked, *rows[3:]]
    data = json.dumps(table) if format == "json" else "".join(",".join(row) + "\n" for row in table)
    info, path = read(tmp_path, data)
    assert kinds(info) == {"size": "number", "town": "category", "day": "date"}
    assert {row["town"] for row in preview_rows(path, 20)} == {"Bath", "York"}
    assert [each["size"] for each in preview_rows(path, 2)] == [10.5, 11.5]
    found = [(each.column, each.count) for each in info.warnings if each.code == "invisible_characters"]
    assert found == [("size", 3), ("town", 3), ("day", 3)]


def test_the_warning_names_lines_and_shows_what_nobody_sees(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "town,n\nBath,1\nBa\u00adth,2\n")
    assert [(each.line, each.value) for each in info.warnings[0].examples] == [(3, "Ba\\xadth")]


def test_a_cell_of_nothing_else_is_missing(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "town,n\nBath,1\n\u200b,2\nYork,3\n")
    assert (info.columns[0].missing, info.columns[0].distinct) == (1, 2)


def test_joiners_within_letters_stay(tmp_path: Path) -> None:
    _, path = read(tmp_path, "word,n\nمی\u200cخواهم,1\n")
    assert preview_rows(path, 1)[0]["word"] == "می\u200cخواهم"


def test_a_file_appended_to_another_with_its_byte_order_mark_is_read(tmp_path: Path) -> None:
    part = '\ufeff"town","n"\n' + "".join(f'"Bath","{n}"\n' for n in range(20))
    info, _ = read(tmp_path, part + part)
    assert (info.rows, kinds(info)["n"]) == (40, "number")
    assert "lines_skipped" in [each.code for each in info.warnings]


def test_a_word_is_the_same_with_composed_and_decomposed_accents(tmp_path: Path) -> None:
    info, path = read(tmp_path, "drink,n\ncaf\u00e9,1\ncafe\u0301,2\ntea,3\n")
    assert info.columns[0].distinct == 2
    assert [row["drink"] for row in preview_rows(path, 2)] == ["caf\u00e9", "caf\u00e9"]
    assert not info.warnings


def test_a_marker_is_found_with_composed_and_decomposed_accents(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "drink,n\ncaf\u00e9,1\ncafe\u0301,2\ntea,3\n", ReadOptions(missing=("cafe\u0301",)))
    assert (info.columns[0].missing, info.columns[0].distinct) == (2, 1)


def test_declared_text_comes_back_as_it_is_written(tmp_path: Path) -> None:
    cells = ["a\u200bb", "cafe\u0301", "\u00adx"]
    data = "note,n\n" + "".join(f" {cell} ,{n}\n" for n, cell in enumerate(cells))
    info, path = read(tmp_path, data, ReadOptions(kinds={"note": "text"}))
    assert [row["note"] for row in preview_rows(path, 3)] == cells
    assert not info.warnings
