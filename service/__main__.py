"""`python -m service`: the API under granian, a WSGI server."""

from __future__ import annotations

import os

from granian import Granian
from granian.constants import Interfaces

from backpropd.config import from_environment

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
STOP_SECONDS = 3  # running requests end; an open event stream is cut, and its client comes back


def main() -> None:
    """Serve until SIGTERM."""
    for name in ONE_THREAD:  # a request has a thread of its own: BLAS's would wait for each other, and for the workers
        os.environ.setdefault(name, "1")
    settings = from_environment()
    Granian(
        "service.app:from_env",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=1,
        blocking_threads=settings.threads,
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()
