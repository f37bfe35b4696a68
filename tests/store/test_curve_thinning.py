"""The rule of thinned curves: what is kept, how much, and that it does not depend on when a curve was thinned."""

import numpy as np
import pytest

from backpropd.store.curve_buckets import MAX_EPOCHS, bucket_size
from backpropd.store.curve_thinning import Points, kept
from worker.learning_curve import CurveChange, plan_change, points_of


def a_curve(epochs: int, seed: int = 0) -> Points:
    """Noisy losses with ties, a validation loss in most epochs, metrics in every hundredth."""
    rng = np.random.default_rng(seed)
    number = np.arange(1, epochs + 1, dtype=float)
    loss = np.round(1 / np.sqrt(number) + 0.1 * rng.random(epochs), 3)
    validation = np.where(rng.random(epochs) < 0.9, np.round(rng.random(epochs), 2), np.nan)
    return np.column_stack([number, loss, validation, number % 100 == 1])


def as_rows(points: Points) -> list[dict[str, object]]:
    fields = ("epoch", "loss", "validation_loss", "metrics")
    rows = [dict(zip(fields, point, strict=True)) for point in points.tolist()]
    return [{**row, "epoch": int(row["epoch"])} for row in rows]


def test_every_epoch_stays_up_to_the_limit_and_never_more_than_it_beyond() -> None:
    assert [bucket_size(epochs) for epochs in (0, 1, MAX_EPOCHS, MAX_EPOCHS + 1)] == [1, 1, 1, 8]
    for epochs in (100_001, 159_000, 161_000, 700_000):
        points, size = a_curve(epochs), bucket_size(epochs)
        count = np.count_nonzero(kept(points, size))
        assert MAX_EPOCHS / 8 < count <= MAX_EPOCHS
        assert size & (size - 1) == 0


def test_the_first_the_last_the_minima_and_the_extremes_of_every_bucket_stay() -> None:
    points = a_curve(200_000)
    size = bucket_size(len(points))
    stays = kept(points, size)
    assert stays[0]
    assert stays[-1]
    assert stays[np.argmin(points[:, 1])]
    assert stays[np.nanargmin(points[:, 2])]
    for start in range(0, len(points), size):
        bucket, few = points[start : start + size], points[start : start + size][stays[start : start + size]]
        for column in (1, 2):
            assert np.nanmin(few[:, column]) == np.nanmin(bucket[:, column])
            assert np.nanmax(few[:, column]) == np.nanmax(bucket[:, column])
        assert few[:, 3].any() == bucket[:, 3].any()


def test_the_first_epoch_of_a_fork_stays() -> None:
    change = plan_change(points_of([]), as_rows(a_curve(200_000)[100_002:]))
    assert change.added[0]["epoch"] == 100_003
    later = plan_change(change.points, as_rows(a_curve(400_000)[200_000:]))
    assert 100_003 not in later.dropped
    assert later.points[0, 0] == 100_003


@pytest.mark.parametrize("seed", range(3))
def test_a_curve_thinned_while_it_grows_is_the_one_thinned_at_its_end(seed: int) -> None:
    points, rng = a_curve(350_000, seed), np.random.default_rng(seed)
    stored: dict[int, object] = {}
    curve, written = points_of([]), 0
    while written < len(points):
        chunk = as_rows(points[written : written + int(rng.integers(1, 30_000))])
        change = plan_change(curve, chunk)
        for epoch in change.dropped:
            del stored[epoch]
        stored |= {row["epoch"]: row for row in change.added}  # type: ignore[misc]
        curve, written = change.points, written + len(chunk)
        assert sorted(stored) == curve[:, 0].astype(int).tolist()
        assert max(stored) == written
    expected = points[kept(points, bucket_size(len(points)))]
    assert np.array_equal(curve, expected, equal_nan=True)
    assert len(stored) <= MAX_EPOCHS


def test_the_parts_of_a_change_are_short_and_make_the_whole() -> None:
    change = plan_change(points_of([]), as_rows(a_curve(2_500)))
    change = CurveChange(change.added, list(range(1_200)), change.points)
    parts = change.parts(1_000)
    assert [(len(part.added), len(part.dropped)) for part in parts] == [(1_000, 1_000), (1_000, 200), (500, 0)]
    assert [row for part in parts for row in part.added] == change.added
    assert [epoch for part in parts for epoch in part.dropped] == change.dropped
    assert len(plan_change(change.points, []).parts(1_000)) == 1
