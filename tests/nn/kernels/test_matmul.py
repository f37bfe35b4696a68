"""Products of matrices, tile by tile, beside NumPy's."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from backpropd.nn.kernels.matmul.blocking import PACKED_SIZE
from backpropd.nn.kernels.matmul.gemm import gemm

# rows and columns that fill tiles, or do not; more steps and columns than a panel has
SHAPES = [(1, 16, 16), (8, 32, 64), (9, 16, 32), (30, 64, 48), (10, 528, 272), (39, 528, 272), (70, 1040, 16)]


@numba.njit(error_model="numpy")
def multiply(
    a: Any, b: Any, c: Any, m: int, p: int, n: int, a_turned: bool, b_turned: bool, onto: bool, work: Any
) -> None:
    gemm(a, b, c, m, n, p, a_turned, b_turned, onto, work)


def check(m: int, p: int, n: int, dtype: str, *, a_turned: bool, b_turned: bool, onto: bool) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(m, p)), rng.normal(size=(p, n)), rng.normal(size=(m, n))
    beyond = np.full(64, 7.0, dtype)
    out = np.concatenate([c.astype(dtype).ravel(), beyond])
    flat = [(each.T if turned else each).astype(dtype).ravel() for each, turned in ((a, a_turned), (b, b_turned))]
    multiply(*flat, out[: c.size], m, p, n, a_turned, b_turned, onto, np.full(PACKED_SIZE, np.nan, dtype))
    wanted = a @ b + (c if onto else 0)
    np.testing.assert_allclose(out[: c.size].reshape(m, n), wanted, atol=1e-3 if dtype == "float32" else 1e-11)
    np.testing.assert_array_equal(out[c.size :], beyond)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("onto", [False, True])
@pytest.mark.parametrize("a_turned", [False, True])
def test_a_product_is_that_of_numpy_and_writes_nothing_else(dtype: str, onto: bool, a_turned: bool) -> None:
    for shape in SHAPES:
        check(*shape, dtype, a_turned=a_turned, b_turned=False, onto=onto)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("onto", [False, True])
def test_a_product_with_what_lies_turned_has_any_number_of_columns(dtype: str, onto: bool) -> None:
    for m, p, n in [*SHAPES, (3, 16, 1), (8, 32, 10), (17, 528, 270), (4, 16, 33)]:
        check(m, p, n, dtype, a_turned=False, b_turned=True, onto=onto)


def test_the_same_product_is_the_same_to_the_bit_wherever_it_lies() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=30 * 64).astype("float32"), rng.normal(size=64 * 48).astype("float32")
    outs = []
    for offset in (0, 1, 5):
        there = [np.concatenate([np.zeros(offset, "float32"), each])[offset:] for each in (a, b)]
        out = np.zeros(30 * 48, "float32")
        multiply(*there, out, 30, 64, 48, False, False, False, np.zeros(PACKED_SIZE, "float32"))
        outs.append(out.tobytes())
    assert len(set(outs)) == 1
