"""Bring a database to the newest schema with Alembic, one process at a time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from backpropd.store.sql.database import Database

LOCK = 0x6261636B  # "back": PostgreSQL's advisory lock, so that two migrations wait for each other


def upgrade(database: Database, scripts: Path) -> None:
    """Run every migration in the folder `scripts` that this database has not seen, in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    with database.engine.begin() as connection:  # on SQLite this is BEGIN IMMEDIATE: a lock of its own
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
