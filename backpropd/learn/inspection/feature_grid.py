"""Values of one feature over its range, for curves."""

from datetime import datetime
from typing import Any

import numpy as np

from backpropd import errors
from backpropd.learn.model import Model
from backpropd.tabular import ColumnInfo


def feature_info(model: Model, feature: str | None) -> ColumnInfo:
    """The description of a feature; None is the only one. Raises `errors.Invalid` with the pointer `/feature`."""
    infos = {info.name: info for info in model.encoder.infos}
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

    Booleans have 0 and 1, categories their levels, and dates `points` dates from the first to the last. Raises
    `errors.Invalid` with the pointer `/from` or `/to`.
    """
    if info.kind == "number" and not model.spec.network.takes_booleans:
        return _numbers(model, info, points, start, stop)
    if info.kind == "date":
        values = _dates(info, points)
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
    grid: list[float] = np.linspace(low, high, points).tolist()
    return grid


def _dates(info: ColumnInfo, points: int) -> list[Any]:
    """Dates in equal steps from the column's first to its last."""
    first, last = (datetime.fromisoformat(info.statistics[name]) for name in ("min", "max"))
    return [(first + (last - first) * n / (points - 1)).isoformat() for n in range(points)]


def _range(model: Model, info: ColumnInfo) -> tuple[float, float]:
    """The column's minimum and maximum, or three deviations around the mean where the model has no statistics."""
    low, high = info.statistics.get("min"), info.statistics.get("max")
    if low is None or high is None or low == high:
        encoder = encoder_fields(model, info)
        return encoder["mean"] - 3 * encoder["std"], encoder["mean"] + 3 * encoder["std"]
    return low, high


def encoder_fields(model: Model, info: ColumnInfo) -> Any:
    """What the encoder learned of a column: `mean` and `std` of a number or boolean, `levels` of a category."""
    return vars(model.encoder.of(info.name))
