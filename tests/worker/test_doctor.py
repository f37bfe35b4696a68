"""`python -m worker doctor`: what works, and each fault with its fix."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backpropd.config import Settings
from backpropd.store import datasets
from backpropd.store.scheduling import workers
from backpropd.store.sql.database import Database
from backpropd.store.sql.engines import sqlite_path
from tests import migrated
from tests.deploy.compose import ROOT
from tests.servers import fresh_database
from worker import doctor

NAMES = ["versions", "database", "schema", "clock", "broker", "blobs", "datasets", "disk", "workers", "reaper"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a migrated SQLite, without a broker."""
    made = Settings(data_dir=tmp_path).with_defaults()
    (tmp_path / "blobs").mkdir()
    migrated.migrate(made)
    return made


def findings(settings: Settings) -> dict[str, doctor.Finding]:
    return dict(doctor.examine(settings))


def wrong(settings: Settings) -> dict[str, str]:
    """The fixes of what is wrong."""
    return {name: finding.fix for name, finding in findings(settings).items() if finding.fix is not None}


def let_programs_live(database: Database) -> None:
    with database.write() as session:
        workers.record_heartbeat(session, "w", 1)
        workers.record_heartbeat(session, "r", 0, role=workers.REAPER)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_no_fix_is_given_where_everything_works(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if kind == "sqlite":
        url = migrated.sqlite(tmp_path / "test.db")
    else:
        url = migrated.postgres(request.getfixturevalue("postgres"))
    broker = request.getfixturevalue("broker_url")
    (tmp_path / "blobs").mkdir()
    settings = Settings(data_dir=tmp_path, database_url=url, broker_url=broker).with_defaults()
    database = Database(url)
    let_programs_live(database)
    database.dispose()
    assert wrong(settings) == {}
    assert list(findings(settings)) == NAMES


def test_the_program_prints_every_fix_and_ends_with_status_1(settings: Settings) -> None:
    environment = {
        **os.environ,
        "BACKPROPD_DATA_DIR": str(settings.data_dir),
        "BACKPROPD_BROKER_URL": "redis://[::1]:1/0",
    }
    command = [sys.executable, "-m", "worker", "doctor"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr == ""
    assert "WRONG  broker" in ended.stdout
    assert "fix: start it, and compare BACKPROPD_BROKER_URL" in ended.stdout
    assert "fix: start one: python -m worker run" in ended.stdout
    assert "ok     database" in ended.stdout


def test_a_database_that_is_away_does_not_hide_the_other_findings(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql+psycopg://u@127.0.0.1:1/x"})
    found = wrong(away)
    assert "BACKPROPD_DATABASE_URL" in found["database"]
    assert found["clock"] == found["schema"] == "needs `database`"
    assert found["workers"] == "needs `schema`"
    assert "disk" not in found


def test_an_older_or_newer_schema_is_found(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> None:
    empty = Settings(data_dir=tmp_path, database_url=fresh_database(postgres)).with_defaults()
    assert wrong(empty)["schema"].startswith("python -m worker migrate")


def test_missing_blobs_a_full_disk_and_a_wrong_clock_are_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(settings.database_url)
    fields = {"name": "d", "format": "csv", "rows": 3, "size": 9, "sha256": "0" * 64, "columns": []}
    with database.write() as session:
        dataset = datasets.create(session, "local", **fields).id
    database.dispose()
    monkeypatch.setattr(doctor, "MAX_SKEW_SECONDS", -1.0)
    found = findings(settings.model_copy(update={"min_free_bytes": 2**62}))
    assert dataset in found["datasets"].detail
    assert "BACKPROPD_BLOBS_URL" in (found["datasets"].fix or "")
    assert "BACKPROPD_DATA_DIR" in (found["disk"].fix or "")
    assert "NTP" in (found["clock"].fix or "")


def test_a_damaged_sqlite_is_found(settings: Settings) -> None:
    path = Path(sqlite_path(settings.database_url))
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = bytes(4096 * 2)
    path.write_bytes(content)
    assert "backup" in wrong(settings)["database"]


def test_a_wrong_folder_is_found_and_stays_as_it_is(tmp_path: Path) -> None:
    found = wrong(Settings(data_dir=tmp_path).with_defaults())
    assert "BACKPROPD_DATA_DIR" in found["database"]
    assert "BACKPROPD_BLOBS_URL" in found["blobs"]
    assert list(tmp_path.iterdir()) == []


def test_settings_that_cannot_work_are_findings_and_no_crash(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below", Path("/proc/none")):
        found = wrong(Settings(data_dir=folder).with_defaults())
        assert all("BACKPROPD_DATA_DIR" in found[name] for name in ("database", "blobs", "disk"))
    port = Settings(data_dir=tmp_path, database_url="postgresql+psycopg://u@127.0.0.1:abc/x").with_defaults()
    assert "BACKPROPD_DATABASE_URL" in wrong(port)["database"]


def test_a_blob_store_that_does_not_answer_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    away = settings.model_copy(update={"blobs_url": "s3://bucket/backpropd"})
    assert "BACKPROPD_BLOBS_URL" in wrong(away)["blobs"]
