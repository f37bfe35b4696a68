"""Split rows into a training and a validation part: by chance, or as a column says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.table import Column, Words

Indices = NDArray[np.intp]

HELD_OUT = ("validation", "valid", "val", "test", "true", "yes", "t", "y", "1")


def is_held_out(value: str) -> bool:
    """Whether a row with this value in its split column belongs to the validation part."""
    return value.lower() in HELD_OUT


def split_by_column(column: Column) -> tuple[Indices, Indices]:
    """The rows to train on and those held out: a number is held out if it is 1, a word if `is_held_out` says so."""
    if isinstance(column, Words):
        held_out = np.array([*map(is_held_out, column.levels), False])[column.codes]
    else:
        held_out = column == 1
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def train_validation_split(
    rows: int, fraction: float, rng: np.random.Generator, strata: NDArray[Any] | None = None
) -> tuple[Indices, Indices]:
    """Sorted indices of the two parts; the second has about `fraction` of the rows.

    With `strata`, class codes (rows,), each class gives its share (largest remainder), and every class keeps a row
    for training. With a fraction above 0 and at least two rows neither part is empty, where the classes allow it.
    """
    wanted = min(max(round(rows * fraction), 1), rows - 1) if fraction > 0 and rows > 1 else 0
    codes = np.zeros(rows, np.intp) if strata is None else strata
    sizes = np.bincount(codes) if rows else np.zeros(0, np.intp)
    shares = _shares(sizes, wanted, rows)
    held_out = np.zeros(rows, bool)
    for code, share in enumerate(shares):
        members = np.flatnonzero(codes == code)
        held_out[rng.permutation(members)[:share]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _shares(sizes: NDArray[np.intp], wanted: int, rows: int) -> list[int]:
    """How many rows each class gives: its exact share rounded down, then the largest remainders, one row each."""
    exact = sizes * (wanted / max(rows, 1))
    shares = np.floor(exact).astype(int)
    for code in np.argsort(shares - exact, kind="stable"):
        if shares.sum() >= wanted:
            break
        if shares[code] < sizes[code] - 1:
            shares[code] += 1
    kept: list[int] = np.minimum(shares, np.maximum(sizes - 1, 0)).tolist()
    return kept
