"""The schema's revision: a newer one is refused by every program in one sentence, and an older one is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from backpropd import errors
from backpropd.config import Settings
from backpropd.store.sql import revision
from backpropd.store.sql.database import Database
from tests.migrated import migrate
from tests.store.conftest import SCRIPTS

ROOT = Path(__file__).parent.parent.parent.parent
PROGRAMS = [
    "service",
    "service keys list",
    "service audit",
    "worker run",
    "worker reap",
    "worker migrate",
    "worker ready",
    "embedded",
]


def at(folder: Path, number: str) -> Settings:
    """Settings whose database says that it is at this revision."""
    settings = Settings(data_dir=folder).with_defaults()
    migrate(settings)
    database = Database(settings.database_url)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})
    database.dispose()
    return settings


def test_the_code_knows_the_newest_migration() -> None:
    assert ScriptDirectory(str(SCRIPTS)).get_current_head() == revision.NEWEST


def test_a_database_that_is_not_migrated_is_named(tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(errors.Unavailable, match=r"no schema yet.*worker migrate"):
        revision.check(empty)
    empty.dispose()
    older = Database(at(tmp_path, "0003").database_url)
    with pytest.raises(errors.Unavailable, match=r"0003.*worker migrate"):
        revision.check(older)
    older.dispose()


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_refuses_a_newer_schema_in_one_sentence(program: str, tmp_path: Path) -> None:
    settings = at(tmp_path, "9999")
    port = {"BACKPROPD_PORT": "0", "BACKPROPD_DATA_DIR": str(settings.data_dir)}
    command = [sys.executable, "-m", *program.split()]
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, **port}, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert "the database has the schema 9999 of a newer backpropd" in last
    assert "run the newer version" in last
    assert "Traceback" not in ended.stderr + ended.stdout
