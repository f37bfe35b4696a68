"""Warnings about columns that training will leave out, or should."""

from collections.abc import Sequence

from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.identifiers import find_identifiers
from backpropd.tabular.warnings import WarningLog


def warn_of_columns(columns: Sequence[ColumnInfo], rows: int, log: WarningLog) -> None:
    """Add warnings of identifiers, constant and empty columns in a table of `rows` rows."""
    for name, why in find_identifiers(columns, rows).items():
        detail = f"the column {why}: training leaves it out unless the features name it"
        log.add("looks_like_id", name, detail, count=rows)
    for info in columns:
        if info.missing == rows:
            log.add("empty_column", info.name, "the column has no values: training leaves it out", count=rows)
        elif info.distinct == 1 and not info.missing:
            detail = "the column has the same value in every row: training leaves it out"
            log.add("constant_column", info.name, detail, count=rows)
