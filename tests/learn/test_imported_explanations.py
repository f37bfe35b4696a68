"""Explanations of imported models: what their descriptions leave out, and categories of many levels."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Model, explain, partial_dependence, response_curve
from backpropd.learn.imports import read_model
from backpropd.learn.inspection.mean_inputs import mean_inputs
from tests.learn.learner import Learner

LIMITS = {"max_operations": 10**10, "max_cells": 10**6}
LEVELS = 10_000


def imported(*features: str | dict[str, Any], inputs: int | None = None) -> Model:
    """A linear regression, whose weights are 1, 2, 3, …"""
    network = {"kind": "feedforward", "hidden": [], "output_activation": "linear"}
    count = len(features) if inputs is None else inputs
    weights = {"layers.0.weight": np.arange(1.0, count + 1)[:, None], "layers.0.bias": np.zeros(1)}
    return read_model({"features": features, "target": "y", "network": network}, weights, 10**6)


def feature(name: str, kind: str, encoder: dict[str, Any] | None = None, **statistics: Any) -> dict[str, Any]:
    return {"column": {"name": name, "kind": kind, **statistics}, "encoder": encoder}


def of_levels(**encoder: Any) -> Model:
    levels = [f"level {n:05}" for n in range(LEVELS)]
    return imported(feature("word", "category", {"levels": levels, **encoder}), inputs=LEVELS + ("missing" in encoder))


def flag(*levels: tuple[str, int]) -> Model:
    counted = [{"value": value, "count": count} for value, count in levels]
    return imported(feature("flag", "boolean", {"mean": 0.25, "std": 0.5}, levels=counted))


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Fail if more bytes are allocated at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def test_the_mean_of_many_levels_takes_no_matrix_of_them() -> None:
    shares = np.arange(1, LEVELS + 1) / (LEVELS * (LEVELS + 1) / 2)
    known, older = of_levels(frequencies=shares.tolist()), of_levels(frequencies=None, missing=True)
    off, on = (np.random.default_rng(0).normal(size=(2, LEVELS))).tolist()
    scaled = of_levels(frequencies=shares.tolist(), off=off, on=on)
    with at_most(10_000_000):
        np.testing.assert_allclose(mean_inputs(known), shares)
        np.testing.assert_allclose(mean_inputs(older), [*[1 / LEVELS] * LEVELS, 0])
        np.testing.assert_allclose(mean_inputs(scaled), shares * on + (1 - shares) * off)


def test_curves_over_many_levels_take_no_matrix_of_them(tmp_path: Path) -> None:
    model, learner = of_levels(), Learner(tmp_path, "word,y\n" + "level 00001,1\nlevel 00002,2\n" * 30)
    with at_most(30_000_000):
        found = partial_dependence(model, learner.source, "word", points=2, rows=2, **LIMITS)
    assert len(found["values"]) == LEVELS
    assert found["mean"] == list(range(1, LEVELS + 1))
    with pytest.raises(errors.Invalid, match="choose a feature with fewer levels") as raised:
        partial_dependence(model, learner.source, "word", points=2, rows=1, max_operations=10**9, max_cells=10**6)
    assert [each.pointer for each in raised.value.problems] == ["/feature"]
    with at_most(10_000_000), pytest.raises(errors.Invalid, match="fewer levels") as raised:
        response_curve(model, None, 2, None, None, {})
    assert [each.pointer for each in raised.value.problems] == ["/feature"]


def test_the_mean_of_a_boolean_is_over_the_words_that_are_one() -> None:
    center = float(mean_inputs(flag())[0])
    assert center == 0
    assert mean_inputs(flag(("maybe", 1)))[0] == center
    assert mean_inputs(flag(("yes", 0), ("no", 0)))[0] == center
    assert mean_inputs(flag(("maybe", 9), ("Yes", 3), ("no", 1)))[0] == pytest.approx((0.75 - 0.25) / 0.5)
    (found,) = explain(flag(("maybe", 1)), [[True]], max_operations=10**9, max_numbers=100)
    assert found["baseline"] == center


def test_a_boolean_of_other_words_is_not_held_at_one_of_them() -> None:
    words = [{"value": "maybe", "count": 5}, {"value": "yes", "count": 1}]
    held = feature("flag", "boolean", levels=words)
    assert response_curve(imported("x", held), "x", 3, None, None, {})["held"] == {"flag": "yes"}
    held = feature("flag", "boolean", levels=words[:1])
    with pytest.raises(errors.Invalid, match="give the value to hold it at"):
        response_curve(imported("x", held), "x", 3, None, None, {})


@pytest.mark.parametrize(
    ("mean", "std", "first", "last"),
    [
        (19_000.0, 10.0, "2021-12-09T00:00:00", "2022-02-07T00:00:00"),
        (1e300, 1.0, "9999-12-31T00:00:00", "9999-12-31T00:00:00"),
        (0.0, 1e308, "0001-01-01T00:00:00", "9999-12-31T00:00:00"),
    ],
)
@pytest.mark.parametrize("statistics", [{}, {"min": "early", "max": 5.0}])
def test_dates_without_a_range_are_around_their_mean(
    mean: float, std: float, first: str, last: str, statistics: dict[str, Any]
) -> None:
    when = feature("when", "date", {"mean": mean, "std": std, "cycles": []}, **statistics)
    found = response_curve(imported(when, "x"), "when", 3, None, None, {})
    assert (found["x"][0], found["x"][-1]) == (first, last)
    assert all(np.isfinite(found["outputs"][0]["h"]))
    assert response_curve(imported(when, "x"), "x", 3, None, None, {})["held"]["when"] >= first


def test_a_number_without_a_mean_is_held_at_that_of_its_encoder() -> None:
    model = imported(feature("x", "number", {"mean": 0.75}, whole=True, min=0, max=1), "z")
    assert response_curve(model, "z", 3, None, None, {})["held"] == {"x": 1}


def test_the_range_of_an_imported_feature_is_that_of_the_dataset(tmp_path: Path) -> None:
    text = "x,c,when,y\n" + "".join(f"{n},7,2024-01-{n - 99},{n}\n" for n in range(100, 130))
    learner = Learner(tmp_path, text)
    model = imported("x", "c", feature("when", "date", {"mean": 0.0, "std": 1.0, "cycles": []}))

    def values(name: str, model: Model = model) -> list[Any]:
        found: list[Any] = partial_dependence(model, learner.source, name, points=3, rows=5, **LIMITS)["values"]
        return found

    assert values("x") == [100, 114.5, 129]
    assert values("c") == [4, 7, 10]
    first, _, last = map(datetime.fromisoformat, values("when"))
    assert (first, last) == (datetime(2024, 1, 1), datetime(2024, 1, 30))
    known = feature("x", "number", min=1.0, max=3.0)
    other = imported(known, "c", feature("when", "date", {"mean": 0.0, "std": 1.0, "cycles": []}))
    assert values("x", other) == [1, 2, 3]


@pytest.mark.parametrize(("low", "high"), [(1e17, 1e17), (-1.7e308, 1.7e308), (1.7e308, 1.7e308), (5.0, 1.0)])
def test_a_grid_of_extreme_numbers_is_finite_and_increases(low: float, high: float) -> None:
    model = imported(feature("x", "number", {"mean": low, "std": 1.0}, min=low, max=high))
    x = response_curve(model, None, 1001, None, None, {})["x"]
    assert np.isfinite(x).all()
    assert (np.array(x[1:]) > x[:-1]).all()
    if low < high:
        assert (x[0], x[500], x[-1]) == (low, 0, high)
