"""A checkpoint as bytes: safetensors, so arrays and JSON only."""

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load, save


def pack(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> bytes:
    """Arrays by name and their metadata in one safetensors file."""
    return bytes(save(dict(arrays), metadata={"meta": json.dumps(meta)}))


def unpack(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arguments of `pack`. A safetensors file begins with 8 bytes, little-endian: the length of its JSON header."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return load(data), json.loads(header["__metadata__"]["meta"])
