"""`backpropd predict`: predictions for the rows of a CSV file."""

import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from backpropd.cli.console import client, options, show


def predict(
    context: typer.Context,
    model_id: str,
    file: Annotated[str, typer.Argument(help="A CSV file with the model's columns, or - for stdin.")],
    output: Annotated[str, typer.Option("--output", "-o", help="The file to write, or - for stdout.")] = "-",
) -> None:
    """Predict the rows of a CSV file: the output has the same rows with the predictions as further columns."""
    from backpropd.cli.csv_prediction import predict_csv, write_csv

    # SIM115: the `with` below closes it.
    opened = nullcontext(sys.stdin) if file == "-" else open(file, newline="", encoding="utf-8-sig")  # noqa: SIM115
    with client(context) as service, opened as source:
        batches = predict_csv(service, model_id, source)
        if output == "-" and options(context).json:
            show(context, {"predictions": [each for batch in batches for each in batch.predictions]}, "")
            return
        count = write_csv(batches, output)
    if output != "-":
        show(context, {"rows": count, "output": output}, f"{count} rows predicted, in {output}")
