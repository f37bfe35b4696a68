"""How large a table may be, and what reading one may cost."""

from __future__ import annotations

import sys
from dataclasses import dataclass

MOST_LEVELS = 1000


@dataclass(frozen=True)
class TableLimits:
    """The most rows, columns, cells (rows × columns), and different values of a category."""

    rows: int = sys.maxsize
    columns: int = sys.maxsize
    cells: int = sys.maxsize
    category_levels: int = MOST_LEVELS


@dataclass(frozen=True)
class SandboxLimits:
    """What a process that reads a table may take: memory beyond its libraries, CPU seconds, seconds by the clock."""

    memory_bytes: int
    cpu_seconds: int
    seconds: int
