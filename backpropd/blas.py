"""One thread for BLAS, which reads these variables once, when NumPy is imported."""

import os

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def use_one_thread() -> None:
    """Have BLAS use one thread in this process and its children, unless their environment sets a number."""
    for name, one in ONE_THREAD.items():
        os.environ.setdefault(name, one)
