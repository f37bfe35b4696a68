"""Predictions for a CSV file: rows are sent in batches and written with the predictions as further columns."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, TextIO

from backpropd.client import Client, ClientError
from backpropd.csv_injection import escape_row

BATCH_ROWS = 5000
DELIMITERS = ",;\t|"


class Batch(NamedTuple):
    """Rows of a file, a prediction for each, and the file's delimiter."""

    rows: list[dict[str, str]]
    predictions: list[dict[str, Any]]
    delimiter: str


def predict_csv(client: Client, model_id: str, source: TextIO) -> Iterator[Batch]:
    """The rows of `source` with their predictions.

    Raises `ClientError` for a file that is not a table with the model's columns, and the errors of `predict`.
    """
    features = client.models.get(model_id)["features"]
    try:
        header = source.readline()
        delimiter = max(DELIMITERS, key=header.count)
        reader = csv.DictReader(itertools.chain([header], source), delimiter=delimiter, strict=True)
        for rows in _read_batches(reader, features):
            inputs = [{name: row[name] or None for name in features} for row in rows]
            yield Batch(rows, client.models.predict(model_id, inputs), delimiter)
    except UnicodeDecodeError as error:
        raise ClientError(f"the file is not UTF-8: save it as UTF-8 and try again ({error})") from error


def write_csv(batches: Iterator[Batch], output: str) -> int:
    """Write rows and predictions to a file, or to stdout for `-`; returns the number of rows.

    No cell is a formula. The file is opened after the first batch: a rejected request does not overwrite an older one.
    """
    first = next(batches)
    # SIM115: the `with` below closes it.
    opened = nullcontext(sys.stdout) if output == "-" else open(output, "w", newline="", encoding="utf-8")  # noqa: SIM115
    with opened as target:
        names = escape_row(first.rows[0] | _columns(first.predictions[0]))
        writer = csv.DictWriter(target, names, delimiter=first.delimiter, lineterminator="\n")
        writer.writeheader()
        return sum(_write(writer, batch) for batch in itertools.chain([first], batches))


def _write(writer: csv.DictWriter[str], batch: Batch) -> int:
    predicted = zip(batch.rows, batch.predictions, strict=True)
    writer.writerows(escape_row(row | _columns(prediction)) for row, prediction in predicted)
    return len(batch.rows)


def _read_batches(reader: csv.DictReader[str], features: Sequence[str]) -> Iterator[list[dict[str, str]]]:
    names = reader.fieldnames or ()
    if not any(names):
        raise ClientError("the file is empty: it needs a header with the model's columns")
    if missing := [name for name in features if name not in names]:
        raise ClientError(f"the file has no column {', '.join(missing)}: the model needs {', '.join(features)}")
    rows = _read_rows(reader)
    batch = list(itertools.islice(rows, BATCH_ROWS))
    if not batch:
        raise ClientError("the file has a header but no rows")
    while batch:
        yield batch
        batch = list(itertools.islice(rows, BATCH_ROWS))


def _read_rows(reader: csv.DictReader[str]) -> Iterator[dict[str, str]]:
    """The rows. Raises `ClientError` for a row whose length differs from the header's."""
    try:
        for row in reader:
            if None in row or None in row.values():
                raise ClientError(f"line {reader.line_num}: the row has more or fewer cells than the header")
            yield row
    except csv.Error as error:
        raise ClientError(f"line {reader.reader.line_num}: {error}") from error


def _columns(prediction: dict[str, Any]) -> dict[str, Any]:
    """A prediction as named cells: the predicted class or classes with their probabilities, or the values."""
    probabilities = {f"probability_{name}": value for name, value in prediction.get("probabilities", {}).items()}
    if "label" in prediction:
        return {"prediction": prediction["label"], **probabilities}
    values = prediction["labels"] if "labels" in prediction else prediction["value"]
    if isinstance(values, dict):
        return {f"prediction_{name}": value for name, value in values.items()} | probabilities
    return {"prediction": values}
