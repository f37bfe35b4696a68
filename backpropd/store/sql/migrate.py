"""Migration of a database to the newest schema, with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from backpropd import errors
from backpropd.store.sql.database import Database

ADVISORY_LOCK = 0x6261636B  # on PostgreSQL: two migrations wait for each other


def upgrade(database: Database, scripts: Path) -> None:
    """Apply the migrations of the folder `scripts` that this database does not have, in one transaction.

    Raises `errors.Misconfigured` for a database of PostgreSQL that cannot store every character.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    with database.engine.begin() as connection:  # on SQLite BEGIN IMMEDIATE, which locks
        if connection.dialect.name == "postgresql":
            _check_encoding(connection)
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _check_encoding(connection: Connection) -> None:
    encoding = connection.execute(text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        raise errors.Misconfigured(
            f"the database has the encoding {encoding}, and backpropd needs UTF8: create another one, for example with "
            "CREATE DATABASE backpropd ENCODING 'UTF8' TEMPLATE template0, and name it in BACKPROPD_DATABASE_URL"
        )
