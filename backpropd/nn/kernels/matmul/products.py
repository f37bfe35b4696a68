"""Products of matrices, tile by tile, compiled: for the sizes of networks quicker than a call of BLAS.

Matrices are flat arrays, row by row. `python -m bench.products` holds them against BLAS.
"""

from __future__ import annotations

from typing import Any

from backpropd.nn.kernels.compilation import kernel_function
from backpropd.nn.kernels.matmul.micro_kernel import LIFTED, ROWS, VECTOR_BYTES, VECTORS, lift, tile, turn

STEPS = 512  # of a sum at a time, and so many
COLUMNS = 256  # of B: a panel of them stays in the second cache
IN_PLACE = 2**16  # numbers of B are near enough to be read where they lie
OFTEN = 8  # tiles in a row make it worth while to lay A's numbers side by side

WORK = STEPS * (COLUMNS + LIFTED)
"""How many numbers a product needs to work in."""

# Where calls are suppressed below: numba itself gives an intrinsic its first argument.
_tile, _row = tile(ROWS, VECTORS, whole=True), tile(1, VECTORS, whole=True)
_last_tile, _thin_tile, _thin_row = (tile(*size, whole=False) for size in ((ROWS, VECTORS), (ROWS, 1), (1, 1)))


@kernel_function
def product(
    a: Any, b: Any, c: Any, m: int, p: int, n: int, a_turned: bool, b_turned: bool, onto: bool, work: Any
) -> None:
    """C (m, n) = A (m, p) B (p, n), added to what C holds if `onto`; turned, A lies as (p, m) and B as (n, p).

    B's rows, as they lie, are as long as a multiple of LANES.
    """
    vector = VECTOR_BYTES // c.itemsize
    width = VECTORS * vector
    a_row, a_step = (1, m) if a_turned else (p, 1)
    laid = b_turned or p * n > IN_PLACE
    for first in range(0, p, STEPS):
        steps = min(STEPS, p - first)
        for left in range(0, n, COLUMNS):
            columns = min(COLUMNS, n - left)
            source, apart, step = b[first * n + left :], 1, n
            if laid:
                source, apart, step = work, steps, width
                if b_turned:
                    _lay_turned(b[left * p + first :], p, steps, columns, work, width, vector)
                else:
                    _lay(b[first * n + left :], n, steps, columns, work, width)
            j, lifted = 0, work[STEPS * COLUMNS :]
            whole = m // LIFTED * LIFTED if a_turned and columns >= OFTEN * width else 0
            while j < m:
                if j < whole:
                    lift(a, first * m + j, m, steps, lifted)  # type: ignore[call-arg]
                    rows, strip, start, apart_rows, strip_row, strip_step = LIFTED, lifted, 0, steps, 1, ROWS
                else:
                    rows, strip, start = m - j, a, j * a_row + first * a_step
                    apart_rows, strip_row, strip_step = a_row, a_row, a_step
                _bands(
                    strip, start, apart_rows, strip_row, strip_step, source, apart, step, c, j * n + left, n,
                    rows, steps, columns, first == 0 and not onto, width, vector,
                )  # fmt: skip
                j += rows


@kernel_function
def _bands(
    a: Any, first: int, apart_rows: int, a_row: int, a_step: int, b: Any, apart: int, step: int, c: Any, place: int,
    c_row: int, rows: int, steps: int, columns: int, fresh: bool, width: int, vector: int,
) -> None:  # fmt: skip
    """All columns of some of C's rows, band by band of as many as a tile has; where fewer are left, one by one.

    Of A the bands lie `apart_rows` times their first row from the first; of B `width` columns lie together, and `apart`
    times as far from the next.
    """
    whole = columns // width * width
    j = 0
    while j < rows:
        band = ROWS if j + ROWS <= rows else 1
        start, to, i = first + j * apart_rows, place + j * c_row, 0
        while i < whole:
            if band == ROWS:
                _tile(a, start, a_row, a_step, b, i * apart, step, c, to + i, c_row, width, steps, fresh)
            else:
                _row(a, start, a_row, a_step, b, i * apart, step, c, to + i, c_row, width, steps, fresh)
            i += width
        while i < columns:
            of_b, left = whole * apart + i - whole, columns - i
            if band < ROWS:
                _thin_row(a, start, a_row, a_step, b, of_b, step, c, to + i, c_row, left, steps, fresh)
            elif left <= width - vector:
                _thin_tile(a, start, a_row, a_step, b, of_b, step, c, to + i, c_row, left, steps, fresh)
            else:
                _last_tile(a, start, a_row, a_step, b, of_b, step, c, to + i, c_row, left, steps, fresh)
                break
            i += vector
        j += band


@kernel_function
def _lay(b: Any, n: int, steps: int, columns: int, panel: Any, width: int) -> None:
    """B's columns, so many side by side as a tile is wide."""
    for left in range(0, columns, width):
        some = min(width, columns - left)
        for k in range(steps):
            row = b[k * n + left : k * n + left + some]
            out = panel[left * steps + k * width : left * steps + k * width + some]
            for i in range(some):
                out[i] = row[i]


@kernel_function
def _lay_turned(b: Any, p: int, steps: int, columns: int, panel: Any, width: int, vector: int) -> None:
    """As `_lay`, of what lies turned: a square at a time."""
    for left in range(0, columns, vector):
        place = left // width * width * steps + left % width
        for k in range(0, steps, vector):
            turn(b, left * p + k, p, min(vector, columns - left), panel, place + k * width, width)  # type: ignore[call-arg]
