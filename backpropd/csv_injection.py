"""Escapes text that a spreadsheet would run as a formula, for CSV files."""

import re
from collections.abc import Mapping
from typing import Any

STARTS = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?[\d.,]*\d[.,]?([eE][+-]?\d+)?", re.ASCII)  # a comma: decimal or thousands


def escape_cell(cell: Any) -> Any:
    """The cell, after an apostrophe if it is text that begins like a formula; numbers are unchanged."""
    if isinstance(cell, str) and cell.startswith(STARTS) and not NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def escape_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its names and cells escaped."""
    return {escape_cell(name): escape_cell(cell) for name, cell in row.items()}
