"""Text that a spreadsheet would run as a formula, made harmless wherever a CSV file is written for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

STARTS = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?[\d.,]*\d[.,]?([eE][+-]?\d+)?", re.ASCII)  # with a comma, too: it runs nothing


def harmless(cell: Any) -> Any:
    """The cell with an apostrophe before it if it is text that begins as a formula does; numbers stay as they are."""
    if isinstance(cell, str) and cell.startswith(STARTS) and not NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def harmless_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose names and cells are harmless."""
    return {harmless(name): harmless(cell) for name, cell in row.items()}
