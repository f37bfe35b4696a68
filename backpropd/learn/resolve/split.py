"""How the rows are split into a training set and a validation set."""

from collections.abc import Sequence
from typing import NamedTuple

from backpropd import errors, tabular
from backpropd.learn.request import TrainingRequest
from backpropd.learn.resolve.columns import check_known
from backpropd.learn.tables import TableDescription, is_boolean

MIN_ROWS_TO_VALIDATE = 20
DEFAULT_FRACTION = 0.2
WAYS = ("validation_fraction", "validation_dataset_id", "validation_column")


class Split(NamedTuple):
    """The estimated sizes of both sets; `fraction` is None where a column or another table has the validation rows.

    `available` rows have a target: with a validation table of its own, the training set has them all.
    """

    training: int
    validation: int
    available: int
    fraction: float | None = None

    def batch(self, size: int | str) -> int:
        """The rows of a batch of this resolved size."""
        return self.training if isinstance(size, str) else min(size, self.training)

    def steps(self, size: int | str) -> int:
        """The number of batches in an epoch."""
        return -(-self.training // self.batch(size))


def resolve_split(
    options: TrainingRequest, table: TableDescription, target: Sequence[str], other: TableDescription | None
) -> Split:
    """The sets of the rows that have a target. Raises `errors.Invalid` and subclasses, also for two ways to split."""
    rows = table.rows - max(table.columns[name].missing for name in target)
    given = [way for way in WAYS if getattr(options, way) is not None]
    if len(given) > 1:
        detail = f"{' and '.join(given)} are different ways to choose the validation rows: give one of them"
        raise errors.Invalid(detail, problems=[errors.Problem(f"/training/{way}", detail) for way in given[1:]])
    if other is not None:
        if other.rows == 0:
            raise errors.EmptyDataset("the validation dataset has no rows", pointer="/training/validation_dataset_id")
        return Split(rows, other.rows, rows)
    if column := options.validation_column:
        validation = min(_count_validation_rows(column, table, [*target, options.sample_weight]), rows - 1)
        return Split(rows - validation, validation, rows)
    fraction = resolve_fraction(options.validation_fraction, rows)
    validation = min(max(round(rows * fraction), 1), rows - 1) if fraction else 0
    return Split(rows - validation, validation, rows, fraction)


def resolve_fraction(requested: float | None, rows: int) -> float:
    """The share of validation rows. Raises `errors.EmptyDataset` for a single row that is to be split."""
    if requested is None:
        return DEFAULT_FRACTION if rows >= MIN_ROWS_TO_VALIDATE else 0.0
    if rows < 2 and requested > 0:
        detail = "one row cannot be split for validation: add rows"
        raise errors.EmptyDataset(detail, pointer="/training/validation_fraction")
    return requested


def _count_validation_rows(name: str, table: TableDescription, other_roles: Sequence[str | None]) -> int:
    """How many rows a split column puts in the validation set. Raises `errors.Invalid` and its subclasses."""
    pointer = "/training/validation_column"
    check_known(name, table.columns, pointer)
    info = table.columns[name]
    if name in other_roles:
        raise errors.Invalid(f"{name!r} is a target or the sample_weight: it cannot split the rows", pointer=pointer)
    if "levels" in info.statistics:
        levels = info.statistics["levels"]
        found: int = sum(level["count"] for level in levels if tabular.is_validation_value(level["value"]))
    elif is_boolean(info):
        found = round(info.statistics["mean"] * (table.rows - info.missing))
    else:
        detail = f"{name!r} must be boolean, 0 and 1, or words such as train and validation: it is of kind {info.kind}"
        raise errors.UnusableColumn(detail, pointer=pointer)
    if not 0 < found < table.rows:
        counted = f"puts {found} of {table.rows} rows (true, 1, validation, valid, val, test) into the validation set"
        raise errors.Invalid(f"{name!r} {counted}: both sets need rows", pointer=pointer)
    return found
