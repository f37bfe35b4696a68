"""How the blocks of a product are stored: in flat arrays, with an offset and strides that count numbers."""

from __future__ import annotations

from typing import Any, NamedTuple


class ABlock(NamedTuple):
    """A block of A, packed or in place: the micro-panel that begins with row i is at offset + i · panel_stride."""

    data: Any
    offset: int
    panel_stride: int
    row_stride: int
    column_stride: int


class BPanel(NamedTuple):
    """A panel of B, packed or in place: the micro-panel that begins with column j is at j · panel_stride.

    Its rows are contiguous.
    """

    data: Any
    panel_stride: int
    row_stride: int


class CBlock(NamedTuple):
    """The block of C that a block of A and a panel of B contribute to; the first contribution overwrites it.

    Its rows are contiguous.
    """

    data: Any
    offset: int
    row_stride: int
    rows: int
    columns: int
    overwrite: bool
