"""Predictions for a CSV file: rows go out in parts, and come back with columns of answers."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, TextIO

from backpropd.client import Client
from backpropd.csv_injection import harmless_row
from backpropd.errors import ClientError

PART = 5000
DELIMITERS = ",;\t|"


class Part(NamedTuple):
    """Some rows of a file, the service's answer to each, and the file's delimiter."""

    rows: list[dict[str, str]]
    answers: list[dict[str, Any]]
    delimiter: str


def predicted(client: Client, model_id: str, source: TextIO) -> Iterator[Part]:
    """The rows of `source` with their answers, part after part.

    Raises `errors.ClientError` for a file that is no table with the model's columns, and what the service refuses.
    """
    features = client.models.get(model_id)["features"]
    try:
        header = source.readline()
        delimiter = max(DELIMITERS, key=header.count)
        reader = csv.DictReader(itertools.chain([header], source), delimiter=delimiter, strict=True)
        for rows in _parts(reader, features):
            asked = [{name: row[name] or None for name in features} for row in rows]
            yield Part(rows, client.models.predict(model_id, asked), delimiter)
    except UnicodeDecodeError as error:
        raise ClientError(f"the file is not UTF-8: save it as UTF-8 and try again ({error})") from error


def write_csv(parts: Iterator[Part], output: str) -> int:
    """Write rows and answers to a file, or to stdout for `-`; gives the number of rows. No cell is a formula.

    The file is opened after the first part came: a refusal leaves an older one alone.
    """
    first = next(parts)
    opened = nullcontext(sys.stdout) if output == "-" else open(output, "w", newline="", encoding="utf-8")  # noqa: SIM115
    with opened as target:
        names = harmless_row(first.rows[0] | _answer_columns(first.answers[0]))
        writer = csv.DictWriter(target, names, delimiter=first.delimiter, lineterminator="\n")
        writer.writeheader()
        return sum(_write(writer, part) for part in itertools.chain([first], parts))


def _write(writer: csv.DictWriter[str], part: Part) -> int:
    answered = zip(part.rows, part.answers, strict=True)
    writer.writerows(harmless_row(row | _answer_columns(answer)) for row, answer in answered)
    return len(part.rows)


def _parts(reader: csv.DictReader[str], features: Sequence[str]) -> Iterator[list[dict[str, str]]]:
    names = reader.fieldnames or ()
    if not any(names):
        raise ClientError("the file is empty: it needs a header with the model's columns")
    if missing := [name for name in features if name not in names]:
        raise ClientError(f"the file has no column {', '.join(missing)}: the model takes {', '.join(features)}")
    rows = _whole(reader)
    part = list(itertools.islice(rows, PART))
    if not part:
        raise ClientError("the file has a header and no rows")
    while part:
        yield part
        part = list(itertools.islice(rows, PART))


def _whole(reader: csv.DictReader[str]) -> Iterator[dict[str, str]]:
    """The rows, each as long as the header."""
    try:
        for row in reader:
            if None in row or None in row.values():
                raise ClientError(f"line {reader.line_num}: the row has more or fewer cells than the header")
            yield row
    except csv.Error as error:
        raise ClientError(f"line {reader.reader.line_num}: {error}") from error


def _answer_columns(answer: dict[str, Any]) -> dict[str, Any]:
    if "label" in answer:
        shares = {f"probability_{label}": share for label, share in answer["probabilities"].items()}
        return {"prediction": answer["label"], **shares}
    if "labels" in answer:
        shares = {f"probability_{name}": share for name, share in answer["probabilities"].items()}
        return {f"prediction_{name}": held for name, held in answer["labels"].items()} | shares
    value = answer["value"]
    if isinstance(value, dict):
        return {f"prediction_{name}": each for name, each in value.items()}
    return {"prediction": value}
