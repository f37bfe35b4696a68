"""Where a product of matrices is quicker in a loop than in BLAS: the reason for `SMALL` in `nn/kernels/layers.py`.

`python -m bench.products` prints nanoseconds for the forward product of layers of growing size, both ways.
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

SIZES = [(2, 4, 16), (4, 4, 16), (4, 8, 16), (8, 8, 16), (8, 16, 16), (16, 16, 16), (16, 16, 32), (32, 32, 32)]
ROUNDS = 9
COMPILE: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}


@numba.njit(**COMPILE)
def loops(weight: Any, below: Any, a: Any, lanes: int, times: int) -> None:
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
def blas(weight: Any, below: Any, a: Any, lanes: int, times: int) -> None:
    """The same by BLAS."""
    fan_in, fan_out = weight.shape
    for _ in range(times):
        np.dot(weight.T, below.reshape(fan_in, lanes), a.reshape(fan_out, lanes))


def nanoseconds(product: Callable[..., None], fan_in: int, fan_out: int, lanes: int) -> float:
    """The best of some rounds."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((fan_in, fan_out)).astype(np.float32)
    below, a = rng.standard_normal(fan_in * lanes).astype(np.float32), np.zeros(fan_out * lanes, np.float32)
    times, best = 2_000_000 // (fan_in * fan_out * lanes) + 10, np.inf
    product(weight, below, a, lanes, 1)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        product(weight, below, a, lanes, times)
        best = min(best, (time.perf_counter() - began) / times * 1e9)
    return float(best)


def main() -> None:
    """Print both ways, size by size."""
    print(f"a forward product, nanoseconds; up to {SMALL} multiplications the kernels use loops")
    print(f"{'inputs':>7}{'units':>7}{'lanes':>7}{'products':>10}{'loops':>9}{'BLAS':>9}")
    for size in SIZES:
        took = [nanoseconds(product, *size) for product in (loops, blas)]
        print(f"{size[0]:7}{size[1]:7}{size[2]:7}{int(np.prod(size)):10}{took[0]:9.0f}{took[1]:9.0f}")


if __name__ == "__main__":
    main()
