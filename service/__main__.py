"""`python -m service [keys … | audit]`: the API under granian, a WSGI server, and what an operator does beside it."""

from __future__ import annotations

import argparse
import os
import sys

from backpropd.config import Settings, from_environment
from backpropd.errors import BackpropdError

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
STOP_SECONDS = 3  # running requests end; an open event stream is cut, and its client comes back


def main() -> None:
    """Serve until SIGTERM, or do what an operator asks for."""
    from service import operator

    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    operator.add_commands(parser.add_subparsers(dest="program"))
    arguments = parser.parse_args()
    try:
        settings = from_environment()
        if arguments.program is not None:
            operator.run(settings, arguments)
        else:
            _serve(settings)
    except BackpropdError as error:
        sys.exit(f"{error.code}: {error.detail}")


def _serve(settings: Settings) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces

    settings.refuse_an_open_door()
    for name in ONE_THREAD:  # a request has a thread of its own: BLAS's would wait for each other, and for the workers
        os.environ.setdefault(name, "1")
    Granian(
        "service.app:from_env",
        factory=True,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
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
