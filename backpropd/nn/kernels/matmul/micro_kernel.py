"""The micro-kernel: one tile of C, accumulated in vector registers, in LLVM IR that no loop of Numba's compiles to.

Blocks are parts of flat arrays, with an offset and strides that count numbers; rows of B and C are contiguous.
"""

from typing import Any, NamedTuple

from numba import types
from numba.core import cgutils

from backpropd.nn.kernels.matmul.emitter import INDEX, Emitter, code_generator, llvm_function


class ABlock(NamedTuple):
    """A block of A, packed or in place: the micro-panel that begins with row i is at offset + i · panel_stride."""

    data: Any
    offset: int
    panel_stride: int
    row_stride: int
    column_stride: int


class BPanel(NamedTuple):
    """A panel of B, packed or in place: the micro-panel that begins with column j is at j · panel_stride."""

    data: Any
    panel_stride: int
    row_stride: int


class CBlock(NamedTuple):
    """The block of C that a block of A and a panel of B contribute to; the first contribution overwrites it."""

    data: Any
    offset: int
    row_stride: int
    rows: int
    columns: int
    overwrite: bool


def micro_kernel(rows: int, vectors: int, *, masked: bool) -> Any:
    """Compiled code for a tile of `rows` rows, each of `vectors` registers: C = A B, or C += A B.

    Offsets are those of the tile's first elements; `depth` is the number of A's columns and B's rows. If `masked`, the
    tile has only `columns` columns: others of its last register are neither read nor written.
    """

    @llvm_function
    def compute_tile(_typing, a, a_offset, b, b_offset, c, c_offset, columns, depth):  # type: ignore[no-untyped-def]
        n = types.intp
        return types.void(a, n, b, n, c, n, n, n), code_generator(emit)

    def emit(
        code: Emitter, a: ABlock, a_offset: Any, b: BPanel, b_offset: Any, c: CBlock, c_offset: Any, columns: Any,
        depth: Any,
    ) -> None:  # fmt: skip
        def target(row: int, v: int) -> tuple[Any, Any]:
            address = code.address(c.data, c_offset, (row, c.row_stride), (v, code.width))
            return address, last_mask if v == vectors - 1 else None

        builder = code.builder
        builder.function.attributes.add("noinline")  # or each caller of `gemm` would compile every micro-kernel
        last_mask = code.first_lanes(builder.sub(columns, INDEX((vectors - 1) * code.width))) if masked else None
        tile = [(row, v, code.accumulator()) for row in range(rows) for v in range(vectors)]
        with builder.if_then(builder.not_(c.overwrite)):
            for row, v, accumulator in tile:
                builder.store(code.load(*target(row, v)), accumulator)
        with cgutils.for_range(builder, depth) as loop:
            b_row = code.address(b.data, b_offset, (loop.index, b.row_stride))
            across = [code.load(code.address(b_row, v * code.width)) for v in range(vectors)]
            a_column = [
                code.address(a.data, a_offset, (row, a.row_stride), (loop.index, a.column_stride))
                for row in range(rows)
            ]
            down = [code.broadcast(builder.load(pointer)) for pointer in a_column]
            for row, v, accumulator in tile:
                code.add_product(accumulator, down[row], across[v])
        for row, v, accumulator in tile:
            address, mask = target(row, v)
            code.store(builder.load(accumulator), address, mask)

    return compute_tile
