"""Lanes: a batch is stored as (units, lanes), one lane for each row, padded to whole vectors.

Padding lanes hold finite numbers. Their row weight is zero, so that their gradients are.
"""

from __future__ import annotations

from numba.extending import register_jitable

MULTIPLE = 16


@register_jitable
def padded(rows: int) -> int:
    """The number of lanes for `rows` rows: a multiple of MULTIPLE."""
    return -(-rows // MULTIPLE) * MULTIPLE
