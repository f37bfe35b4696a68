"""A model's parameters by name, in each file format."""

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load


class WeightFormat(NamedTuple):
    """A format: its media type, and how the stored safetensors file becomes one."""

    media_type: str
    encode: Callable[[bytes], bytes]


def by_name(stored: bytes) -> dict[str, NDArray[Any]]:
    """The arrays sorted by name: safetensors reads them in no fixed order."""
    return dict(sorted(load(stored).items()))


def as_lists(stored: bytes) -> dict[str, list[Any]]:
    """Nested lists by name."""
    return {name: array.tolist() for name, array in by_name(stored).items()}


def _npz(stored: bytes) -> bytes:
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **by_name(stored))
    return out.getvalue()


def _json(stored: bytes) -> bytes:
    return json.dumps(as_lists(stored)).encode()


WEIGHT_FORMATS = {
    "safetensors": WeightFormat("application/octet-stream", lambda stored: stored),
    "npz": WeightFormat("application/octet-stream", _npz),
    "json": WeightFormat("application/json", _json),
}
