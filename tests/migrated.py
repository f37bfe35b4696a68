"""Empty, migrated databases: one of a kind is migrated for the whole process, the others are copies of it."""

import tempfile
from functools import cache
from pathlib import Path

from backpropd.config import Settings
from backpropd.store.sql.engines import sqlite_path
from tests.servers import fresh_database
from worker.migrate import run


def migrate(settings: Settings) -> None:
    """The same as `python -m worker migrate`; a new SQLite database is copied, which is faster."""
    path = _sqlite_path(settings)
    if settings.database_url.startswith("sqlite") and not path.exists():
        sqlite(path)
    else:
        run(settings)


def sqlite(path: Path) -> str:
    """Create a database at this path; returns its URL."""
    path.write_bytes(_migrated())
    return f"sqlite:///{path}"


def postgres(server: str) -> str:
    """Create a database on this PostgreSQL; returns its URL."""
    return fresh_database(server, template=_template(server))


@cache
def _template(server: str) -> str:
    name = "migrated"
    run(Settings(database_url=fresh_database(server, name)))
    return name


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder)).with_defaults()
        run(settings)
        return _sqlite_path(settings).read_bytes()


def _sqlite_path(settings: Settings) -> Path:
    return Path(sqlite_path(settings.database_url))
