"""The reaper: jobs of lost workers are requeued, wake-up messages sent again, and unused data deleted."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import func, select, text, update

from backpropd import queue
from backpropd.store import datasets, idempotency, jobs
from backpropd.store.idempotency import KeyedRequest
from backpropd.store.scheduling import claims, workers
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql.column_types import now, steady
from backpropd.store.sql.engines import sqlite_path
from backpropd.store.sql.schema import IdempotencyKey, Job, Worker
from tests.worker.conftest import TENANT, Stores
from worker.process_identity import machine
from worker.reaper import ORPHAN_SECONDS, clean_up, reap

ROOT = Path(__file__).parent.parent.parent


def claim(stores: Stores) -> None:
    with stores.database.write() as session:
        assert claims.claim_next(session, ClaimOptions("worker", 30))


def lose_every_worker(stores: Stores) -> None:
    with stores.database.write() as session:
        session.execute(update(Job).where(Job.status == "running").values(lease_expires_at=steady(-1)))


def run_reaper(stores: Stores) -> None:
    app = queue.make_app(stores.settings, fail_fast=True)
    reap(stores.database, lambda: bool(queue.wake_up(app)), stores.settings)


def old_blob(stores: Stores, folder: Path, text: str, seconds: float) -> tuple[str, Path]:
    """A blob that is `seconds` old."""
    source = folder / "source"
    source.write_text(text)
    sha256, _ = stores.blobs.put(source)
    with stores.blobs.local_path(sha256, "the file") as path:
        written_at = time.time() - seconds
        os.utime(path, (written_at, written_at))
        return sha256, path


def test_a_job_is_requeued_when_its_lease_has_expired_and_not_before(stores: Stores) -> None:
    lost = stores.post()
    claim(stores)
    run_reaper(stores)
    assert stores.job(lost).status == "running"
    lose_every_worker(stores)
    run_reaper(stores)
    assert (stores.job(lost).status, stores.job(lost).crashes) == ("queued", 1)
    assert stores.runner().run_one()
    assert stores.job(lost).status == "succeeded"


def test_a_job_that_loses_too_many_workers_fails(stores: Stores) -> None:
    job_id = stores.post()
    for _ in range(stores.settings.max_crashes):
        assert stores.job(job_id).status == "queued"
        claim(stores)
        lose_every_worker(stores)
        run_reaper(stores)
    assert (stores.job(job_id).status, stores.job(job_id).error_code) == ("failed", "worker_lost")


def test_a_job_that_lost_its_worker_after_a_cancel_request_is_cancelled(stores: Stores) -> None:
    job_id = stores.post()
    claim(stores)
    with stores.database.write() as session:
        jobs.cancel(session, TENANT, job_id)
    lose_every_worker(stores)
    run_reaper(stores)
    assert (stores.job(job_id).status, stores.job(job_id).stop_reason) == ("cancelled", "cancelled")


def test_the_job_of_a_dead_process_is_requeued_before_its_lease_expires(stores: Stores) -> None:
    job_id, other = stores.post(), stores.post()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for worker in (f"{machine()}/1/{ended.pid}", f"elsewhere/1/{ended.pid}"):
        with stores.database.write() as session:
            assert claims.claim_next(session, ClaimOptions(worker, 30))
    run_reaper(stores)
    assert (stores.job(job_id).status, stores.job(other).status) == ("queued", "running")


def messages_sent(stores: Stores, broker_url: str) -> int:
    """The number of wake-up messages that a run of the reaper sends."""
    stores.settings = stores.settings.model_copy(update={"broker_url": broker_url})
    broker = Redis(unix_socket_path=broker_url.removeprefix("redis+socket://").partition("?")[0])
    broker.delete(queue.QUEUE)
    run_reaper(stores)
    sent = broker.llen(queue.QUEUE)
    broker.close()
    assert isinstance(sent, int)
    return sent


def test_an_idle_worker_is_woken_up_for_each_job_that_waits(stores: Stores, broker_url: str) -> None:
    for _ in range(4):
        stores.post()
    assert messages_sent(stores, broker_url) == 0  # there is no worker
    with stores.database.write() as session:
        workers.record_heartbeat(session, "worker", 3)
    assert messages_sent(stores, broker_url) == 3
    claim(stores)
    assert messages_sent(stores, broker_url) == 2


def test_without_a_broker_jobs_are_still_requeued(stores: Stores) -> None:
    stores.post()
    lost = stores.post()
    claim(stores)
    claim(stores)
    lose_every_worker(stores)
    with stores.database.write() as session:
        workers.record_heartbeat(session, "worker", 3)
    run_reaper(stores)
    assert stores.job(lost).status == "queued"


def test_old_blobs_without_a_dataset_are_deleted(stores: Stores, tmp_path: Path) -> None:
    _, orphan = old_blob(stores, tmp_path, "orphan", ORPHAN_SECONDS + 60)
    _, young = old_blob(stores, tmp_path, "young", ORPHAN_SECONDS - 60)
    named, needed = old_blob(stores, tmp_path, "needed", ORPHAN_SECONDS + 60)
    partial = orphan.with_name(f"{orphan.name}.1.part")  # left by a process that was killed while it copied
    partial.write_text("or")
    os.utime(partial, (0, 0))
    about = {"name": "n", "format": "csv", "rows": 1, "size": 1, "columns": []}
    with stores.database.write() as session:
        datasets.create(session, TENANT, sha256=named, **about)
    clean_up(stores.database, stores.blobs, stores.settings)
    assert [path.exists() for path in (orphan, partial, young, needed)] == [False, False, True, True]


def test_a_blob_is_deleted_with_the_last_dataset_that_has_it(stores: Stores, tmp_path: Path) -> None:
    sha256, path = old_blob(stores, tmp_path, "twins", ORPHAN_SECONDS + 60)
    about = {"name": "n", "format": "csv", "rows": 1, "size": 1, "columns": [], "sha256": sha256}
    with stores.database.write() as session:
        twins = [datasets.create(session, TENANT, **about).id for _ in range(2)]
    for twin, stays in zip(twins, (True, False), strict=True):
        with stores.database.write() as session:
            datasets.delete(session, TENANT, twin)
        clean_up(stores.database, stores.blobs, stores.settings)
        assert path.exists() == stays


def test_workspaces_of_killed_processes_are_deleted_and_those_in_use_stay(stores: Stores) -> None:
    abandoned, used = (stores.blobs.scratch / name for name in ("abandoned", "used"))
    for folder in (abandoned, used):
        folder.mkdir()
        (folder / "upload").write_text("partial")
    for path in (abandoned / "upload", abandoned, used):  # writing changes the time of the file, not of its folder
        os.utime(path, (0, 0))
    clean_up(stores.database, stores.blobs, stores.settings)
    assert (abandoned.exists(), used.exists()) == (False, True)


def test_a_job_that_cannot_be_rescued_does_not_keep_the_others(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    first, bad, last = (stores.post() for _ in range(3))
    for _ in range(3):
        claim(stores)
    lose_every_worker(stores)
    with stores.database.write() as session:  # its rows of transitions cannot be written
        session.execute(
            text(
                f"CREATE TRIGGER refuse BEFORE INSERT ON transitions WHEN new.job_number = {stores.job(bad).number} "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        )
    run_reaper(stores)
    assert [stores.job(each).status for each in (first, bad, last)] == ["queued", "running", "queued"]
    assert "cannot be rescued" in caplog.text


def test_each_task_of_the_reaper_is_tried_when_others_fail(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(stores.blobs.scratch)
    stores.blobs.scratch.write_text("not a folder")
    _, orphan = old_blob(stores, stores.settings.data_dir, "orphan", ORPHAN_SECONDS + 60)
    with stores.database.write() as session:
        session.execute(text("DROP TABLE idempotency_keys"))
    clean_up(stores.database, stores.blobs, stores.settings)
    assert not orphan.exists()
    assert "could not tidy the scratch folder" in caplog.text
    assert "could not delete stale rows" in caplog.text


def test_a_damaged_database_does_not_end_the_reaper(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    damage_pages(stores)
    run_reaper(stores)
    clean_up(stores.database, stores.blobs, stores.settings)
    assert "the database is damaged" in caplog.text


def damage_pages(stores: Stores) -> None:
    """Overwrite every page of the database but the first."""
    stores.database.dispose()
    path = Path(sqlite_path(stores.settings.database_url))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


def test_old_keys_and_silent_workers_are_deleted(stores: Stores) -> None:
    with stores.database.write() as session:
        for key in ("old", "new"):
            idempotency.find_or_reserve(session, TENANT, KeyedRequest("POST /v1/jobs", key, "0", 60), "job_1")
            workers.record_heartbeat(session, key, 1)
        session.flush()
        expired = now(-stores.settings.idempotency_seconds - 1)
        session.execute(update(IdempotencyKey).where(IdempotencyKey.key == "old").values(created_at=expired))
        session.execute(update(Worker).where(Worker.name == "old").values(seen_at=steady(-7200)))
    clean_up(stores.database, stores.blobs, stores.settings)
    with stores.database.read() as session:
        assert session.scalars(select(IdempotencyKey.key)).all() == ["new"]
        assert session.scalars(select(Worker.name)).all() == ["new"]


def test_the_command_reaps_once(stores: Stores) -> None:
    job_id = stores.post()
    claim(stores)
    lose_every_worker(stores)
    environment = {**os.environ, "BACKPROPD_DATA_DIR": str(stores.settings.data_dir)}
    command = [sys.executable, "-m", "worker", "reap", "--once"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60)
    assert stores.job(job_id).status == "queued"
    with stores.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1
