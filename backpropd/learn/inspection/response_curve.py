"""A model's output against one of its features, the others held constant: a step, a sigmoid, or another curve."""

from collections.abc import Mapping, Sequence
from typing import Any

from backpropd import errors
from backpropd.errors import Problem, pointer
from backpropd.learn.inspection.feature_grid import date_of, encoder_fields, feature_grid, feature_info
from backpropd.learn.model import Model
from backpropd.learn.tables import is_boolean
from backpropd.tabular import ColumnInfo
from backpropd.tabular.columns import BOOLEAN_CELLS


def response_curve(
    model: Model,
    feature: str | None,
    points: int,
    start: float | None,
    stop: float | None,
    hold: Mapping[str, Any],
    *,
    max_cells: int = 4_000_000,
) -> dict[str, Any]:
    """`{"feature", "x", "outputs": [{"label" or "name", "h"}], "held"}`: the outputs over a grid of one feature.

    x has `points` numbers from `start` to `stop`, by default the column's range in the dataset; booleans have 0 and 1,
    categories their levels, and dates `points` dates from the first to the last. Other features are held at the values
    of `hold`, else at their mean in training, or their most frequent value. h has a number for each x: the probability
    of the second of two classes, or of each of more; a regression's value, which may not be finite far out. Raises
    `errors.Invalid` with the parameter's pointer, also where points times inputs or outputs exceed `max_cells`.
    """
    info = feature_info(model, feature)
    x = feature_grid(model, info, points, start, stop)
    width = max(model.encoder.width, len(model.classes or model.spec.target))
    if len(x) * width > max_cells:
        detail = f"{len(x)} points have {len(x) * width} inputs or outputs, and the limit is {max_cells}"
        if info.kind == "category":
            raise errors.Invalid(f"{detail}: choose a feature with fewer levels", pointer="/feature")
        raise errors.Invalid(f"{detail}: request fewer points", pointer="/points")
    held = _fixed_values(model, info, hold)
    rows = [[value if each is info else held[each.name] for each in model.encoder.column_infos] for value in x]
    try:
        predictions = model.predict(rows)
    except errors.Invalid as error:
        raise _fixed_values_error(error, model) from error
    return {"feature": info.name, "x": x, "outputs": _outputs(predictions, model.spec.target), "held": held}


def _fixed_values(model: Model, varied: ColumnInfo, hold: Mapping[str, Any]) -> dict[str, Any]:
    others = {info.name: info for info in model.encoder.column_infos if info is not varied}
    for name in hold:
        if name not in others:
            detail = f"{name!r} is not one of the features to hold, which are: {', '.join(list(others)[:50])}"
            raise errors.UnknownColumn(detail, pointer=pointer("hold", name))
    return {name: hold[name] if name in hold else _default(model, info) for name, info in others.items()}


def _default(model: Model, info: ColumnInfo) -> Any:
    """The mean of numbers and dates in training; of anything else the most frequent value, 0 and 1 included."""
    if info.kind == "number":
        mean = encoder_fields(model, info)["mean"]
        known = info.statistics.get("mean")
        return round(mean if known is None else known) if is_boolean(info) else mean
    if info.kind == "date":
        return date_of(encoder_fields(model, info)["mean"]).isoformat()
    levels = info.statistics.get("levels") or ()
    if info.kind == "boolean":  # an imported description may have other words
        levels = [level for level in levels if level["value"].lower() in BOOLEAN_CELLS]
    if not levels:
        detail = f"the most frequent value of {info.name!r} is not known: give the value to hold it at"
        raise errors.Invalid(detail, pointer=pointer("hold", info.name))
    return levels[0]["value"]


def _fixed_values_error(error: errors.Invalid, model: Model) -> errors.Invalid:
    """The same error with the pointers of the held values: those of the grid are always valid."""
    details = {int(each.pointer.split("/")[3]): each.detail for each in error.problems}  # by the feature's index
    problems = [
        Problem(pointer("hold", model.encoder.column_infos[index].name), detail) for index, detail in details.items()
    ]
    return error.from_problems(problems)


def _outputs(predictions: Sequence[Mapping[str, Any]], target: Sequence[str]) -> list[dict[str, Any]]:
    if "probabilities" not in predictions[0]:
        values = [each["value"] if len(target) > 1 else {target[0]: each["value"]} for each in predictions]
        return [{"name": name, "h": [value[name] for value in values]} for name in target]
    labels = list(predictions[0]["probabilities"])
    if len(labels) == 2 and "label" in predictions[0]:
        labels = labels[1:]
    return [{"label": label, "h": [each["probabilities"][label] for each in predictions]} for label in labels]
