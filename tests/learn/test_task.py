"""Whether a target of numbers is taken for classes: if its values repeat enough, with a warning in doubt."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from backpropd import errors
from backpropd.learn.resolve.task import resolve_task
from backpropd.tabular import ColumnInfo
from backpropd.tabular.column_statistics import NumberStatistics

Draw = Callable[[np.random.Generator, int], np.ndarray]


def described(values: np.ndarray) -> ColumnInfo:
    statistics = NumberStatistics("y", 1000)
    statistics.update(pa.array(np.asarray(values, float)))
    return statistics.info(len(values))


def task_of(values: np.ndarray) -> tuple[str, list[str]]:
    """The task of a target with these values, and the codes of the warnings."""
    task, warnings = resolve_task("auto", [described(values)], len(values))
    return task, [warning.code for warning in warnings]


def labels(*counts: int) -> Draw:
    return lambda rng, _: rng.permutation(np.repeat(np.arange(len(counts)), counts))


CLASSES: dict[str, tuple[Draw, int]] = {
    "0 and 1": (lambda rng, n: rng.integers(0, 2, n), 100),
    "0 and 1 in a truth table": (lambda _, n: np.arange(n) % 2, 2),
    "0 and 1, one of them rare": (labels(995, 5), 0),
    "1 to 3": (lambda rng, n: rng.integers(1, 4, n), 90),
    "1 and 2": (lambda rng, n: rng.integers(1, 3, n), 20),
    "-1 and 1": (lambda rng, n: rng.choice([-1, 1], n), 50),
    "four, uneven": (labels(300, 40, 20, 6), 0),
}
PERHAPS_CLASSES: dict[str, tuple[Draw, int]] = {
    "stars from 1 to 5": (lambda rng, n: rng.integers(1, 6, n), 200),
    "stars, most of them 5": (lambda rng, n: rng.choice([1, 2, 3, 4, 5], n, p=[0.1, 0.1, 0.1, 0.2, 0.5]), 200),
    "three classes of four rows": (lambda _, n: np.arange(n) % 3, 12),
    "digits": (lambda rng, n: rng.integers(0, 10, n), 1797),
    "a quality from 3 to 8": (labels(0, 0, 0, 10, 53, 681, 638, 199, 18), 0),
    "eleven classes, each as often": (lambda _, n: np.arange(n) % 11, 990),
}
PERHAPS_AMOUNTS: dict[str, tuple[Draw, int]] = {
    "grades from 0 to 18": (lambda rng, n: np.clip(rng.normal(9, 3.5, n).round(), 0, 18), 300),
    "grades from 0 to 18, even": (lambda rng, n: rng.integers(0, 19, n), 300),
    "a mark from 1 to 10 with rare ones": (labels(0, 2, 3, 20, 116, 397, 374, 319, 168, 43, 18), 0),
    "counts with a tail": (lambda rng, n: rng.poisson(2.5, n), 400),
    "eight values in forty rows": (lambda rng, n: np.arange(n) % 8, 40),
}
AMOUNTS: dict[str, tuple[Draw, int]] = {
    "earnings, each another": (lambda rng, n: rng.choice(np.arange(30, 200), n, replace=False), 18),
    "few rows, some values twice": (lambda rng, n: rng.integers(50, 62, n), 20),
    "ages": (lambda rng, n: rng.integers(18, 90, n), 500),
    "decimals": (lambda rng, n: rng.integers(0, 3, n) / 2, 100),
    "prices": (lambda rng, n: rng.lognormal(10, 1, n).round(), 300),
    "years": (lambda _, n: 1950 + np.arange(n), 60),
}


def cases(*groups: tuple[dict[str, tuple[Draw, int]], str, list[str]]) -> list[object]:
    return [
        pytest.param(draw, rows, task, codes, id=name)
        for group, task, codes in groups
        for name, (draw, rows) in group.items()
    ]


@pytest.mark.parametrize(
    ("draw", "rows", "task", "codes"),
    cases(
        (CLASSES, "classification", []),
        (PERHAPS_CLASSES, "classification", ["task_is_a_guess"]),
        (PERHAPS_AMOUNTS, "regression", ["task_is_a_guess"]),
        (AMOUNTS, "regression", []),
    ),
)
def test_whole_numbers_are_classes_only_if_they_repeat_enough(
    draw: Draw, rows: int, task: str, codes: list[str]
) -> None:
    for seed in range(5):
        assert task_of(draw(np.random.default_rng(seed), rows)) == (task, codes)


def test_the_warning_names_the_other_task() -> None:
    stars, grades = np.arange(200) % 5 + 1, np.sqrt(np.arange(300)).round()
    for values, other in ((stars, "regression"), (grades, "classification")):
        _, (warning,) = resolve_task("auto", [described(values)], len(values))
        assert warning.pointer == "/task"
        assert f'"task": "{other}"' in warning.detail


def test_a_requested_task_has_no_warning_of_a_guess() -> None:
    info = described(np.arange(200) % 5)
    assert resolve_task("classification", [info], 200) == ("classification", [])
    assert resolve_task("regression", [info], 200) == ("regression", [])


def test_words_are_classes_and_those_of_a_single_row_are_told() -> None:
    counts = {"common": 18, "rare": 1, "rarer": 1}
    levels = [{"value": word, "count": count} for word, count in counts.items()]
    info = ColumnInfo("y", "category", 0, 3, {"levels": levels})
    task, (warning,) = resolve_task("auto", [info], 20)
    assert (task, warning.code, warning.pointer) == ("classification", "rare_classes", "/target")
    assert "2 of 3 classes" in warning.detail


def test_many_numbers_are_no_classes_though_the_request_says_so() -> None:
    with pytest.raises(errors.UnusableColumn):
        resolve_task("classification", [described(np.arange(5000))], 5000)
