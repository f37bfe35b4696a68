"""Snapshots as JSON, and as one safetensors file."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from safetensors.numpy import save

from backpropd.export.weights import as_lists, by_name


def to_json(rows: Sequence[Any], next_after: int | None) -> dict[str, Any]:
    """Rows of `epoch, weights` with the parameters as nested lists by name."""
    data = [{"epoch": row.epoch, "parameters": as_lists(row.weights)} for row in rows]
    return {"data": data, "next_after": next_after}


def to_safetensors(rows: Sequence[Any], next_after: int | None) -> bytes:
    """A file with `epoch` (n,), int64, and each parameter (n, …) of all n rows; its metadata has `next_after`."""
    arrays = {"epoch": np.array([row.epoch for row in rows], np.int64)}
    for index, row in enumerate(rows):
        for name, array in by_name(row.weights).items():
            if name not in arrays:
                arrays[name] = np.empty((len(rows), *array.shape), array.dtype)
            arrays[name][index] = array
    return bytes(save(arrays, {"next_after": json.dumps(next_after)}))
