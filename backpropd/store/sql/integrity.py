"""Whether SQLite's pages are damaged, found out by a thread from time to time. PostgreSQL checks its own pages."""

import logging
import threading
import time

from sqlalchemy import text

from backpropd import errors
from backpropd.store.sql import failures
from backpropd.store.sql.database import Database

log = logging.getLogger(__name__)

PAUSE_SECONDS = 10.0  # between two checks, at least
MAX_SHARE = 0.02  # of the time is spent on checks: a large database takes longer
FIRST_SECONDS = 1.0  # how long the first caller waits for the first check


class IntegrityCheck:
    """The result of the last check of a database's pages; asking for it starts the next one if it is due."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_damaged = False
        self._due_at = 0.0
        self._lock = threading.Lock()
        self._first = threading.Event()

    def raise_damage(self) -> None:
        """Raise `errors.DatabaseDamaged` if the last check found damage."""
        if self._database.engine.dialect.name != "sqlite":
            return
        with self._lock:
            if is_due := time.monotonic() >= self._due_at:
                self._due_at = float("inf")
        if is_due:
            threading.Thread(target=self._check, name="integrity-check", daemon=True).start()
        self._first.wait(FIRST_SECONDS)
        if self._is_damaged:
            raise errors.DatabaseDamaged(failures.DAMAGED)

    def _check(self) -> None:
        began = time.monotonic()
        try:
            with self._database.read_connection() as connection:
                found = str(connection.execute(text("PRAGMA quick_check(1)")).scalar())
            self._is_damaged = found != "ok"
            if self._is_damaged:
                log.error("the database is damaged: %s", found)
        except errors.DatabaseDamaged:
            self._is_damaged = True
        except Exception as error:  # it could not be checked now
            log.warning("the database could not be checked (%s)", type(error).__name__)
        finally:
            took = time.monotonic() - began
            self._due_at = time.monotonic() + max(PAUSE_SECONDS, took / MAX_SHARE)
            self._first.set()
