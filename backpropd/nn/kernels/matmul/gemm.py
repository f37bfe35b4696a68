"""C = A B for flat arrays, in the loops of GotoBLAS, compiled: see `docs/matrix-products.md`."""

from typing import Any

from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.matmul.blocking import KC, MC, MR, NC, PACK_A_FROM, PACK_B_ABOVE, VECTORS
from backpropd.nn.kernels.matmul.emitter import vector_width
from backpropd.nn.kernels.matmul.micro_kernel import ABlock, BPanel, CBlock, micro_kernel
from backpropd.nn.kernels.matmul.packing import pack_a, pack_b, pack_b_transposed


def _strip_of_tiles(rows: int) -> Any:
    """Compiled code for `rows` rows of C: whole tiles, then at the right edge one masked tile, or narrow ones."""
    tile, edge_tile = micro_kernel(rows, VECTORS, masked=False), micro_kernel(rows, VECTORS, masked=True)
    narrow_tile = micro_kernel(rows, 1, masked=True)

    def compute(a: ABlock, b: BPanel, c: CBlock, ir: int, depth: int) -> None:
        vector = vector_width(c.data)
        nr = VECTORS * vector
        edge = c.columns // nr * nr
        a_offset, c_offset = a.offset + ir * a.panel_stride, c.offset + ir * c.row_stride
        for jr in range(0, edge, nr):
            tile(a, a_offset, b, jr * b.panel_stride, c, c_offset + jr, nr, depth)
        b_offset, left = edge * b.panel_stride, c.columns - edge
        if left > nr - vector:
            edge_tile(a, a_offset, b, b_offset, c, c_offset + edge, left, depth)
        else:
            for jr in range(0, left, vector):
                narrow_tile(a, a_offset, b, b_offset + jr, c, c_offset + edge + jr, left - jr, depth)

    return kernel_function(compute, inline="always")


_strip, _row = _strip_of_tiles(MR), _strip_of_tiles(1)


@kernel_function
def gemm(
    a: Any, b: Any, c: Any, m: int, n: int, k: int, a_transposed: bool, b_transposed: bool, accumulate: bool,
    packed: Any,
) -> None:  # fmt: skip
    """C (m, n) = A (m, k) B (k, n), added to C if `accumulate`. Transposed, A is stored as (k, m) and B as (n, k).

    Arrays are flat, by rows; B's, as stored, have a multiple of `arguments.MULTIPLE` numbers, `packed` `PACKED_SIZE`.
    """
    a_row_stride, a_column_stride = (1, m) if a_transposed else (k, 1)
    nr = VECTORS * vector_width(c)
    packed_a = packed[KC * NC :]
    for pc in range(0, k, KC):
        depth = min(KC, k - pc)
        for jc in range(0, n, NC):
            columns = min(NC, n - jc)
            b_data, panel_stride, b_row_stride = b[pc * n + jc :], 1, n
            if b_transposed:
                pack_b_transposed(b[jc * k + pc :], k, depth, columns, packed)
            elif k * n > PACK_B_ABOVE:
                pack_b(b_data, n, depth, columns, packed)
            if b_transposed or k * n > PACK_B_ABOVE:
                b_data, panel_stride, b_row_stride = packed, depth, nr
            panel = BPanel(b_data, panel_stride, b_row_stride)
            packed_rows = m // MC * MC if a_transposed and columns >= PACK_A_FROM * nr else 0
            ic = 0
            while ic < m:
                rows, offset = m - ic, ic * a_row_stride + pc * a_column_stride
                block = ABlock(a, offset, a_row_stride, a_row_stride, a_column_stride)
                if ic < packed_rows:
                    pack_a(a, offset, m, depth, packed_a)
                    rows, block = MC, ABlock(packed_a, 0, depth, 1, MR)
                target = CBlock(c, ic * n + jc, n, rows, columns, pc == 0 and not accumulate)
                _macro_kernel(block, panel, target, depth)
                ic += rows


@kernel_function
def _macro_kernel(a: ABlock, b: BPanel, c: CBlock, depth: int) -> None:
    """C's block, MR rows at a time, then the remaining rows one at a time."""
    tiled_rows = c.rows // MR * MR
    for ir in range(0, tiled_rows, MR):
        _strip(a, b, c, ir, depth)
    for ir in range(tiled_rows, c.rows):
        _row(a, b, c, ir, depth)
