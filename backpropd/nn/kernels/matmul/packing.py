"""Packing: blocks of A and panels of B are copied into the order in which the micro-kernel reads them."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils

from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.matmul.blocking import MC, MR, VECTORS
from backpropd.nn.kernels.matmul.emitter import Emitter, code_generator, llvm_function, vector_width
from backpropd.nn.kernels.matmul.transposition import transpose_square


@llvm_function
def pack_a(_typing, a, offset, row_stride, depth, packed):  # type: ignore[no-untyped-def]
    """Copy a block (MC, depth) of A, stored transposed from `offset` on, into micro-panels (MR, depth) by columns."""
    n = types.intp
    signature = types.void(a, n, n, n, packed)

    def emit(code: Emitter, a: Any, offset: Any, row_stride: Any, depth: Any, packed: Any) -> None:
        with cgutils.for_range(code.builder, depth) as loop:
            column = code.address(a, offset, (loop.index, row_stride))
            code.prefetch(code.address(column, MC))  # of the next block
            for i in range(0, MC, MR):
                numbers = code.load(code.address(column, i), count=MR)
                code.store(numbers, code.address(packed, 0, (depth, i), (loop.index, MR)))

    return signature, code_generator(emit)


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
        rows = min(vector, columns - left)
        for k in range(0, depth, vector):
            transpose_square(b, left * row_stride + k, row_stride, rows, packed, offset + k * nr, nr)
