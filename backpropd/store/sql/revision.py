"""The revision of a database's schema, compared with the one that this program was written for."""

from sqlalchemy import inspect, text

from backpropd import errors
from backpropd.config import Settings
from backpropd.store.sql.database import Database

NEWEST = "0016"  # in `migrations/versions`, which only the program that migrates reads


def check(database: Database) -> None:
    """Raise `errors.SchemaTooNew`, or `errors.Unavailable` for one that still has to be migrated."""
    found = _current(database)
    if found > NEWEST:
        raise errors.SchemaTooNew(
            f"the database has the schema {found} of a newer backpropd, and this one knows those up to {NEWEST}: "
            "run the newer version, or restore a backup from before its migration"
        )
    if found < NEWEST:
        older = f"has the schema {found}" if found else "has no schema yet"
        raise errors.Unavailable(
            f"the database {older}, and this backpropd needs {NEWEST}: run `python -m worker migrate`"
        )


def refuse_newer(settings: Settings) -> None:
    """Raise `errors.SchemaTooNew` before a program does anything; a database that is away may come back."""
    database = Database(settings.database_url)
    try:
        check(database)
    except errors.SchemaTooNew:
        raise
    except errors.Unavailable:
        pass
    finally:
        database.dispose()


def _current(database: Database) -> str:
    """The revision, "" in an empty database. All are four digits, which sort like numbers."""
    with database.read_connection() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return ""
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")
