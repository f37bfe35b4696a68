"""What an error of a database driver means for a caller. Its text names hosts, files and SQL: only the log has it."""

import logging

import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError

from backpropd import errors

log = logging.getLogger(__name__)

TRY_AGAIN = "the database cannot answer now: try again"
DAMAGED = "the database is damaged: an operator has to restore it from a backup"
FULL = "the disk of the database is full: try again later"
REJECTED = "the database rejects this service's user or password: an operator has to correct them"
OUTDATED = "the database's schema does not fit this program: an operator has to migrate it"
# Primary result codes of SQLite: SQLITE_FULL, and SQLITE_CORRUPT and SQLITE_NOTADB.
SQLITE_FULL, SQLITE_DAMAGED = 13, (11, 26)
UNDECODABLE = "Could not decode to UTF-8"  # the driver of SQLite, of a text
# SQLSTATE: disk_full, data_corrupted and index_corrupted, undefined_column and undefined_table.
POSTGRESQL_FULL, POSTGRESQL_DAMAGED, POSTGRESQL_OUTDATED = "53100", ("XX001", "XX002"), ("42703", "42P01")


def translated(error: Exception) -> errors.Unavailable | None:
    """The error for callers, if the cause is the database and not our statement; the log gets the driver's reason.

    `error` is SQLAlchemy's or the driver's own.
    """
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    meaning = _meaning(error, driver_error)
    if meaning is not None:
        log.warning("%s (%s)", meaning.detail, str(driver_error).strip().split("\n")[0] or type(driver_error).__name__)
    return meaning


def is_damage(error: Exception) -> bool:
    """Whether what was read is damaged."""
    return isinstance(error, errors.DatabaseDamaged) or isinstance(translated(error), errors.DatabaseDamaged)


def _meaning(error: Exception, driver_error: BaseException | None) -> errors.Unavailable | None:
    code, state = getattr(driver_error, "sqlite_errorcode", 0) & 0xFF, getattr(driver_error, "sqlstate", None)
    if code in SQLITE_DAMAGED or state in POSTGRESQL_DAMAGED or str(driver_error).startswith(UNDECODABLE):
        return errors.DatabaseDamaged(DAMAGED)
    if code == SQLITE_FULL or state == POSTGRESQL_FULL:
        return errors.DiskFull(FULL)
    if "authentication failed" in str(driver_error):  # psycopg has no SQLSTATE for it
        return errors.Unavailable(REJECTED)
    if state in POSTGRESQL_OUTDATED:
        return errors.Unavailable(OUTDATED)
    is_operational = isinstance(error, OperationalError | psycopg.OperationalError)
    is_operational = is_operational or type(error).__name__ == "OperationalError"  # of SQLite's driver
    if is_operational or getattr(error, "connection_invalidated", False):
        return errors.Unavailable(TRY_AGAIN)
    return None
