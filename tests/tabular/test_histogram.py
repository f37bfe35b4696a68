"""Histograms of columns: every value is counted, in the bin that its edges say, however the values are spread."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from backpropd.tabular.column_statistics import NumberStatistics
from backpropd.tabular.ingest import ingest
from tests.tabular.reading import read

RNG = np.random.default_rng(0)
NUMBERS = {
    "normal": RNG.normal(size=20_000),
    "growing": np.cumsum(RNG.normal(size=20_000)) ** 3,
    "extreme": np.concatenate([RNG.normal(size=5000), [-1.7e308, 1.7e308], RNG.normal(size=5000)]),
    "large": RNG.normal(size=5000) * 0.3e308,
    "far from 0": 1e15 + RNG.random(20_000),
    "skewed": np.exp(RNG.normal(size=9999) * 20),
    "whole": np.arange(5000.0),
    "first few, then many": np.concatenate([np.zeros(5000), RNG.random(3000)]),
    "waves": np.sin(np.arange(9999) * np.pi / 2000),
    "few": np.array([0.1, 0.25, 0.1, -7]),
    "next to each other": np.array([0.1, np.nextafter(0.1, 1)]),
}


def histogram(x: np.ndarray, max_levels: int = 1000) -> dict[str, Any]:
    statistics = NumberStatistics("x", max_levels)
    for start in range(0, len(x), 997):
        statistics.update(pa.array(x[start : start + 997]))
    return dict(statistics.info(len(x)).statistics["histogram"])


@pytest.mark.parametrize("max_levels", [7, 50, 1000])
@pytest.mark.parametrize("name", NUMBERS)
def test_the_counts_are_those_between_the_edges(name: str, max_levels: int) -> None:
    x = NUMBERS[name]
    found = histogram(x, max_levels)
    edges, counts = np.array(found["edges"]), np.array(found["counts"])
    assert (len(edges), counts.sum()) == (len(counts) + 1, len(x))
    assert len(counts) <= 32
    assert (edges[0], edges[-1]) == (x.min(), x.max())
    assert (np.diff(edges / 2) > 0).all()
    inside = (x[:, None] >= edges[:-1]) & ((x[:, None] < edges[1:]) | (edges[1:] == edges[-1]))
    np.testing.assert_array_equal(counts, inside.sum(axis=0))


def test_the_bins_of_many_numbers_are_about_equally_wide() -> None:
    widths = np.diff(histogram(NUMBERS["normal"])["edges"])
    assert len(widths) == 32
    assert widths.min() > 0.8 * widths.max()


def test_few_whole_numbers_have_a_bin_each() -> None:
    assert histogram(np.array([2.0, 0, 2, 3])) == {"edges": [0, 1, 2, 3, 4], "counts": [1, 0, 2, 1]}


def test_a_constant_column_has_one_bin() -> None:
    assert histogram(np.full(5, 1e308)) == {"edges": [1e308, 1e308], "counts": [5]}


def test_columns_of_a_file_have_histograms_of_their_kinds(tmp_path: Path) -> None:
    rows = ["n,missing,flag,word,note,empty"]
    rows += [f"{n / 4},{'' if n % 4 else n},{'yes' if n % 3 else 'no'},w{n % 7},note {n} of many,NA" for n in range(99)]
    info, _ = read(tmp_path, "\n".join(rows))
    found = {column.name: column.statistics.get("histogram") for column in info.columns}
    assert sum(found["n"]["counts"]) == 99
    assert sum(found["missing"]["counts"]) == 25
    assert found["flag"] == {"levels": ["yes", "no"], "counts": [66, 33], "other": 0}
    assert found["word"]["counts"] == [15, 14, 14, 14, 14, 14, 14]
    assert found["word"]["levels"][0] == "w0"
    assert found["note"] is None
    assert found["empty"] is None


def test_rare_levels_are_counted_together(tmp_path: Path) -> None:
    words = [f"w{n}" for n in range(50) for _ in range(100 - n)]
    info, _ = read(tmp_path, "a,b\n" + "\n".join(f"{word},1" for word in words))
    assert info.columns[0].statistics["histogram"] == {
        "levels": [f"w{n}" for n in range(32)],
        "counts": [100 - n for n in range(32)],
        "other": sum(100 - n for n in range(32, 50)),
    }


@pytest.mark.parametrize(("seconds", "is_long"), [(86400 * 3, True), (1, False)])
@pytest.mark.parametrize("rows", [600, 2500])
def test_dates_are_counted_between_dates(tmp_path: Path, rows: int, seconds: int, is_long: bool) -> None:
    start = np.datetime64("2020-02-01")
    days = [str(start + np.timedelta64(int(n) * seconds, "s")) for n in RNG.integers(0, rows, rows)]
    info, _ = read(tmp_path, "when,b\n" + "\n".join(f"{day},1" for day in days))
    found = info.columns[0].statistics["histogram"]
    moments, edges = sorted(map(datetime.fromisoformat, days)), list(map(datetime.fromisoformat, found["edges"]))
    assert (edges[0], edges[-1]) == (moments[0], moments[-1])
    assert len(edges) == len(found["counts"]) + 1 <= 33
    expected = Counter(min(sum(moment >= edge for edge in edges), len(edges) - 1) for moment in moments)
    assert found["counts"] == [expected[index] for index in range(1, len(edges))]
    if is_long and rows == 600:
        assert all(len(edge) == len("2020-01-01") for edge in found["edges"][1:-1])


@pytest.mark.parametrize("columns", [1000, 1001])
def test_wide_tables_have_no_histograms(tmp_path: Path, columns: int) -> None:
    lines = [[f"x{n}" for n in range(columns)], *([str(row + n) for n in range(columns)] for row in range(3))]
    source = tmp_path / "wide.csv"
    source.write_text("\n".join(map(",".join, lines)))
    found = ingest(source, tmp_path / "wide.parquet")
    assert {"histogram" in column.statistics for column in found.columns} == {columns <= 1000}
