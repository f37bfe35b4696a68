"""The float32 functions of the kernels, compared with NumPy's in float64."""

from typing import Any

import numba
import numpy as np
import pytest

from backpropd.nn.kernels import numeric
from tests.nn.data import Array

RANGES = {"exp": (-80, 80), "expm1": (-30, 80), "log": (1e-6, 1e6), "tanh": (-20, 20)}


def compiled(name: str) -> Any:
    function = getattr(numeric, name)

    @numba.njit
    def of_each(x: Any, out: Any) -> None:
        for i in range(x.size):
            out[i] = function(x[i])

    def apply(x: Array) -> Array:
        out = np.empty_like(x)
        of_each(x, out)
        return out

    return apply


@pytest.mark.parametrize(("name", "ends"), RANGES.items())
def test_a_function_is_within_3_units_in_the_last_place_also_near_zero(name: str, ends: tuple[float, float]) -> None:
    function = compiled(name)
    for scale in (1.0, 0.01, 1e-6) if name != "log" else (1.0,):
        x = np.linspace(*ends, 100_001, dtype=np.float32) * np.float32(scale)
        x = x[x != 0]
        exact = getattr(np, name)(x.astype(float))
        units = np.abs(function(x) - exact) / np.spacing(np.abs(exact).astype(np.float32))
        assert units.max() < 3


@pytest.mark.parametrize("name", ["exp", "expm1", "tanh"])
def test_nan_stays_nan_so_that_divergence_is_noticed(name: str) -> None:
    assert np.isnan(compiled(name)(np.array([np.nan], np.float32))).all()


def test_expm1_of_zero_and_of_very_negative_numbers_is_exact() -> None:
    x = np.array([0.0, -100.0, -1e30], np.float32)
    np.testing.assert_array_equal(compiled("expm1")(x), np.array([0.0, -1.0, -1.0], np.float32))
