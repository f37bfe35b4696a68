"""`gemm` compared with NumPy's matrix product."""

from typing import Any

import numba
import numpy as np
import pytest

from backpropd.nn.kernels.matmul.blocking import KC, MC, NC, PACKED_SIZE
from backpropd.nn.kernels.matmul.gemm import gemm

# (m, n, k): edges of tiles in every direction, then several panels of B and blocks of A
SHAPES = [(1, 16, 16), (8, 64, 32), (9, 32, 16), (30, 48, 64), (10, NC + 16, KC + 16), (39, NC + 16, KC + 16)]
SHAPES += [(70, MC, 2 * KC + 16)]


@numba.njit(error_model="numpy")
def multiply(
    a: Any,
    b: Any,
    c: Any,
    m: int,
    n: int,
    k: int,
    a_transposed: bool,
    b_transposed: bool,
    accumulate: bool,
    packed: Any,
) -> None:
    gemm(a, b, c, m, n, k, a_transposed, b_transposed, accumulate, packed)


def check(m: int, n: int, k: int, dtype: str, *, a_transposed: bool, b_transposed: bool, accumulate: bool) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(m, k)), rng.normal(size=(k, n)), rng.normal(size=(m, n))
    beyond = np.full(64, 7.0, dtype)
    out = np.concatenate([c.astype(dtype).ravel(), beyond])
    stored_a, stored_b = a.T if a_transposed else a, b.T if b_transposed else b
    multiply(
        stored_a.astype(dtype).ravel(), stored_b.astype(dtype).ravel(), out[: c.size], m, n, k, a_transposed,
        b_transposed, accumulate, np.full(PACKED_SIZE, np.nan, dtype),
    )  # fmt: skip
    expected = a @ b + (c if accumulate else 0)
    np.testing.assert_allclose(out[: c.size].reshape(m, n), expected, atol=1e-3 if dtype == "float32" else 1e-11)
    np.testing.assert_array_equal(out[c.size :], beyond)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("a_transposed", [False, True])
def test_gemm_equals_numpy_and_writes_nothing_beyond_c(dtype: str, accumulate: bool, a_transposed: bool) -> None:
    for shape in SHAPES:
        check(*shape, dtype, a_transposed=a_transposed, b_transposed=False, accumulate=accumulate)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("accumulate", [False, True])
def test_with_b_transposed_c_may_have_any_number_of_columns(dtype: str, accumulate: bool) -> None:
    for m, n, k in [*SHAPES, (3, 1, 16), (8, 10, 32), (17, NC + 14, KC + 16), (4, 33, 16)]:
        check(m, n, k, dtype, a_transposed=False, b_transposed=True, accumulate=accumulate)


def test_the_result_does_not_depend_on_the_alignment_of_the_arrays() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=30 * 64).astype("float32"), rng.normal(size=64 * 48).astype("float32")
    results = []
    for offset in (0, 1, 5):
        shifted_a, shifted_b = (np.concatenate([np.zeros(offset, "float32"), each])[offset:] for each in (a, b))
        out = np.zeros(30 * 48, "float32")
        multiply(shifted_a, shifted_b, out, 30, 48, 64, False, False, False, np.zeros(PACKED_SIZE, "float32"))
        results.append(out.tobytes())
    assert len(set(results)) == 1
