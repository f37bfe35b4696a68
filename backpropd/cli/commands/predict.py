"""`backpropd predict`: predictions for the rows of a file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from backpropd.cli.console import client, err, options, show
from backpropd.client.types import PredictionWarning

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".feather": "application/vnd.apache.arrow.file",
    ".arrows": "application/vnd.apache.arrow.stream",
}  # of the output's extensions


def predict(
    context: typer.Context,
    model_id: str,
    file: Annotated[str, typer.Argument(help="A table with the model's columns, or - for stdin.")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="The file to write (.csv, .json, .jsonl, .parquet, .arrow), or -.")
    ] = "-",
    keep: Annotated[str, typer.Option(help="The columns of the input to write, too: * is all.")] = "*",
) -> None:
    """Predict the rows of a table: the output has the same rows with the predictions as further columns."""
    accept = MEDIA_TYPES.get(Path(output).suffix.lower(), "text/csv")
    if output == "-" and options(context).json:
        accept = "application/json"
    source = sys.stdin.buffer if file == "-" else file
    columns = next(csv.reader([keep]), [])
    with client(context) as service:
        with service.models.predict_file(model_id, source, accept=accept, keep=columns) as answer:
            _write(answer.chunks, output)
        _report(answer.warnings)
    if output != "-":
        show(context, {"output": output}, f"the predictions are in {output}")


def _write(chunks: Iterator[bytes], output: str) -> None:
    """Write to a file, or to stdout for `-`. It is opened after the answer began: an error overwrites no older file."""
    first = next(chunks, b"")
    # SIM115: the `with` below closes it.
    opened: nullcontext[BinaryIO] | BinaryIO = (
        nullcontext(sys.stdout.buffer) if output == "-" else open(output, "wb")  # noqa: SIM115
    )
    with opened as target:
        target.write(first)
        for chunk in chunks:
            target.write(chunk)


def _report(warnings: Sequence[PredictionWarning]) -> None:
    for each in warnings:
        where = "" if each["column"] is None else f"column {each['column']!r}, "
        err.print(f"warning: {where}{each['count']} times {each['code']}: {each['detail']}", soft_wrap=True)
