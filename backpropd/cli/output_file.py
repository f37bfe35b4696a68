"""Answers that are files, written to disk or to stdout."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import BinaryIO


def write_output(chunks: Iterator[bytes], output: str) -> None:
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
