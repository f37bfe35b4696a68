"""How large a table may be, and what reading one may cost."""

import sys
from dataclasses import dataclass

from backpropd.errors import TableTooLarge


@dataclass(frozen=True)
class TableLimits:
    """The maximum of rows, columns, cells (rows x columns), different values of a category, and bytes when unpacked."""

    rows: int = sys.maxsize
    columns: int = sys.maxsize
    cells: int = sys.maxsize
    category_levels: int = 1000
    upload_bytes: int = sys.maxsize


@dataclass(frozen=True)
class SandboxLimits:
    """What a process that parses a table may use: memory beyond its libraries, CPU seconds, wall-clock seconds."""

    memory_bytes: int
    cpu_seconds: int
    seconds: int


def check_columns(columns: int, maximum: int) -> None:
    """Raise `TableTooLarge` for too many columns."""
    if columns > maximum:
        raise TableTooLarge(f"the table has {columns} columns; the maximum is {maximum}")


def check_rows(rows: int, maximum: int) -> None:
    """Raise `TableTooLarge` for too many rows, which may have been counted up to there only."""
    if rows > maximum:
        raise TableTooLarge(f"the table has more than {maximum} rows, the maximum: send fewer")
