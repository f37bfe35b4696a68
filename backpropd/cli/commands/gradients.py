"""`backpropd models gradient-check` and `backpropd models homework`: gradients checked from a JSON file."""

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from backpropd.cli.console import client, show, table


def gradient_check(
    context: typer.Context,
    model_id: str,
    file: Annotated[str, typer.Argument(help='A JSON file, or -: {"rows": [...], "targets": [...]}.')],
    epsilon: Annotated[float | None, typer.Option(help="By how much each parameter is moved up and down.")] = None,
) -> None:
    """Compare the gradient of backpropagation with finite differences."""
    body = _read(file, "rows", "targets")
    if wrong := [name for name in ("rows", "targets") if not isinstance(body[name], list)]:
        raise typer.BadParameter(f"{' and '.join(wrong)} of {file} must be a JSON array", param_hint="FILE")
    more = {} if epsilon is None else {"epsilon": epsilon}
    with client(context) as service:
        found = service.models.gradient_check(model_id, **{**body, **more})
    rows = [[name, f"{_largest(each['relative_error']):.2e}"] for name, each in found["parameters"].items()]
    show(context, found, table(["parameter", "largest relative error"], rows))


def homework(
    context: typer.Context,
    model_id: str,
    file: Annotated[str, typer.Argument(help='A JSON file, or -: {"row": ..., "target": ..., "answers": {...}}.')],
    tolerance: Annotated[float | None, typer.Option(help="How far a number may be from the right one.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the right numbers of the first wrong step.")] = False,
) -> None:
    """Check numbers of a forward and backward pass that were computed by hand."""
    body = _read(file, "row", "target", "answers")
    more = {**({"reveal": True} if reveal else {}), **({} if tolerance is None else {"tolerance": tolerance})}
    with client(context) as service:
        found = service.models.homework(model_id, **{**body, **more})
    wrong = found["first_wrong"]
    if wrong is None:
        show(context, found, f"all {found['checked']} values are right")
        return
    lines = [f"{wrong['step']} is wrong, at {wrong['pointer']}", f"the rule: {wrong['rule']}", wrong["formula"]]
    if wrong.get("expected") is not None:
        lines.append(f"the right value: {json.dumps(wrong['expected'])}")
    show(context, found, "\n".join(lines))


def _read(file: str, *names: str) -> dict[str, Any]:
    """The object in a JSON file that has these members. Raises `typer.BadParameter`."""
    try:
        body = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}", param_hint="FILE") from error
    if not isinstance(body, Mapping) or (missing := [name for name in names if name not in body]):
        missing = [*names] if not isinstance(body, Mapping) else missing
        raise typer.BadParameter(f"{file} needs an object with {', '.join(missing)}", param_hint="FILE")
    return dict(body)


def _largest(values: Any) -> float:
    """The largest number in nested lists, NaN if one is null: it is not finite."""
    if not isinstance(values, list):
        return math.nan if values is None else float(values)
    numbers = [*map(_largest, values)]
    return math.nan if any(map(math.isnan, numbers)) else max(numbers, default=0.0)
