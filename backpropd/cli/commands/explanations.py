"""`backpropd models explain`, `importance` and `partial-dependence`: what a model's columns do."""

import json
import sys
from typing import Annotated, Any

import typer

from backpropd import errors
from backpropd.cli.console import client, show, table

Label = Annotated[str | None, typer.Option("--class", help="The class, or the target if there are several.")]
Dataset = Annotated[str | None, typer.Option("--dataset", help="The dataset; by default that of the model's job.")]


def explain(
    context: typer.Context,
    model_id: str,
    rows: Annotated[str, typer.Argument(help="One row or a list of rows in JSON, or - for standard input.")],
    label: Label = None,
    baseline: Annotated[str, typer.Option(help='What to compare with: "mean", or a row in JSON.')] = "mean",
) -> None:
    """Show how much each column contributes to the output of each row."""
    found = _json(sys.stdin.read() if rows == "-" else rows, "rows")
    compared = baseline if baseline == "mean" else _json(baseline, "baseline")
    with client(context) as service:
        answer = service.models.explain(model_id, found if _are_rows(found) else [found], label, compared)
    shown: list[list[Any]] = []
    for number, each in enumerate(answer["explanations"]):
        name = each["class"] or "value"
        shown.append([number, f"{name} at the baseline", _number(each["baseline"])])
        shown += [[number, column, _number(value, "+")] for column, value in _largest_first(each["attributions"])]
        shown.append([number, f"{name} of the row", _number(each["output"])])
    show(context, answer, table(["row", "column", "contribution"], shown))


def importance(
    context: typer.Context,
    model_id: str,
    dataset: Dataset = None,
    repeats: Annotated[int, typer.Option(help="How often each column is shuffled.")] = 5,
    seed: Annotated[int, typer.Option(help="The seed of the shuffles.")] = 0,
) -> None:
    """Show how much worse the model predicts with each column shuffled."""
    with client(context) as service:
        found = service.models.importance(model_id, dataset, repeats=repeats, seed=seed)
    rows = [[each["column"], _number(each["mean"]), _number(each["deviation"])] for each in found["importance"]]
    show(context, found, table(["column", f"drop of {found['metric']}", "deviation"], rows))


def partial_dependence(
    context: typer.Context,
    model_id: str,
    feature: str,
    label: Label = None,
    dataset: Dataset = None,
    points: Annotated[int, typer.Option(help="How many values of the feature.")] = 50,
    rows: Annotated[int, typer.Option(help="Over how many rows of the dataset.")] = 50,
) -> None:
    """Show the output against one feature, on average; --json has the curve of each row, too."""
    with client(context) as service:
        found = service.models.partial_dependence(model_id, feature, label, dataset, points=points, rows=rows)
    shown = [[value, _number(mean)] for value, mean in zip(found["values"], found["mean"], strict=True)]
    show(context, found, table([feature, found["class"] or "value"], shown))


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise errors.Malformed(f'the {what} must be JSON, as [{{"height": 1.5}}]: {error}') from error


def _are_rows(value: Any) -> bool:
    """Whether this is a list of rows, not one row as an object or an array."""
    return isinstance(value, list) and (not value or isinstance(value[0], list | dict))


def _largest_first(attributions: dict[str, float | None]) -> list[tuple[str, float | None]]:
    return sorted(attributions.items(), key=lambda each: -abs(each[1] or 0))


def _number(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.4f}"
