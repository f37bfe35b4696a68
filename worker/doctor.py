"""The command `python -m worker doctor`: checks what the programs need, and says how to fix what it finds."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from backpropd import errors, queue
from backpropd.config import Settings
from backpropd.store.blobs import Blobs, folder_of, is_remote
from backpropd.store.scheduling import workers
from backpropd.store.sql import revision
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.engines import sqlite_path
from backpropd.store.sql.schema import Dataset

MAX_SKEW_SECONDS = 2.0
MIN_POSTGRES = 140_000  # 14, as the server writes it
MIN_REDIS = (6, 2)
SAMPLE = 20  # newest datasets whose blobs are looked for
MIB = 2**20


class Finding(NamedTuple):
    """The result of a check: None for `fix` if there is nothing to do."""

    detail: str
    fix: str | None = None


class Check(NamedTuple):
    """A check, the settings that it depends on, and the check without which it is not made."""

    run: Callable[[], Finding]
    settings: str
    needs: str = ""


def run(settings: Settings) -> None:
    """Print the result of each check as it ends. Ends the process with status 1 if something has to be fixed."""
    fixes = 0
    for name, finding in examine(settings):
        print(f"{'ok   ' if finding.fix is None else 'WRONG'}  {name:<9} {finding.detail}", flush=True)
        if finding.fix is not None:
            print(f"       {'':<9} fix: {finding.fix}", flush=True)
            fixes += 1
    if fixes:
        sys.exit(1)


def examine(settings: Settings) -> Iterator[tuple[str, Finding]]:
    """The name and the result of each check. No check raises; after a failed check the others still run."""
    failed = set()
    for name, check in _checks(settings).items():
        result = Finding("not checked", f"needs `{check.needs}`") if check.needs in failed else _result(check)
        if result.fix is not None:
            failed.add(name)
        yield name, result


def _checks(settings: Settings) -> dict[str, Check]:
    database, folder = "BACKPROPD_DATABASE_URL", "BACKPROPD_DATA_DIR"
    return {
        "versions": Check(_versions, "the installation"),
        "database": Check(lambda: _database(settings), f"{database}, or {folder} for SQLite"),
        "schema": Check(lambda: _schema(settings), database, "database"),
        "clock": Check(lambda: _clock(settings), database, "database"),
        "broker": Check(lambda: _broker(settings), "BACKPROPD_BROKER_URL"),
        "blobs": Check(lambda: _blobs(settings), f"BACKPROPD_BLOBS_URL, {folder} and their access rights"),
        "datasets": Check(lambda: _datasets(settings), "BACKPROPD_BLOBS_URL", "schema"),
        "disk": Check(lambda: _disk(settings), f"{folder} and its access rights"),
        "workers": Check(
            lambda: _alive(settings, settings.worker_timeout_seconds, workers.WORKER, "run"), database, "schema"
        ),
        "reaper": Check(
            lambda: _alive(settings, settings.reaper_timeout_seconds, workers.REAPER, "reap"), database, "schema"
        ),
    }


def _result(check: Check) -> Finding:
    try:
        return check.run()
    except errors.BackpropdError as error:
        return Finding(error.detail, f"correct {check.settings}")
    except Exception as error:  # whatever a driver raises: the other checks are made all the same
        return Finding(f"{type(error).__name__}: {error}", f"correct {check.settings}")


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.dispose()


def _versions() -> Finding:
    python = ".".join(map(str, sys.version_info[:3]))
    return Finding(f"backpropd {metadata.version('backpropd')}, schema {revision.NEWEST}, Python {python}")


def _database(settings: Settings) -> Finding:
    url = settings.database_url
    if url.startswith("sqlite:") and not Path(sqlite_path(url)).is_file():  # opening it would create one
        fix = "correct BACKPROPD_DATABASE_URL or BACKPROPD_DATA_DIR, or create it: python -m worker migrate"
        return Finding(f"there is no SQLite database at {sqlite_path(url)}", fix)
    with _opened(settings) as database:
        try:
            with database.read() as session:
                return _sqlite(session) if url.startswith("sqlite:") else _postgresql(session)
        except errors.Unavailable as error:
            fix = "start it, and compare BACKPROPD_DATABASE_URL and its password with those of the server"
            return Finding(error.detail, fix)


def _sqlite(session: Session) -> Finding:
    version = session.scalar(text("SELECT sqlite_version()"))
    damage = session.scalar(text("PRAGMA quick_check(1)"))
    if damage != "ok":
        return Finding(f"SQLite {version} is damaged: {damage}", "restore a backup: docs/operations.md")
    return Finding(f"SQLite {version} answers")


def _postgresql(session: Session) -> Finding:
    number = int(session.scalar(text("SHOW server_version_num")) or 0)
    version = session.scalar(text("SHOW server_version"))
    if number < MIN_POSTGRES:
        return Finding(f"PostgreSQL {version} is too old", f"upgrade it to {MIN_POSTGRES // 10_000} or later")
    return Finding(f"PostgreSQL {version} answers")


def _schema(settings: Settings) -> Finding:
    try:
        with _opened(settings) as database:
            revision.check(database)
    except errors.SchemaTooNew as error:
        return Finding(error.detail, "install the version of backpropd that migrated the database")
    except errors.Unavailable as error:
        return Finding(error.detail, "python -m worker migrate, once the database answers")
    return Finding(revision.NEWEST)


def _clock(settings: Settings) -> Finding:
    """Times in answers are the database's; those in logs and of blobs are this machine's."""
    with _opened(settings) as database, database.read() as session:
        before = time.time()
        there: datetime | None = session.scalar(select(now()))
    middle = (before + time.time()) / 2
    skew = middle - (there or datetime.now(UTC)).timestamp()
    if abs(skew) > MAX_SKEW_SECONDS:
        ahead = "ahead of" if skew > 0 else "behind"
        return Finding(
            f"this machine is {abs(skew):.1f} s {ahead} the database", "set both by NTP, such as chrony or timesyncd"
        )
    return Finding(f"{abs(skew):.1f} s from the database's")


def _broker(settings: Settings) -> Finding:
    if not settings.broker_url:
        return Finding("none is set, without which only `make run` works", "set BACKPROPD_BROKER_URL=redis://…")
    app = queue.make_app(settings, fail_fast=True)
    if not queue.ping(app):
        fix = "start it, and compare BACKPROPD_BROKER_URL and BACKPROPD_BROKER_PASSWORD with those of the server"
        return Finding("does not answer, or refuses the password", fix)
    version = queue.server_version(app)
    if tuple(int(part) for part in version.split(".")[:2]) < MIN_REDIS:
        return Finding(f"Redis {version} is too old", f"upgrade it to {'.'.join(map(str, MIN_REDIS))} or later")
    return Finding(f"Redis {version} answers")


def _blobs(settings: Settings) -> Finding:
    """Write and read a blob."""
    with _opened_blobs(settings) as blobs:
        with blobs.workspace() as folder:
            probe = folder / "probe"
            probe.write_bytes(b"backpropd doctor " + str(time.time_ns()).encode())
            sha256, _ = blobs.put(probe)
        try:
            with blobs.local_path(sha256, "the probe"):
                pass
        finally:
            blobs.delete(sha256)
    return Finding(f"{settings.blobs_url} can be written and read")


@contextmanager
def _opened_blobs(settings: Settings) -> Iterator[Blobs]:
    """The blobs, with a scratch folder that is removed. Raises `errors.Misconfigured` instead of creating a folder."""
    if not is_remote(settings.blobs_url) and not folder_of(settings.blobs_url).is_dir():
        raise errors.Misconfigured(f"there is no folder {settings.blobs_url}, which the API creates when it starts")
    with tempfile.TemporaryDirectory(dir=settings.data_dir) as scratch:
        yield Blobs(settings.blobs_url, Path(scratch))


def _datasets(settings: Settings) -> Finding:
    """Look for the blobs of the newest datasets."""
    with _opened(settings) as database, database.read() as session:
        newest = session.execute(select(Dataset.id, Dataset.sha256).order_by(Dataset.id.desc()).limit(SAMPLE)).all()
    with _opened_blobs(settings) as blobs:
        missing = [row.id for row in newest if not blobs.exists(row.sha256)]
    if missing:
        return Finding(
            f"the bytes of {len(missing)} of the {len(newest)} newest datasets are missing, such as {missing[0]}",
            f"is BACKPROPD_BLOBS_URL={settings.blobs_url} the same for all programs? Otherwise restore the blobs",
        )
    return Finding(f"the bytes of the {len(newest)} newest are there")


def _disk(settings: Settings) -> Finding:
    folder, least = settings.data_dir, settings.min_free_bytes
    with tempfile.TemporaryFile(dir=folder):
        free = shutil.disk_usage(folder).free
    if free < least:
        detail = f"{folder} has {free // MIB} MiB free, less than {least // MIB} MiB"
        return Finding(detail, "free space there, or set BACKPROPD_DATA_DIR to a folder of a larger disk")
    return Finding(f"{folder} has {free // MIB} MiB free")


def _alive(settings: Settings, silence_seconds: float, role: str, command: str) -> Finding:
    with _opened(settings) as database, database.read() as session:
        count, _ = workers.alive(session, silence_seconds, role)
    if not count:
        return Finding("none has sent a heartbeat lately", f"start one: python -m worker {command}")
    return Finding(f"{count} alive")
