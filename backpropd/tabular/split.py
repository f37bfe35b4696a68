"""Split rows into a training and a validation set: at random, or by a column."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.table import CategoricalColumn, Column

Indices = NDArray[np.intp]

VALIDATION_VALUES = ("validation", "valid", "val", "test", "true", "yes", "t", "y", "1")


def is_validation_value(value: str) -> bool:
    """Whether a row with this value in its split column belongs to the validation set."""
    return value.lower() in VALIDATION_VALUES


def split_by_column(column: Column) -> tuple[Indices, Indices]:
    """The indices of the training and the validation rows, which have a 1 or an `is_validation_value`."""
    if isinstance(column, CategoricalColumn):
        validation = np.array([*map(is_validation_value, column.levels), False])[column.codes]
    else:
        validation = column == 1
    return np.flatnonzero(~validation), np.flatnonzero(validation)


def train_validation_split(
    rows: int, fraction: float, rng: np.random.Generator, strata: NDArray[Any] | None = None
) -> tuple[Indices, Indices]:
    """Sorted indices of the training and the validation rows; the latter are about `fraction` of all.

    With `strata`, class codes (rows,), the validation set is stratified (largest remainders), and every class keeps a
    training row. With a fraction above 0 and at least two rows neither set is empty, if the classes allow it.
    """
    size = min(max(round(rows * fraction), 1), rows - 1) if fraction > 0 and rows > 1 else 0
    codes = np.zeros(rows, np.intp) if strata is None else strata
    class_sizes = np.bincount(codes) if rows else np.zeros(0, np.intp)
    validation = np.zeros(rows, bool)
    for code, count in enumerate(_allocate(size, class_sizes, rows)):
        members = np.flatnonzero(codes == code)
        validation[rng.permutation(members)[:count]] = True
    return np.flatnonzero(~validation), np.flatnonzero(validation)


def _allocate(size: int, class_sizes: NDArray[np.intp], rows: int) -> list[int]:
    """Validation rows of each class: its exact share rounded down, then one more by the largest remainders."""
    exact = class_sizes * (size / max(rows, 1))
    counts = np.floor(exact).astype(int)
    for code in np.argsort(counts - exact, kind="stable"):
        if counts.sum() >= size:
            break
        if counts[code] < class_sizes[code] - 1:
            counts[code] += 1
    return [*np.minimum(counts, np.maximum(class_sizes - 1, 0)).tolist()]
