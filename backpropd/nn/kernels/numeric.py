"""exp, expm1, log and tanh for compiled loops: vectorizable polynomials in float32, libm's functions in float64.

The polynomials are those of Cephes (Moshier 1989, Methods and Programs for Mathematical Functions), within 3 units in
the last place. They are compiled without reassociation, which would undo the split of ln 2 in a high and a low part.
NaN gives NaN, but for log, so that divergence is detected.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

F = np.float32
ONE, HALF, ZERO = F(1), F(0.5), F(0)
LOG2E = F(1.44269504088896341)
LN2_HIGH, LN2_LOW = F(0.693359375), F(-2.12194440e-4)
ROUND = F(12582912.0)  # 1.5 · 2²³: adding and subtracting it rounds a float32 to the nearest integer
EXP_LOWEST, EXP_HIGHEST = F(-87.33), F(88.37)
E0, E1, E2 = F(1.9875691500e-4), F(1.3981999507e-3), F(8.3334519073e-3)
E3, E4, E5 = F(4.1665795894e-2), F(1.6666665459e-1), F(5.0000001201e-1)
L0, L1, L2 = F(7.0376836292e-2), F(-1.1514610310e-1), F(1.1676998740e-1)
L3, L4, L5 = F(-1.2420140846e-1), F(1.4249322787e-1), F(-1.6668057665e-1)
L6, L7, L8 = F(2.0000714765e-1), F(-2.4999993993e-1), F(3.3333331174e-1)
T0, T1, T2 = F(-5.70498872745e-3), F(2.06390887954e-2), F(-5.37397155531e-2)
T3, T4 = F(1.33314422036e-1), F(-3.33332819422e-1)
TANH_SPLIT, ROOT_HALF = F(0.625), F(0.707106781186547524)


def _by_dtype(float32: Callable[[Any], Any], float64: Callable[[float], float]) -> Callable[[Any], Any]:
    """A function for compiled code that is `float32` for numbers of that type and `float64` for others."""

    def function(x: Any) -> Any:
        raise NotImplementedError("compiled code only")

    def libm(x: Any) -> Any:
        return float64(x)

    @overload(function, jit_options={"fastmath": {"contract"}})
    def _choose(x: Any) -> Any:
        return float32 if x == types.float32 else libm

    return function


@register_jitable(fastmath={"contract"})
def _reduced_exp(x: Any) -> tuple[Any, Any]:
    """eʳ - 1 and 2ⁿ with eˣ = 2ⁿ eʳ, an integer n and |r| ≤ ln 2 / 2; eˣ is kept between 1e-38 and 2e38."""
    y = EXP_HIGHEST if x > EXP_HIGHEST else (EXP_LOWEST if x < EXP_LOWEST else x)
    n = (y * LOG2E + ROUND) - ROUND
    r = y - n * LN2_HIGH
    r = r - n * LN2_LOW
    p = ((((E0 * r + E1) * r + E2) * r + E3) * r + E4) * r + E5
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return p * r * r + r, power


def _exp(x: Any) -> Any:
    """(eʳ - 1 + 1) 2ⁿ."""
    less_one, power = _reduced_exp(x)
    return (less_one + ONE) * power


def _expm1(x: Any) -> Any:
    """eˣ - 1 = (eʳ - 1) 2ⁿ + (2ⁿ - 1), precise near zero, where n is 0."""
    less_one, power = _reduced_exp(x)
    return less_one * power + (power - ONE)


def _log(x: Any) -> Any:
    """log x = e ln 2 + log m with x = 2ᵉ m > 0 and m between √½ and √2."""
    bits = np.float32(x).view(np.int32)
    e = np.float32((bits >> np.int32(23)) - np.int32(126))
    m = np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(np.float32)
    low = m < ROOT_HALF
    e = e - (ONE if low else ZERO)
    m = m + (m if low else ZERO) - ONE
    z = m * m
    p = (((((((L0 * m + L1) * m + L2) * m + L3) * m + L4) * m + L5) * m + L6) * m + L7) * m + L8
    return m + (p * m * z + e * LN2_LOW - HALF * z) + e * LN2_HIGH


def _tanh(x: Any) -> Any:
    """An odd polynomial near zero, elsewhere 1 - 2 / (e²ˣ + 1)."""
    z = x * x
    near = ((((T0 * z + T1) * z + T2) * z + T3) * z + T4) * z * x + x
    y = abs(x)
    far = ONE - (ONE + ONE) / (exp(y + y) + ONE)
    return near if y < TANH_SPLIT else (-far if x < ZERO else far)


exp, expm1 = _by_dtype(_exp, math.exp), _by_dtype(_expm1, math.expm1)
log, tanh = _by_dtype(_log, math.log), _by_dtype(_tanh, math.tanh)
