"""Cells of each type to the values of a known column."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from backpropd.tabular import ColumnInfo
from backpropd.tabular.inputs.conversion import Cells, Converted, convert_column, explain
from backpropd.tabular.inputs.known_column import KnownColumn
from backpropd.tabular.table import CategoricalColumn

NUMBER = ColumnInfo("n", "number", 0, 3, {"min": 1.5, "max": 9.0, "whole": False})
FLAG = ColumnInfo("n", "number", 0, 2, {"min": 0.0, "max": 1.0, "whole": True})
GERMAN = {"decimal": ",", "thousands": ".", "prefix": "", "unit": "", "multipliers": False}
EUROS = {"decimal": ".", "thousands": ",", "prefix": "€", "unit": "", "multipliers": False}


def texts(*cells: str | None) -> Cells:
    return Cells(pa.array(cells, pa.string()))


def numbers(converted: Converted) -> list[Any]:
    assert isinstance(converted.values, np.ndarray)
    return [None if np.isnan(value) else value for value in converted.values.tolist()]


def words(converted: Converted) -> list[str | None]:
    assert isinstance(converted.values, CategoricalColumn)
    return [None if code < 0 else converted.values.levels[code] for code in converted.values.codes.tolist()]


@pytest.mark.parametrize(
    ("cells", "statistics", "expected"),
    [
        (["1.5", " -2 ", "1e3", "\u22121"], {}, [1.5, -2, 1000, -1]),
        (["", " ", "-", "#N/A", "inf", None, "missing"], {}, [None] * 7),
        (["1.299,99", "1.500", "2,5", "2.5"], {"notation": GERMAN}, [1299.99, 1500, 2.5, 2.5]),
        (["€1,299.99", "12", "1.5"], {"notation": EUROS}, [1299.99, 12, 1.5]),
        (["100,5", "3"], {}, [100.5, 3]),  # another decimal mark, and unambiguous
        (["1 299", "3"], {}, [1299, 3]),
        (["07:30", "12:00:36"], {"format": "time of day"}, [7.5, 12.01]),
    ],
)
def test_texts_become_numbers_as_in_an_upload(cells: list[Any], statistics: Any, expected: list[Any]) -> None:
    found = convert_column(texts(*cells), KnownColumn(ColumnInfo("n", "number", 0, 3, statistics)))
    assert numbers(found) == pytest.approx(expected)
    assert not found.wrong.any()


def test_characters_without_width_make_no_other_number_or_level() -> None:
    found = convert_column(texts("1\u200b", "\ufeff2.5", "\u00ad"), KnownColumn(NUMBER))
    assert (numbers(found), found.wrong.any()) == ([1, 2.5, None], False)
    towns = KnownColumn(ColumnInfo("town", "category", 0, 2), pa.array(["Bath", "York"]))
    assert words(convert_column(texts("Ba\u00adth", "York\u200b", "\u200b"), towns)) == ["Bath", "York", None]


def test_a_word_is_its_level_however_both_write_accents_and_characters_without_width() -> None:
    levels = ["cafe\u0301", "a\u200bb", "5 \u00c5"]
    column = KnownColumn(ColumnInfo("c", "category", 0, 3), pa.array(levels))
    assert words(convert_column(texts("caf\u00e9", "cafe\u0301", "ab", "5 \u212b"), column)) == [
        levels[index] for index in (0, 0, 1, 2)
    ]


@pytest.mark.parametrize("cell", ["tall", "1,234", "5 kg", "1e999", "true", "0x10", "1.2.3", "12abc"])
def test_a_text_that_is_no_number_or_an_ambiguous_one_is_wrong(cell: str) -> None:
    found = convert_column(texts("1.5", cell, None), KnownColumn(NUMBER))
    assert (numbers(found), found.wrong.tolist()) == ([1.5, None, None], [False, True, False])
    assert ("too large" if cell == "1e999" else repr(cell)) in explain(cell, KnownColumn(NUMBER))


def test_a_column_of_zeros_and_ones_takes_words_of_a_boolean() -> None:
    found = convert_column(texts("true", "No", "1", "0", "F", "maybe"), KnownColumn(FLAG))
    assert numbers(found) == [1, 0, 1, 0, 0, None]
    assert found.wrong.tolist() == [False] * 5 + [True]


def test_booleans_come_as_words_digits_and_numbers() -> None:
    column = KnownColumn(ColumnInfo("b", "boolean", 0, 2))
    found = convert_column(texts(" YES", "f", "1", "0", "true", "", "NA", "maybe", "2"), column)
    assert words(found) == ["true", "false", "true", "false", "true", None, None, None, None]
    assert found.wrong.tolist() == [False] * 7 + [True, True]
    found = convert_column(Cells(pa.array([1.0, 0.0, None, 2.0])), column)
    assert (words(found), found.wrong.tolist()) == (["true", "false", None, None], [False, False, False, True])


def test_categories_are_trimmed_levels_and_only_the_empty_cell_is_missing() -> None:
    column = KnownColumn(ColumnInfo("c", "category", 0, 3), pa.array(["Corby", " Aston", "None"]))
    found = convert_column(texts(" Corby ", " Aston", "None", "", None, "NA", "Derby"), column)
    assert words(found) == ["Corby", " Aston", "None", None, None, "NA", "NA"]  # one name for all that are unseen
    assert not found.wrong.any()


def test_a_boolean_that_is_trained_as_a_category_takes_every_spelling_of_its_words() -> None:
    column = KnownColumn(ColumnInfo("smokes", "category", 0, 2), pa.array(["NO", "Yes"]))
    found = words(convert_column(texts("Yes", " yes ", "no", "No", "n"), column))
    assert found == ["Yes", "Yes", "NO", "NO", "n"]


def test_a_number_is_a_level_as_text_unless_a_level_is_the_same_number_written_otherwise() -> None:
    codes = KnownColumn(ColumnInfo("store", "category", 0, 2), pa.array(["101", "7"]))
    assert words(convert_column(Cells(pa.array([101.0, 7.0, 8.0])), codes)) == ["101", "7", "8"]
    postcodes = KnownColumn(ColumnInfo("zip", "category", 0, 2), pa.array(["02134", "10001"]))
    found = convert_column(Cells(pa.array([2134.0, 10001.0])), postcodes)
    assert (words(found), found.wrong.tolist()) == ([None, "10001"], [True, False])
    assert "'02134'" in explain(2134.0, postcodes)


def test_dates_are_read_in_their_format_and_become_days() -> None:
    column = KnownColumn(ColumnInfo("d", "date", 0, 2, {"format": "day/month/year"}))
    found = convert_column(texts("02/01/1970", "31/12/1969", "", "1970-13-45"), column)
    assert numbers(found) == [1, -1, None, None]
    assert found.wrong.tolist() == [False, False, False, True]
    assert numbers(convert_column(texts("02/01/1970", "1970-01-03"), column)) == [1, 2]  # ISO 8601 is taken, too
    assert "day/month/year" in explain("1970-13-45", column)
    stamps = pa.array([86_400_000_000, None], pa.timestamp("us"))
    assert numbers(convert_column(Cells(stamps), column)) == [1, None]


def test_every_type_of_cell_converts_to_every_kind_without_an_error() -> None:
    stamps = pa.array([0, None], pa.timestamp("us"))
    for values in (pa.array([1.0, None]), pa.array(["x", None]), stamps):
        for kind in ("number", "boolean", "category", "date"):
            levels = pa.array(["1"]) if kind == "category" else None
            found = convert_column(Cells(values), KnownColumn(ColumnInfo("c", kind, 0, 2), levels))
            assert len(found.wrong) == 2


def test_the_markers_that_an_upload_named_are_missing() -> None:
    named = {"markers": ["-999", "gone"]}
    for kind, levels in (("number", None), ("boolean", None), ("category", pa.array(["1", "NA"]))):
        found = convert_column(texts("1", "-999", "gone"), KnownColumn(ColumnInfo("c", kind, 0, 2, named), levels))
        assert (numbers if kind == "number" else words)(found)[1:] == [None, None]
        assert not found.wrong.any()


def test_a_number_that_is_named_as_a_marker_is_missing() -> None:
    cells = Cells(pa.array([-999.0, 1.0, None, 0.0]))
    known = KnownColumn(ColumnInfo("n", "number", 0, 2, {"min": 0.0, "max": 1.0, "markers": ["-999", "none"]}))
    found = convert_column(cells, known)
    assert (numbers(found), found.wrong.any()) == ([None, 1, None, 0], False)
    found = convert_column(cells, KnownColumn(ColumnInfo("n", "boolean", 0, 2, {"markers": ["-999"]})))
    assert (words(found), found.wrong.any()) == ([None, "true", None, "false"], False)
