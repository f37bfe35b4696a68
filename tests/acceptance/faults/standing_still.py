"""Whether a frozen program stands still, and holds no lock of SQLite."""

from contextlib import suppress
from pathlib import Path

from backpropd.store.sql.database import Database


def can_write(database: Database) -> bool:
    """Whether SQLite's write lock is free within half a second.

    Uses the engine's SQLite library: when a second library in this process closes the file, the system drops all
    locks that the process has on it.
    """
    connection = database.engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=500")
        cursor.execute("BEGIN IMMEDIATE")
    except database.engine.dialect.loaded_dbapi.OperationalError:
        return False
    else:
        return True
    finally:
        connection.close()  # which rolls back


def is_stopped(process_id: int) -> bool:
    """Whether all threads of a process are stopped, or it has ended."""
    return all(_state(thread) in "TZX" for thread in Path(f"/proc/{process_id}/task").glob("*/stat"))


def _state(thread: Path) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):
        return thread.read_text().rpartition(")")[2].split()[0]
    return "X"
