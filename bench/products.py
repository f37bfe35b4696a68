"""Where a product of matrices is quickest: in a loop, in tiles, or in BLAS.

`python -m bench.products` prints the forward product of layers of growing size in nanoseconds and, where the two are
beyond loops, in GFLOP/s: the reason for `SMALL` in `nn/kernels/layers.py`, and for `nn/kernels/products.py`.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when SciPy loads, so before the imports

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from backpropd.nn.kernels.layers import SMALL
from backpropd.nn.kernels.matmul.blocking import PACKED_SIZE
from backpropd.nn.kernels.matmul.gemm import gemm

SIZES = [
    (2, 4, 16), (4, 4, 16), (4, 8, 16), (8, 8, 16), (16, 16, 16), (16, 16, 32), (30, 64, 32), (64, 64, 64),
    (784, 128, 32), (784, 256, 128), (1024, 1024, 512), (2048, 2048, 1024),
]  # fmt: skip
ROUNDS = 9
COMPILE: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}


@numba.njit(**COMPILE)
def loops(weight: Any, below: Any, a: Any, lanes: int, times: int, work: Any) -> None:
    """The product as the kernels write it out, so many times."""
    fan_in, fan_out = weight.shape
    flat = weight.ravel()
    for _ in range(times):
        for j in range(fan_out):
            for i in range(lanes):
                a[j * lanes + i] = flat.dtype.type(0)
            for k in range(fan_in):
                w = flat[k * fan_out + j]
                for i in range(lanes):
                    a[j * lanes + i] += w * below[k * lanes + i]


@numba.njit(**COMPILE)
def tiles(weight: Any, below: Any, a: Any, lanes: int, times: int, work: Any) -> None:
    """The same tile by tile."""
    fan_in, fan_out = weight.shape
    flat = weight.ravel()
    for _ in range(times):
        gemm(flat, below, a, fan_out, lanes, fan_in, True, False, False, work)


@numba.njit(**COMPILE)
def blas(weight: Any, below: Any, a: Any, lanes: int, times: int, work: Any) -> None:
    """The same by BLAS."""
    fan_in, fan_out = weight.shape
    for _ in range(times):
        np.dot(weight.T, below.reshape(fan_in, lanes), a.reshape(fan_out, lanes))


def nanoseconds(product: Callable[..., None], fan_in: int, fan_out: int, lanes: int) -> float:
    """The best of some rounds."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((fan_in, fan_out)).astype(np.float32)
    below, a = rng.standard_normal(fan_in * lanes).astype(np.float32), np.zeros(fan_out * lanes, np.float32)
    work = np.zeros(PACKED_SIZE, np.float32)
    times, best = 2_000_000 // (fan_in * fan_out * lanes) + 1, np.inf
    product(weight, below, a, lanes, 1, work)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        product(weight, below, a, lanes, times, work)
        best = min(best, (time.perf_counter() - began) / times * 1e9)
    return float(best)


def main() -> None:
    """Print all ways, size by size."""
    print(f"a forward product; up to {SMALL} multiplications the kernels use loops, beyond them tiles")
    print(
        f"{'inputs':>7}{'units':>7}{'lanes':>7}{'products':>12}{'loops ns':>12}{'tiles':>12}{'BLAS':>12}{'GFLOP/s':>12}"
    )
    for size in SIZES:
        products = int(np.prod(size))
        took = [
            nanoseconds(way, *size) if products < 10**5 or way is not loops else np.nan for way in (loops, tiles, blas)
        ]
        print("".join(f"{number:7}" for number in size) + f"{products:12}", end="")
        print("".join(f"{each:12.0f}" for each in took), "".join(f"{2 * products / each:7.0f}" for each in took[1:]))


if __name__ == "__main__":
    main()
