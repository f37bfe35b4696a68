"""What no training row has contributes nothing of its own; dates become elapsed time and cycles."""

import json
import tracemalloc
from datetime import datetime, timedelta

import numpy as np
import pytest

from backpropd.tabular import ColumnInfo, FeatureEncoder, Table, max_width
from backpropd.tabular.column_encoders import OneHot
from backpropd.tabular.table import CategoricalColumn, Column

DTYPE = np.dtype("float64")


def categories(*levels: str | None) -> CategoricalColumn:
    known = sorted({level for level in levels if level is not None})
    return CategoricalColumn(np.array([-1 if each is None else known.index(each) for each in levels], np.int32), known)


def fit(column: Column, kind: str = "number", scaling: str = "standard", **statistics: object) -> FeatureEncoder:
    rows = len(column.codes) if isinstance(column, CategoricalColumn) else len(column)
    info = ColumnInfo("x", kind, 1, 50, statistics)
    encoder = FeatureEncoder.fit(Table({"x": column}, rows), [info], np.arange(rows), DTYPE, scaling)
    assert encoder.width <= max_width([info])
    return FeatureEncoder.from_json(json.loads(json.dumps(encoder.to_json())))


def transform(encoder: FeatureEncoder, column: Column) -> np.ndarray:
    rows = len(column.codes) if isinstance(column, CategoricalColumn) else len(column)
    return encoder.transform(Table({"x": column}, rows))


def days(*moments: str) -> np.ndarray:
    return np.array([(datetime.fromisoformat(each) - datetime(1970, 1, 1)) / timedelta(days=1) for each in moments])


def test_an_unseen_level_and_an_unknown_missing_value_are_the_mean_of_the_levels() -> None:
    encoder = fit(categories("a", "b", "b", "b"), "category")
    assert encoder.names == ["x = a", "x = b"]
    x = transform(encoder, categories("a", "b", "z", None))
    assert x.tolist() == [[1, 0], [0, 1], [0.25, 0.75], [0.25, 0.75]]


def test_a_missing_value_that_training_had_is_an_input() -> None:
    encoder = fit(categories("a", "b", "b", None), "category")
    assert encoder.names == ["x = a", "x = b", "x is missing"]
    x = transform(encoder, categories("z", None))
    assert x.tolist() == [[pytest.approx(1 / 3), pytest.approx(2 / 3), 0], [0, 0, 1]]


def test_an_older_encoder_has_an_input_for_the_unseen_and_missing() -> None:
    data = {"column": {"name": "x", "kind": "category"}, "encoder": {"levels": ["a", "b"]}}
    encoder = FeatureEncoder.from_json({"dtype": "float64", "columns": [data]})
    assert encoder.names == ["x = a", "x = b", "x is unseen or missing"]
    assert transform(encoder, categories("b", "z", None)).tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 1]]
    number = {"column": {"name": "x", "kind": "number"}, "encoder": {"mean": 2.0, "std": 4.0, "indicator": False}}
    encoder = FeatureEncoder.from_json({"dtype": "float64", "columns": [number]})
    assert transform(encoder, np.array([6.0, np.nan])).tolist() == [[1], [0]]


