"""How the rows are parted: those that are trained on, and those held out to validate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backpropd import errors, tabular
from backpropd.errors import Problem
from backpropd.learn.resolve.columns import TableInfo, is_truth, refuse_unknown

FEWEST_ROWS_TO_VALIDATE = 20
WAYS = ("validation_fraction", "validation_dataset_id", "validation_column")


class Parts(NamedTuple):
    """How many rows train and how many are held out, as near as the table's description tells, and by which way."""

    training: int
    held_out: int
    validation_fraction: float | None
    validation_dataset_id: str | None = None
    validation_column: str | None = None

    def batch(self, size: int | str) -> int:
        """How many rows a batch of this resolved size has."""
        return self.training if isinstance(size, str) else min(size, self.training)

    def steps(self, size: int | str) -> int:
        """How many batches an epoch has."""
        return -(-self.training // self.batch(size))

    def fields(self) -> dict[str, Any]:
        """As they stand in a resolved spec."""
        return {way: getattr(self, way) for way in WAYS}


def resolve_parts(
    wanted: Mapping[str, Any], table: TableInfo, target: Sequence[str], rows: int, other: TableInfo | None
) -> Parts:
    """The parts of the `rows` rows that have a target. Raises `errors.Invalid` and its kin, as for two ways at once."""
    given = [way for way in WAYS if wanted.get(way) is not None]
    if len(given) > 1:
        detail = f"the rows to validate on come from one place: {' and '.join(given)} were given, keep one of them"
        raise errors.Invalid(detail, problems=[Problem(f"/training/{way}", detail) for way in given[1:]])
    if other is not None:
        if other.rows == 0:
            raise errors.EmptyDataset("the validation dataset has no rows", pointer="/training/validation_dataset_id")
        return Parts(rows, other.rows, None, validation_dataset_id=wanted["validation_dataset_id"])
    if column := wanted.get("validation_column"):
        others = [*target, wanted.get("sample_weight")]
        held_out = min(_held_out(column, table, others), rows - 1)
        return Parts(rows - held_out, held_out, None, validation_column=column)
    fraction = wanted["validation_fraction"]
    if fraction is None:
        fraction = 0.2 if rows >= FEWEST_ROWS_TO_VALIDATE else 0.0
    if rows < 2 and fraction > 0:
        raise errors.EmptyDataset(
            "one row cannot be split for validation: add rows", pointer="/training/validation_fraction"
        )
    held_out = min(max(round(rows * fraction), 1), rows - 1) if fraction else 0
    return Parts(rows - held_out, held_out, fraction)


def _held_out(name: str, table: TableInfo, others: Sequence[str | None]) -> int:
    """How many rows a split column holds out; `others` are columns that have another part to play."""
    pointer = "/training/validation_column"
    refuse_unknown(name, table.infos, pointer)
    info = table.infos[name]
    if name in others:
        raise errors.Invalid(f"{name!r} is a target or the sample_weight: it cannot split the rows", pointer=pointer)
    if "levels" in info.statistics:
        found: int = sum(
            level["count"] for level in info.statistics["levels"] if tabular.is_validation_value(level["value"])
        )
    elif is_truth(info):
        found = round(info.statistics["mean"] * (table.rows - info.missing))
    else:
        raise errors.UnusableColumn(
            f"the validation_column {name!r} must be boolean, 0 and 1, or words such as train and validation: it is of "
            f"kind {info.kind}",
            pointer=pointer,
        )
    if not 0 < found < table.rows:
        raise errors.Invalid(
            f"the validation_column {name!r} holds out {found} of {table.rows} rows: some must train, and some be held "
            "out (true, 1, or the words validation, valid, val, test)",
            pointer=pointer,
        )
    return found
