"""`backpropd predict`: predictions for the rows of a file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from backpropd.cli.console import client, err, options, show
from backpropd.cli.output_file import write_output
from backpropd.cli.reading_options import with_reading_options
from backpropd.client.media_types import media_type_of
from backpropd.client.types import PredictionWarning


@with_reading_options
def predict(
    context: typer.Context,
    model_id: str,
    file: Annotated[str, typer.Argument(help="A table with the model's columns, or - for stdin.")],
    reading: dict[str, Any],
    output: Annotated[
        str, typer.Option("--output", "-o", help="The file to write (.csv, .json, .jsonl, .parquet, .arrow), or -.")
    ] = "-",
    keep: Annotated[str, typer.Option(help="The columns of the input to write, too: * is all.")] = "*",
) -> None:
    """Predict the rows of a table: the output has the same rows with the predictions as further columns."""
    accept = media_type_of(output)
    if output == "-" and options(context).json:
        accept = "application/json"
    source = sys.stdin.buffer if file == "-" else file
    columns = _names(keep)
    with client(context) as service:
        with service.models.predict_file(model_id, source, accept=accept, keep=columns, **reading) as answer:
            write_output(answer.chunks, output)
        _report(answer.warnings)
    if output != "-":
        show(context, {"output": output}, f"the predictions are in {output}")


def _names(line: str) -> list[str]:
    """The names in a line of CSV. Raises `typer.BadParameter`."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error as error:
        raise typer.BadParameter("put a name with a line break in double quotes", param_hint="--keep") from error


def _report(warnings: Sequence[PredictionWarning]) -> None:
    for each in warnings:
        where = "" if each["column"] is None else f"column {each['column']!r}, "
        err.print(f"warning: {where}{each['count']} times {each['code']}: {each['detail']}", soft_wrap=True)
