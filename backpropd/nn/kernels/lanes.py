"""How many lanes a batch takes: its rows lie side by side, and are padded so that vectors have no remainder."""

from __future__ import annotations

from numba.extending import register_jitable

MULTIPLE = 16


@register_jitable
def padded(rows: int) -> int:
    """The number of rows rounded up to a multiple of MULTIPLE."""
    return -(-rows // MULTIPLE) * MULTIPLE
