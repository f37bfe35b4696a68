"""`python -m service`: the API under granian, a WSGI server."""

from __future__ import annotations

from granian import Granian
from granian.constants import Interfaces

from backpropd.config import from_environment

STOP_SECONDS = 3  # running requests end; an open event stream is cut, and its client comes back


def main() -> None:
    """Serve until SIGTERM."""
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
