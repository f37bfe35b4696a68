"""The time of a layer's forward product in a plain loop, with `gemm`, and with BLAS: `python -m bench.products`.

It measures what `docs/matrix-products.md` claims, and `LOOP_UP_TO` in `nn/kernels/layers.py`.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when SciPy loads, so before the imports

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from backpropd.nn.kernels.compilation import OPTIONS
from backpropd.nn.kernels.layers import LOOP_UP_TO
from backpropd.nn.kernels.matmul.blocking import PACKED_SIZE
from backpropd.nn.kernels.matmul.gemm import gemm
from bench.measurement import seconds

SIZES = [
    (2, 4, 16), (4, 4, 16), (4, 8, 16), (8, 8, 16), (16, 16, 16), (16, 16, 32), (30, 64, 32), (64, 64, 64),
    (784, 128, 32), (784, 256, 128), (1024, 1024, 512), (2048, 2048, 1024),
]  # fmt: skip
ROUNDS = 9
MAX_LOOP = 100_000  # multiplications; beyond, a plain loop takes too long to wait for


@numba.njit(**OPTIONS)
def multiply_in_loop(weight: Any, h_below: Any, a: Any, lanes: int, repeats: int, packed: Any) -> None:
    """The product as the kernels write it out for small layers, `repeats` times."""
    fan_in, fan_out = weight.shape
    flat = weight.ravel()
    for _ in range(repeats):
        for j in range(fan_out):
            for i in range(lanes):
                a[j * lanes + i] = flat.dtype.type(0)
            for k in range(fan_in):
                w = flat[k * fan_out + j]
                for i in range(lanes):
                    a[j * lanes + i] += w * h_below[k * lanes + i]


@numba.njit(**OPTIONS)
def multiply_with_gemm(weight: Any, h_below: Any, a: Any, lanes: int, repeats: int, packed: Any) -> None:
    """The product as the kernels compute it for larger layers."""
    fan_in, fan_out = weight.shape
    flat = weight.ravel()
    for _ in range(repeats):
        gemm(flat, h_below, a, fan_out, lanes, fan_in, True, False, False, packed)


@numba.njit(**OPTIONS)
def multiply_with_blas(weight: Any, h_below: Any, a: Any, lanes: int, repeats: int, packed: Any) -> None:
    """The product by the BLAS that SciPy bundles."""
    fan_in, fan_out = weight.shape
    for _ in range(repeats):
        np.dot(weight.T, h_below.reshape(fan_in, lanes), a.reshape(fan_out, lanes))


def nanoseconds(multiply: Callable[..., None], fan_in: int, fan_out: int, lanes: int) -> float:
    """The time of one product: the best of some rounds."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((fan_in, fan_out)).astype(np.float32)
    h_below = rng.standard_normal(fan_in * lanes).astype(np.float32)
    a, packed = np.zeros(fan_out * lanes, np.float32), np.zeros(PACKED_SIZE, np.float32)
    repeats = 2_000_000 // (fan_in * fan_out * lanes) + 1
    multiply(weight, h_below, a, lanes, 1, packed)
    times = [seconds(lambda: multiply(weight, h_below, a, lanes, repeats, packed)) for _ in range(ROUNDS)]
    return min(times) / repeats * 1e9


def main() -> None:
    """Print nanoseconds for each size, and GFLOP/s of `gemm` and of BLAS."""
    print(f"a forward product in nanoseconds; the kernels use a loop for up to {LOOP_UP_TO} multiplications, then gemm")
    columns = ("inputs", "units", "lanes"), ("multiplications", "loop", "gemm", "BLAS", "GFLOP/s", "of BLAS")
    print("".join(f"{name:>7}" for name in columns[0]) + "".join(f"{name:>16}" for name in columns[1]))
    for size in SIZES:
        count = int(np.prod(size))
        loop = nanoseconds(multiply_in_loop, *size) if count <= MAX_LOOP else np.nan
        ours, blas = nanoseconds(multiply_with_gemm, *size), nanoseconds(multiply_with_blas, *size)
        values = (count, loop, ours, blas, 2 * count / ours, 2 * count / blas)
        print("".join(f"{number:7}" for number in size) + "".join(f"{value:16.0f}" for value in values))


if __name__ == "__main__":
    main()
