"""A checkpoint as bytes: the sha256 of a safetensors file, and the file, so arrays and JSON only."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load, save

from backpropd import errors

MARK = b"sha256 "  # and 32 bytes; a checkpoint from before it had a checksum begins with the safetensors file
DAMAGED = "the stored state of a training is damaged: restore the database from a backup, or train again"


def pack(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> bytes:
    """Arrays by name and their metadata."""
    file = bytes(save(dict(arrays), metadata={"meta": json.dumps(meta)}))
    return MARK + hashlib.sha256(file).digest() + file


def unpack(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arguments of `pack`. Raises `errors.BlobDamaged`.

    A safetensors file begins with 8 bytes, little-endian: the length of its JSON header.
    """
    file = _verified(data)
    try:
        length = int.from_bytes(file[:8], "little")
        header = json.loads(file[8 : 8 + length])
        return load(file), json.loads(header["__metadata__"]["meta"])
    except Exception as error:  # of a file without a checksum
        raise errors.BlobDamaged(DAMAGED) from error


def _verified(data: bytes) -> bytes:
    """The safetensors file in the data."""
    if not data.startswith(MARK):
        return data
    digest, file = data[len(MARK) : len(MARK) + 32], data[len(MARK) + 32 :]
    if hashlib.sha256(file).digest() != digest:
        raise errors.BlobDamaged(DAMAGED)
    return file
