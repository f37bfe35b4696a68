"""`python -m worker run | reap | migrate | compile | ready | doctor`: the worker, the reaper, and maintenance."""

import argparse
import logging
import os
import sys

from backpropd import blas, logs
from backpropd.config import Settings, from_environment
from backpropd.errors import BackpropdError


def main() -> None:
    """Run one of the programs until it ends or is stopped."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    programs = parser.add_subparsers(dest="program", required=True)
    programs.add_parser("run", help="train queued jobs until SIGTERM")
    programs.add_parser("migrate", help="migrate the database to the newest schema")
    programs.add_parser("compile", help="compile the kernels into this environment, so that workers start faster")
    programs.add_parser("ready", help="exit with status 0 if jobs would be trained now")
    programs.add_parser("doctor", help="check what the programs need, and say how to fix what is wrong (then status 1)")
    reap = programs.add_parser("reap", help="requeue jobs of lost workers, and send lost wake-up messages again")
    reap.add_argument("--once", action="store_true", help="do it once, and end")
    arguments = parser.parse_args()
    blas.use_one_thread()  # before NumPy is imported
    os.environ["NOSETPS"] = "1"  # before Celery is, which would give its processes names of its own
    try:
        settings = from_environment()
        logs.set_up(settings)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        _start(arguments, settings)
    except BackpropdError as error:
        sys.exit(f"{error.code}: {error.detail}")


def _start(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.program == "compile":
        from worker import kernel_cache

        kernel_cache.prebuild()
        return
    if arguments.program == "doctor":
        from worker import doctor

        doctor.run(settings)
        return
    from backpropd.store.sql import revision

    revision.refuse_newer(settings)
    if arguments.program == "migrate":
        from worker import migrate

        migrate.run(settings)
    elif arguments.program == "ready":
        from worker import readiness

        readiness.check(settings)
    elif arguments.program == "reap":
        from worker import reaper

        reaper.run(settings, once=arguments.once)
    else:
        from worker import processes

        processes.run(settings)


if __name__ == "__main__":
    main()
