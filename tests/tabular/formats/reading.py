"""Reads bytes as a table, for the tests of the formats."""

from pathlib import Path
from typing import Any

from backpropd.tabular import IngestedTable, ReadOptions, TableLimits, ingest, preview_rows

GUESS = ReadOptions()


def read(
    folder: Path,
    data: bytes | str,
    options: ReadOptions = GUESS,
    limits: TableLimits | None = None,
    format: str = "csv",
) -> tuple[IngestedTable, list[dict[str, Any]]]:
    """The table's description and its first rows. It was declared as CSV unless `format` says otherwise."""
    source, target = folder / "source", folder / "target"
    source.write_bytes(data.encode() if isinstance(data, str) else data)
    table = ingest(source, target, format=format, options=options, limits=limits or TableLimits())
    return table, preview_rows(target, 100)


def kinds(table: IngestedTable) -> dict[str, str]:
    """The kind of each column."""
    return {column.name: column.kind for column in table.columns}


def codes(table: IngestedTable) -> list[tuple[str, str | None]]:
    """The code and column of each warning."""
    return [(each.code, each.column) for each in table.warnings]
