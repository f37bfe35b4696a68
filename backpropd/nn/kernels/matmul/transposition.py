"""Transpositions in vector registers, a square of width × width numbers at a time."""

from __future__ import annotations

from typing import Any

from numba import types

from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.matmul.emitter import INDEX, Emitter, code_generator, llvm_function, vector_width


@llvm_function
def transpose_square(_typing, source, offset, row_stride, rows, out, out_offset, out_row_stride):  # type: ignore[no-untyped-def]
    """Write the square at `offset` of `source`, transposed, to `out_offset` of `out`.

    Arrays are flat. If the square has only `rows` rows, the last one is repeated.
    """
    n = types.intp
    signature = types.void(source, n, n, n, out, n, n)

    def emit(
        code: Emitter, source: Any, offset: Any, row_stride: Any, rows: Any, out: Any, out_offset: Any, out_stride: Any
    ) -> None:
        starts = [code.address(source, offset, (code.clipped(INDEX(i), rows), row_stride)) for i in range(code.width)]
        _emit_transposition(code, starts, out, out_offset, out_stride)

    return signature, code_generator(emit)


@llvm_function
def _gather_square(_typing, source, row_stride, indices, count, first, column, out, out_offset, out_row_stride):  # type: ignore[no-untyped-def]
    """As `transpose_square`, of the rows `indices[first:]`, from `column` on; beyond `count` the last is repeated."""
    n = types.intp
    signature = types.void(source, n, indices, n, n, n, out, n, n)

    def emit(
        code: Emitter, source: Any, row_stride: Any, indices: Any, count: Any, first: Any, column: Any, out: Any,
        out_offset: Any, out_stride: Any,
    ) -> None:  # fmt: skip
        starts = []
        for i in range(code.width):
            index = code.clipped(code.builder.add(first, INDEX(i)), count)
            row = code.builder.load(code.address(indices, index))
            starts.append(code.address(source, column, (row, row_stride)))
        _emit_transposition(code, starts, out, out_offset, out_stride)

    return signature, code_generator(emit)


def _emit_transposition(code: Emitter, starts: list[Any], out: Any, out_offset: Any, out_stride: Any) -> None:
    """Load the rows that begin at `starts`, transpose them, and store them `out_stride` apart."""
    for i, column in enumerate(code.transposed([code.load(start) for start in starts])):
        code.store(column, code.address(out, out_offset, (i, out_stride)))


@kernel_function
def transpose_rows_into_lanes(source: Any, indices: Any, out: Any, lanes: int) -> None:
    """The rows `indices` of `source` (rows, width) become the lanes of `out` (width, lanes), flat.

    Lanes beyond the rows repeat the last one. A row narrower than a register is copied number by number; of a wider
    one, the last square overlaps the one before.
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
            _gather_square(source, width, indices, indices.size, first, column, out, column * lanes + first, lanes)
