"""The micro-kernel: one tile of C, accumulated in vector registers, in LLVM IR that no loop of Numba's compiles to."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils

from backpropd.nn.kernels.matmul.emitter import INDEX, Emitter, code_generator, llvm_function
from backpropd.nn.kernels.matmul.operands import ABlock, BPanel, CBlock


def micro_kernel(rows: int, vectors: int, *, masked: bool) -> Any:
    """Compiled code that computes a tile of `rows` rows, each of `vectors` registers: C = A B, or C += A B.

    Offsets are those of the tile's first elements in each array's data; `depth` is the number of A's columns and B's
    rows. If `masked`, only `columns` of the tile's columns exist in C, all but some of the last register; the others
    are neither read nor written.
    """

    @llvm_function
    def compute_tile(_typing, a, a_offset, b, b_offset, c, c_offset, columns, depth):  # type: ignore[no-untyped-def]
        n = types.intp
        return types.void(a, n, b, n, c, n, n, n), code_generator(emit)

    def emit(
        code: Emitter, a: ABlock, a_offset: Any, b: BPanel, b_offset: Any, c: CBlock, c_offset: Any, columns: Any,
        depth: Any,
    ) -> None:  # fmt: skip
        tile = _Tile(code, rows, vectors, c, c_offset, columns if masked else None)
        with code.builder.if_then(code.builder.not_(c.overwrite)):
            tile.load()
        with cgutils.for_range(code.builder, depth) as loop:
            b_row = code.address(b.data, b_offset, (loop.index, b.row_stride))
            a_column = [
                code.address(a.data, a_offset, (row, a.row_stride), (loop.index, a.column_stride))
                for row in range(rows)
            ]
            tile.add_outer_product(a_column, b_row)
        tile.store()

    return compute_tile


class _Tile:
    """The accumulators of a tile of C, one for each register of each row."""

    def __init__(self, code: Emitter, rows: int, vectors: int, c: CBlock, c_offset: Any, columns: Any) -> None:
        self.code, self.vectors, self.c, self.c_offset = code, vectors, c, c_offset
        self.mask = None
        if columns is not None:
            self.mask = code.first_lanes(code.builder.sub(columns, INDEX((vectors - 1) * code.width)))
        self.accumulators = [(row, v, code.accumulator()) for row in range(rows) for v in range(vectors)]

    def load(self) -> None:
        """Begin with what C holds."""
        for row, v, accumulator in self.accumulators:
            self.code.builder.store(self.code.load(self._address(row, v), self._mask(v)), accumulator)

    def add_outer_product(self, a_column: list[Any], b_row: Any) -> None:
        """Add a column of A, a pointer for each row, times a row of B: rows · vectors multiply-adds."""
        across = [self.code.load(self.code.address(b_row, v * self.code.width)) for v in range(self.vectors)]
        down = [self.code.broadcast(self.code.builder.load(pointer)) for pointer in a_column]
        for row, v, accumulator in self.accumulators:
            self.code.add_product(accumulator, down[row], across[v])

    def store(self) -> None:
        """Write the sums to C."""
        for row, v, accumulator in self.accumulators:
            self.code.store(self.code.builder.load(accumulator), self._address(row, v), self._mask(v))

    def _address(self, row: int, v: int) -> Any:
        return self.code.address(self.c.data, self.c_offset, (row, self.c.row_stride), (v, self.code.width))

    def _mask(self, v: int) -> Any:
        return self.mask if v == self.vectors - 1 else None
