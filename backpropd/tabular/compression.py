"""Decompression of an uploaded file, one step before its format is recognized."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from backpropd.errors import NotATable, TableTooLarge
from backpropd.tabular.messages import brief

CHUNK_BYTES = 1024 * 1024


def _open_zstd(path: Path) -> Any:
    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")


# The signatures of each compression, and what opens such a file as a stream of bytes.
COMPRESSIONS: dict[str, tuple[tuple[bytes, ...], Callable[[Path], Any]]] = {
    "gzip": ((b"\x1f\x8b",), gzip.open),
    # the second kind is a frame without content, which may precede others
    "zstd": ((b"\x28\xb5\x2f\xfd", *(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16))), _open_zstd),
}


def compression_of(path: Path) -> str | None:
    """`gzip`, `zstd`, or None for a file that is not compressed as a whole."""
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for name, (signatures, _) in COMPRESSIONS.items() if head.startswith(signatures)), None)


def decompress(source: Path, destination: Path, max_bytes: int) -> None:
    """Write the content of a compressed file to `destination`, piece by piece.

    Raises `NotATable` for a file that is damaged, cut off or compressed twice, and `TableTooLarge` if its content has
    more than `max_bytes`.
    """
    name = compression_of(source)
    if name is None:
        raise ValueError(f"{source} is not compressed")
    try:
        with COMPRESSIONS[name][1](source) as stream, destination.open("wb") as target:
            copy_at_most(stream, target, max_bytes)
    except MemoryError:
        raise
    except (EOFError, OSError, zlib.error, pa.ArrowException) as error:
        raise NotATable(f"this {name} file is damaged or cut off: send it again ({brief(error)})") from error
    if compression_of(destination):
        raise NotATable(f"this file is compressed twice, the second time with {name}: unpack it once")


def copy_at_most(stream: Any, target: Any, max_bytes: int) -> None:
    """Copy a stream of unpacked bytes. Raises `TableTooLarge` if there are more than `max_bytes`."""
    written = 0
    while chunk := stream.read(CHUNK_BYTES):
        written += len(chunk)
        if written > max_bytes:
            raise TableTooLarge(f"the file has more than {max_bytes} bytes when unpacked, the maximum: send less")
        target.write(chunk)
