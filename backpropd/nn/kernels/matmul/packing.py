"""Packing of A and of B, and a batch's rows as lanes; transposition in registers, a square of numbers at a time."""

from typing import Any

from numba import types
from numba.core import cgutils

from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.matmul.blocking import MC, MR, VECTORS
from backpropd.nn.kernels.matmul.emitter import INDEX, Emitter, code_generator, llvm_function, vector_width


@llvm_function
def pack_a(_typing, a, offset, row_stride, depth, packed):  # type: ignore[no-untyped-def]
    """Copy a block (MC, depth) of A, stored transposed from `offset` on, into micro-panels (MR, depth) by columns."""
    n = types.intp

    def emit(code: Emitter, a: Any, offset: Any, row_stride: Any, depth: Any, packed: Any) -> None:
        with cgutils.for_range(code.builder, depth) as loop:
            column = code.address(a, offset, (loop.index, row_stride))
            code.prefetch(code.address(column, MC))  # of the next block
            for i in range(0, MC, MR):
                numbers = code.load(code.address(column, i), count=MR)
                code.store(numbers, code.address(packed, 0, (depth, i), (loop.index, MR)))

    return types.void(a, n, n, n, packed), code_generator(emit)


@kernel_function
def pack_b(b: Any, row_stride: int, depth: int, columns: int, packed: Any) -> None:
    """Copy a panel (depth, columns) of B into micro-panels (depth, NR) by rows."""
    nr = VECTORS * vector_width(b)
    for left in range(0, columns, nr):
        width = min(nr, columns - left)
        for k in range(depth):
            row = b[k * row_stride + left : k * row_stride + left + width]
            out = packed[left * depth + k * nr : left * depth + k * nr + width]
            for i in range(width):
                out[i] = row[i]


@kernel_function
def pack_b_transposed(b: Any, row_stride: int, depth: int, columns: int, packed: Any) -> None:
    """As `pack_b`, of B stored transposed (columns, depth), square by square."""
    vector = vector_width(b)
    nr = VECTORS * vector
    for left in range(0, columns, vector):
        offset = left // nr * nr * depth + left % nr
        for k in range(0, depth, vector):
            _transpose_square(b, row_stride, None, columns, left, k, packed, offset + k * nr, nr)


@kernel_function
def transpose_rows_into_lanes(source: Any, indices: Any, out: Any, lanes: int) -> None:
    """The rows `indices` of `source` (rows, width) become the lanes of `out` (width, lanes), flat.

    Lanes beyond the rows repeat the last one. The last square of a row overlaps the one before.
    """
    width = source.shape[1]
    vector = vector_width(out)
    if width < vector:
        for k in range(width):
            unit = out[k * lanes : (k + 1) * lanes]
            for i in range(lanes):
                unit[i] = source[indices[min(i, indices.size - 1)], k]
        return
    for first in range(0, lanes, vector):
        for k in range(0, width, vector):
            column = min(k, width - vector)
            _transpose_square(source, width, indices, indices.size, first, column, out, column * lanes + first, lanes)


@llvm_function
def _transpose_square(_typing, source, row_stride, indices, count, first, column, out, out_offset, out_row_stride):  # type: ignore[no-untyped-def]
    """Write the transposed square that begins at row `first` and `column` of `source` to `out_offset` of `out`.

    Arrays are flat. Beyond `count` the last row is repeated. If there are `indices`, row i is the row indices[i].
    """
    n = types.intp

    def emit(
        code: Emitter, source: Any, row_stride: Any, indices: Any, count: Any, first: Any, column: Any, out: Any,
        out_offset: Any, out_row_stride: Any,
    ) -> None:  # fmt: skip
        rows = [code.clipped(code.builder.add(first, INDEX(i)), count) for i in range(code.width)]
        if indices is not None:
            rows = [code.builder.load(code.address(indices, row)) for row in rows]
        square = [code.load(code.address(source, column, (row, row_stride))) for row in rows]
        for i, vector in enumerate(code.transposed(square)):
            code.store(vector, code.address(out, out_offset, (i, out_row_stride)))

    return types.void(source, n, indices, n, n, n, out, n, n), code_generator(emit)
