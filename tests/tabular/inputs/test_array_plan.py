"""Columns that are all numbers are encoded at once, with the results of the encoders of single columns."""

from typing import Any

import numpy as np
import pytest

from backpropd.tabular import ColumnInfo, FeatureEncoder, Table
from backpropd.tabular.inputs.array_plan import ArrayPlan
from backpropd.tabular.inputs.json_rows import JsonRows

RNG = np.random.default_rng(0)
NAMES = ["a", "b", "c"]
VALUES = RNG.normal(3, 7, (50, 3))


def fitted(scaling: str, dtype: str, missing: int = 0, **statistics: Any) -> FeatureEncoder:
    """An encoder of three columns of numbers, the first `missing` rows of the second of which are missing."""
    values = VALUES.copy()
    values[:missing, 1] = np.nan
    table = Table(dict(zip(NAMES, values.T, strict=True)), len(values))
    infos = [ColumnInfo(name, "number", 0, None, statistics) for name in NAMES]
    return FeatureEncoder.fit(table, infos, np.arange(len(values)), np.dtype(dtype), scaling)


@pytest.mark.parametrize("scaling", ["standard", "robust"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("missing", [0, 3])
def test_the_inputs_are_those_of_the_encoders_bit_by_bit(scaling: str, dtype: str, missing: int) -> None:
    encoder = fitted(scaling, dtype, missing)
    plan = ArrayPlan.of(encoder)
    assert plan is not None
    found = plan.encode(VALUES)
    assert found is not None
    expected = encoder.transform(Table(dict(zip(NAMES, VALUES.T, strict=True)), len(VALUES)))
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("value", [1e3, -1e3, 1e300])
def test_numbers_far_outside_training_are_left_to_the_encoders_which_tell_of_them(value: float) -> None:
    plan = ArrayPlan.of(fitted("standard", "float32"))
    assert plan is not None
    assert plan.encode(np.array([[value, 1.0, 2.0]])) is None


def test_columns_with_markers_that_are_numbers_have_no_plan() -> None:
    assert ArrayPlan.of(fitted("standard", "float32", markers=["-999"])) is None
    assert ArrayPlan.of(fitted("standard", "float32", markers=["none"])) is not None


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2, "3"]],
        [[1, 2, None]],
        [[1, 2, True]],
        [[1, 2, 10**400]],
        [{"a": 1, "b": 2, "c": 3, "d": 4}],
        [{"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3, "d": 4}],
    ],
)
def test_rows_that_are_more_than_numbers_are_read_column_by_column(rows: Any) -> None:
    assert JsonRows(rows, NAMES).numbers(NAMES) is None
    assert JsonRows([[1, 2, 3]], ["c", "b", "a"]).numbers(NAMES) is None


def test_rows_of_numbers_are_an_array_in_the_order_of_the_columns() -> None:
    for rows in ([[1, 2.5, 3]], [{"c": 3, "a": 1, "b": 2.5}]):
        found = JsonRows(rows, NAMES).numbers(NAMES)
        assert found is not None
        assert found.tolist() == [[1.0, 2.5, 3.0]]
