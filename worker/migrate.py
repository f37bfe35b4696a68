"""The command `python -m worker migrate`."""

from pathlib import Path

from backpropd.config import Settings
from backpropd.store.sql.database import Database
from backpropd.store.sql.migrate import upgrade

SCRIPTS = Path(__file__).parent.parent / "migrations"


def run(settings: Settings) -> None:
    """Migrate the database to the newest schema, if it is not there yet."""
    database = Database(settings.database_url)
    database.ping()  # a database that cannot be reached is an error of its own
    upgrade(database, SCRIPTS)
    database.dispose()
