"""Values of one feature over its range, for curves."""

import sys
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from backpropd import errors
from backpropd.learn.model import Model
from backpropd.tabular import ColumnInfo

EPOCH = datetime(1970, 1, 1)
FIRST_DAY, LAST_DAY = (datetime.min - EPOCH).days, (datetime.max - EPOCH).days  # since 1970
LARGEST = sys.float_info.max
MIN_MARGIN = 1e-9  # of a curve around a constant, relative to it: the numbers of the grid differ


def feature_info(model: Model, feature: str | None) -> ColumnInfo:
    """The description of a feature; None is the only one. Raises `errors.Invalid` with the pointer `/feature`."""
    infos = {info.name: info for info in model.encoder.column_infos}
    listed = ", ".join(list(infos)[:50])
    if feature is None:
        if len(infos) > 1:
            raise errors.Invalid(f"the model has several features: choose one of {listed}", pointer="/feature")
        (feature,) = infos
    if feature not in infos:
        raise errors.UnknownColumn(f"there is no feature {feature!r}; the features are: {listed}", pointer="/feature")
    return infos[feature]


def feature_grid(
    model: Model, info: ColumnInfo, points: int, start: float | None = None, stop: float | None = None
) -> list[Any]:
    """The values as a row has them: `points` numbers from `start` to `stop`, by default the range in the dataset.

    Booleans have 0 and 1, categories their levels, and dates `points` dates from the first to the last. A range that
    `info` does not have is three deviations around the mean. Raises `errors.Invalid` with the pointer `/from` or `/to`.
    """
    if info.kind == "number" and not model.spec.network.takes_booleans:
        return _numbers(model, info, points, start, stop)
    if info.kind == "date":
        values = _dates(model, info, points)
    else:
        values = sorted(encoder_fields(model, info)["levels"]) if info.kind == "category" else [0, 1]
    for name, end in (("from", start), ("to", stop)):
        if end is not None:
            detail = f"{info.name!r} has {len(values)} values, and no range: leave {name} out"
            raise errors.Invalid(detail, pointer=f"/{name}")
    return values


def _numbers(model: Model, info: ColumnInfo, points: int, start: float | None, stop: float | None) -> list[float]:
    low, high = _range(model, info)
    low, high = low if start is None else start, high if stop is None else stop
    if low >= high:
        detail = f"the curve would go from {low:g} to {high:g}: from must be less than to"
        raise errors.Invalid(detail, pointer="/to" if start is None else "/from")
    halves = np.linspace(low / 2, high / 2, points)  # the difference of the numbers themselves may overflow
    grid: list[float] = (np.linspace(low, high, points) if high - low <= LARGEST else 2 * halves).tolist()
    return grid


def has_range(info: ColumnInfo) -> bool:
    """Whether the minimum and maximum of a number or date are known, which an imported description may leave out."""
    low, high = (info.statistics.get(name) for name in ("min", "max"))
    if info.kind == "date":
        return _date(low) is not None and _date(high) is not None
    return isinstance(low, int | float) and isinstance(high, int | float) and low <= high


def date_of(days: float) -> datetime:
    """The date this many days after 1970-01-01, within the years 1 to 9999."""
    return EPOCH + timedelta(days=min(max(days, FIRST_DAY), LAST_DAY))


def _date(text: Any) -> datetime | None:
    """A date in ISO 8601; None for anything else."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except (TypeError, ValueError):
        return None


def _dates(model: Model, info: ColumnInfo, points: int) -> list[Any]:
    """Dates in equal steps from the column's first to its last."""
    first, last = (_date(info.statistics.get(name)) for name in ("min", "max"))
    if first is None or last is None:
        first, last = map(date_of, _around_mean(model, info))
    return [(first + (last - first) * n / (points - 1)).isoformat() for n in range(points)]


def _range(model: Model, info: ColumnInfo) -> tuple[float, float]:
    """The column's minimum and maximum, or three deviations around a constant, or around an unknown column's mean."""
    if not has_range(info):
        return _around_mean(model, info)
    low, high = info.statistics["min"], info.statistics["max"]
    return _around_mean(model, info, low) if low == high else (low, high)


def _around_mean(model: Model, info: ColumnInfo, center: float | None = None) -> tuple[float, float]:
    """Three deviations around the mean or another center."""
    encoder = encoder_fields(model, info)
    center = encoder["mean"] if center is None else center
    margin = max(3 * encoder["std"], MIN_MARGIN * abs(center))
    return max(center - margin, -LARGEST), min(center + margin, LARGEST)


def encoder_fields(model: Model, info: ColumnInfo) -> Any:
    """What the encoder learned of a column: `mean` and `std` of a number or boolean, `levels` of a category."""
    return vars(model.encoder.of(info.name))
