"""Migrate the database that the settings name."""

from __future__ import annotations

from pathlib import Path

from backpropd.config import Settings
from backpropd.store.sql.database import Database
from backpropd.store.sql.migrate import upgrade

SCRIPTS = Path(__file__).parent.parent / "migrations"


def run(settings: Settings) -> None:
    """Bring the database to the newest schema; a second run finds nothing to do."""
    database = Database(settings.database_url)
    upgrade(database, SCRIPTS)
    database.dispose()
