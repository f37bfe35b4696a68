"""One thread for BLAS: it reads these variables once, when NumPy loads."""

from __future__ import annotations

import os

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def use_one_thread() -> None:
    """Have this process and its children compute on one thread, unless their environment says how many."""
    for name, one in ONE_THREAD.items():
        os.environ.setdefault(name, one)
