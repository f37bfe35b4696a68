"""Predictions for a CSV file: rows go out in parts, and come back with columns of answers."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from typing import Any, TextIO

from backpropd.client import Client
from backpropd.errors import ClientError

PART = 5000


def predict_csv(client: Client, model_id: str, source: TextIO, target: TextIO) -> int:
    """Write the rows of `source` with their predictions to `target`; gives their number.

    Raises `errors.ClientError` for a file without a header or with a ragged row, and what the service refuses.
    """
    features = client.models.get(model_id)["features"]
    reader = csv.DictReader(source, strict=True)
    writer: Any = None
    count = 0
    for part in _parts(reader):
        rows = [{name: row[name] or None for name in features if name in row} for row in part]
        for row, answer in zip(part, client.models.predict(model_id, rows), strict=True):
            full = row | _answer_columns(answer)
            if writer is None:
                writer = csv.DictWriter(target, list(full), lineterminator="\n")
                writer.writeheader()
            writer.writerow(full)
        count += len(part)
    return count


def _parts(reader: csv.DictReader[str]) -> Iterator[list[dict[str, Any]]]:
    if not reader.fieldnames:
        raise ClientError("the file is empty: it needs a header with the model's columns")
    while part := list(itertools.islice(reader, PART)):
        for row in part:
            if None in row or None in row.values():
                raise ClientError(f"near line {reader.line_num}: a row has more or fewer cells than the header")
        yield part


def _answer_columns(answer: dict[str, Any]) -> dict[str, Any]:
    if "label" in answer:
        shares = {f"probability_{label}": share for label, share in answer["probabilities"].items()}
        return {"prediction": answer["label"], **shares}
    value = answer["value"]
    if isinstance(value, dict):
        return {f"prediction_{name}": each for name, each in value.items()}
    return {"prediction": value}
