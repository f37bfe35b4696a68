"""The machine's peak: products of large square float32 matrices with NumPy's BLAS."""

from collections.abc import Callable

import numpy as np

from bench.workloads import Workload

VERSION = f"NumPy {np.__version__}"
SIDE = 4096


def multiply(_: Workload) -> Callable[[], Callable[[int], object]]:
    """`np.dot` into allocated memory."""
    a, b, out = np.random.default_rng(0).standard_normal((3, SIDE, SIDE), np.float32)

    def run(times: int) -> None:
        for _ in range(times):
            np.dot(a, b, out)

    return lambda: run


CONTENDERS = {"peak": multiply}
