"""Workers and their heartbeats."""

from __future__ import annotations

from backpropd.store.scheduling import workers
from backpropd.store.sql.database import Database


def test_a_worker_is_alive_until_its_heartbeat_is_too_old_or_it_is_removed(database: Database) -> None:
    with database.write() as session:
        workers.record_heartbeat(session, "w", 3)
        workers.record_heartbeat(session, "w", 4)
    with database.read() as session:
        assert workers.alive(session, 10) == (1, 4)
        assert workers.alive(session, -10) == (0, 0)
    with database.write() as session:
        workers.remove(session, "w")
    with database.read() as session:
        assert workers.alive(session, 10) == (0, 0)
