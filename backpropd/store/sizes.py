"""How many bytes rows count in the storage quota: their content, and a share for the row and its index entries."""

from collections.abc import Mapping
from typing import Any

import orjson

from backpropd.store.curve_buckets import MAX_EPOCHS

DATASET, JOB, MODEL = 1000, 1000, 1000
TRANSITION, AUDIT, API_KEY, IDEMPOTENCY_KEY = 250, 250, 500, 700
EPOCH, SNAPSHOT = 220, 100


def of_json(*values: Any) -> int:
    """The bytes of these values as JSON."""
    return sum(len(orjson.dumps(value)) for value in values)


def of_model(row: dict[str, Any]) -> int:
    """The bytes of a model: its weights, path and training state, and its encoders, report and description."""
    return MODEL + sum(len(value) if isinstance(value, bytes) else of_json(value) for value in row.values())


def of_dataset(fields: Mapping[str, Any], blob: int) -> int:
    """The bytes of a dataset: those of its blob and of its row."""
    return DATASET + blob + of_json(*(fields.get(name) for name in ("name", "columns", "dialect", "warnings")))


def of_job(fields: Mapping[str, Any]) -> int:
    """The bytes of a job's description."""
    return JOB + of_json(*(fields.get(name) for name in ("name", "spec", "meta", "left_out", "warnings")))


def of_curve(epochs: int) -> int:
    """The bytes that the curve of a job takes after this number of epochs."""
    return EPOCH * min(epochs, MAX_EPOCHS)