def test_many_levels_take_no_more_memory_than_the_inputs_themselves() -> None:
    names = [str(number) for number in range(500)]
    column = CategoricalColumn(np.tile(np.arange(500, dtype=np.int32), 20), names)
    encoder = OneHot.fit(column, ColumnInfo("x", "category", 0, 500), "standard")
    out = np.empty((10_000, 500), np.float32)
    tracemalloc.start()
    encoder.write(column, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (out.sum(), out.max()) == (len(out), 1)
    assert peak < out.nbytes / 4


def test_findings_tell_what_training_had_nothing_like() -> None:
    words = fit(categories("a", "b"), "category")
    found = words.findings(Table({"x": categories("a", "z", None)}, 3))["x"]
    assert (found.unseen.tolist(), found.missing.tolist()) == ([False, True, False], [False, False, True])
    numbers = fit(np.array([0.0, 10.0]))
    found = numbers.findings(Table({"x": np.array([5, 15, -15, 25, np.nan])}, 5))["x"]
    assert found.out_of_range.tolist() == [False, False, True, True, False]
    assert found.missing.tolist() == [False, False, False, False, True]
    known = fit(np.array([0.0, np.nan])).findings(Table({"x": np.array([np.nan])}, 1))["x"]
    assert not known.missing.any()


def test_robust_scaling_clips_smoothly() -> None:
    encoder = fit(np.array([0.0, 1, 2, 3, 4]), scaling="robust")
    x = transform(encoder, np.array([2.0, 4.0, 1e9, -1e300, np.nan]))[:, 0]
    assert x.tolist() == pytest.approx([0, 1 / np.sqrt(1 + 1 / 9), 3, -3, 0])
    mostly_zero = fit(np.array([0.0, 0, 0, 0, 0, 0, 0, 8]), scaling="robust")
    assert transform(mostly_zero, np.array([4.0])).tolist() == [[pytest.approx(1 / np.sqrt(1 + 1 / 9))]]
    booleans = fit(categories("no", "yes", "yes"), "boolean", scaling="robust")
    unlike = -2 / np.sqrt(1 + 4 / 9)  # two interquartile ranges below the median
    assert transform(booleans, categories("no", "yes", None)).ravel().tolist() == pytest.approx([unlike, 0, 0])
    constant = fit(np.array([5.0, 5.0]), scaling="robust")
    assert transform(constant, np.array([5.0])).tolist() == [[0]]


@pytest.mark.parametrize("words", ["aab", "aaaaabc", "abc", "abbbcdddd", "aaaaabbbbcc"])
def test_robust_scaling_of_a_category_is_that_of_a_number_for_each_level(words: str) -> None:
    column = categories(*words, None)
    encoder = fit(column, "category", scaling="robust")
    for name, inputs in zip(encoder.names, transform(encoder, column).T, strict=True):
        ones = np.array([name == f"x = {word}" for word in words] + [name == "x is missing"], float)
        as_number = fit(ones, scaling="robust")
        assert inputs.tolist() == pytest.approx(transform(as_number, ones)[:, 0].tolist())


def test_robust_scaling_makes_one_input_of_two_levels() -> None:
    encoder = fit(categories("a", "b", "b", "b"), "category", scaling="robust")
    assert encoder.names == ["x = b"]
    a, b, unseen, missing = transform(encoder, categories("a", "b", "z", None))[:, 0]
    assert (a, b) == (pytest.approx(-4 / np.sqrt(1 + 16 / 9)), 0)
    assert unseen == missing == pytest.approx(a / 4)


def test_a_date_becomes_elapsed_time_and_the_cycles_that_vary() -> None:
    encoder = fit(days("2020-01-01", "2020-07-01T12:00", "2020-12-31"), "date")
    assert encoder.names == [
        "x", "sine of the month of x", "cosine of the month of x", "sine of the weekday of x",
        "cosine of the weekday of x", "sine of the hour of x", "cosine of the hour of x",
    ]  # fmt: skip
    x = transform(encoder, np.append(days("2021-01-01", "2020-07-01T12:00"), np.nan))
    assert x[0, 1:3].tolist() == pytest.approx([0, 1])  # January 1
    assert x[0, 3:5].tolist() == pytest.approx([np.sin(2 * np.pi * 4 / 7), np.cos(2 * np.pi * 4 / 7)])  # a Friday
    assert x[1, 5:7].tolist() == pytest.approx([0, -1])  # noon
    assert x[2].tolist() == [0] * 7


def test_months_have_no_weekday_and_years_no_month() -> None:
    months = fit(days("2020-01-01", "2020-02-01", "2020-03-01"), "date")
    assert [name.split()[3] for name in months.names[1:]] == ["month"] * 2
    assert fit(days("2018-01-01", "2019-01-01", "2020-01-01"), "date").names == ["x"]


def test_a_time_of_day_is_a_number_with_a_cycle() -> None:
    encoder = fit(np.array([0.0, 6.0, 23.0]), format="time of day")
    assert encoder.names == ["x", "sine of the clock of x", "cosine of the clock of x"]
    assert transform(encoder, np.array([6.0]))[0, 1:].tolist() == pytest.approx([1, 0])
