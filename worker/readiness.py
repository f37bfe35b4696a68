"""Whether jobs would be trained now, checked without the API: for health checks, which have no API key."""

from backpropd import errors, queue
from backpropd.config import Settings
from backpropd.store.scheduling import workers
from backpropd.store.sql import revision
from backpropd.store.sql.database import Database


def check(settings: Settings) -> None:
    """Raise `errors.Unavailable` unless the database and the broker answer and a worker is alive."""
    database = Database(settings.database_url)
    try:
        revision.check(database)
        with database.read() as session:
            count, _ = workers.alive(session, settings.worker_timeout_seconds)
    finally:
        database.dispose()
    if not count:
        raise errors.Unavailable("no worker has sent a heartbeat lately")
    if not queue.ping(queue.make_app(settings, fail_fast=True)):
        raise errors.Unavailable("the broker does not answer")
