"""`python -m service [keys … | audit]`: the API under granian, and what an operator does beside it."""

from __future__ import annotations

import argparse
import resource
import sys

from backpropd import blas, logs
from backpropd.config import Settings, from_environment
from backpropd.errors import BackpropdError

STOP_SECONDS = 3  # running requests end; an open event stream is cut, and its client comes back
HEADER_MILLISECONDS = 10_000  # for the head of a request, and between two
MANY = 10_240  # open files: more than this a Mac gives to nobody
OUR_LOGS = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"handlers": [], "propagate": True}}}


def main() -> None:
    """Serve until SIGTERM, or do what an operator asks for."""
    try:
        if sys.argv[1:]:
            _operate()
        else:
            _serve(from_environment())
    except BackpropdError as error:
        sys.exit(f"{error.code}: {error.detail}")


def _operate() -> None:
    from service import admin_cli  # the database comes with it, which the server's own process does without

    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    admin_cli.add_commands(parser.add_subparsers(required=True))
    admin_cli.run(from_environment(), parser.parse_args())


def _serve(settings: Settings) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    settings.check_exposure()
    logs.set_up(settings)
    _allow_many_connections()
    blas.use_one_thread()  # a request has a thread of its own: BLAS's would wait for each other, and for the workers
    Granian(
        "service.app:from_env",
        factory=True,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS),
        address=settings.host,
        port=settings.port,
        websockets=False,
        workers=1,
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
        log_access=False,
        log_dictconfig=OUR_LOGS,
    ).serve()


def _allow_many_connections() -> None:
    """Have many open files, if the system lets us: a crowd of idle clients takes one each."""
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY if most == resource.RLIM_INFINITY else min(MANY, most)
    if few < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


if __name__ == "__main__":
    main()
