"""Chunks: how many epochs run between two inspections, so that a small network spends its time in the engine."""

from __future__ import annotations

MAX_CHUNK_EPOCHS = 256
MAX_PERMUTED_ROWS = 2**20  # rows of all permutations of a chunk: they are drawn before it runs, eight bytes a row


def max_chunk_epochs(rows: int) -> int:
    """The most epochs over `rows` training rows that one chunk has."""
    return max(min(MAX_CHUNK_EPOCHS, MAX_PERMUTED_ROWS // rows), 1)
