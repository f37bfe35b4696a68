"""The reaper: lost jobs are taken up, unheard ones rung for, and what nobody needs is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from redis import Redis
from sqlalchemy import func, select, update

from backpropd import queue
from backpropd.store import datasets, idempotency, jobs
from backpropd.store.idempotency import KeyedRequest
from backpropd.store.scheduling import claims, workers
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql.column_types import now, steady
from backpropd.store.sql.schema import IdempotencyKey, Job, Worker
from tests.worker.conftest import TENANT, Shop
from worker.process_identity import machine
from worker.reaper import ORPHAN_SECONDS, sweep, tidy

ROOT = Path(__file__).parent.parent.parent


def claim(shop: Shop) -> None:
    with shop.database.write() as session:
        assert claims.claim_next(session, ClaimOptions("somebody", 30))


def lose_every_worker(shop: Shop) -> None:
    with shop.database.write() as session:
        session.execute(update(Job).where(Job.status == "running").values(lease_expires_at=steady(-1)))


def swept(shop: Shop) -> None:
    sweep(shop.database, queue.make_app(shop.settings, fail_fast=True), shop.settings)


def old_blob(shop: Shop, folder: Path, text: str, seconds: float) -> tuple[str, Path]:
    """A blob that was written so long ago."""
    source = folder / "source"
    source.write_text(text)
    sha256, _ = shop.blobs.put(source)
    with shop.blobs.local_path(sha256) as path:
        moment = time.time() - seconds
        os.utime(path, (moment, moment))
        return sha256, path


def test_a_job_whose_worker_was_lost_is_queued_again_and_one_that_lives_is_left_alone(shop: Shop) -> None:
    lost = shop.post()
    claim(shop)
    swept(shop)
    assert shop.job(lost).status == "running"
    lose_every_worker(shop)
    swept(shop)
    assert (shop.job(lost).status, shop.job(lost).crashes) == ("queued", 1)
    assert shop.runner().run_one()
    assert shop.job(lost).status == "succeeded"


def test_a_job_that_loses_worker_after_worker_fails_in_the_end(shop: Shop) -> None:
    job_id = shop.post()
    for _ in range(shop.settings.max_losses):
        assert shop.job(job_id).status == "queued"
        claim(shop)
        lose_every_worker(shop)
        swept(shop)
    assert (shop.job(job_id).status, shop.job(job_id).error_code) == ("failed", "worker_lost")


def test_a_lost_job_that_was_to_be_cancelled_is_cancelled(shop: Shop) -> None:
    job_id = shop.post()
    claim(shop)
    with shop.database.write() as session:
        jobs.cancel(session, TENANT, job_id)
    lose_every_worker(shop)
    swept(shop)
    assert (shop.job(job_id).status, shop.job(job_id).stop_reason) == ("cancelled", "cancelled")


def test_the_job_of_a_process_that_is_dead_is_taken_up_without_waiting_for_its_lease(shop: Shop) -> None:
    job_id, other = shop.post(), shop.post()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for worker in (f"{machine()}/1/{ended.pid}", f"elsewhere/1/{ended.pid}"):
        with shop.database.write() as session:
            assert claims.claim_next(session, ClaimOptions(worker, 30))
    swept(shop)
    assert (shop.job(job_id).status, shop.job(other).status) == ("queued", "running")


def rings(shop: Shop, broker_url: str) -> int:
    """How many times a sweep rang."""
    shop.settings = shop.settings.model_copy(update={"broker_url": broker_url})
    broker = Redis(unix_socket_path=broker_url.removeprefix("redis+socket://").partition("?")[0])
    broker.delete(queue.QUEUE)
    swept(shop)
    found = broker.llen(queue.QUEUE)
    broker.close()
    assert isinstance(found, int)
    return found


def test_it_rings_for_jobs_that_wait_though_there_are_free_places(shop: Shop, broker_url: str) -> None:
    for _ in range(4):
        shop.post()
    assert rings(shop, broker_url) == 0  # there is no worker
    with shop.database.write() as session:
        workers.record_heartbeat(session, "somebody", 3)
    assert rings(shop, broker_url) == 3
    claim(shop)
    assert rings(shop, broker_url) == 2


def test_while_the_broker_is_away_a_sweep_does_the_rest(shop: Shop) -> None:
    shop.post()
    lost = shop.post()
    claim(shop)
    claim(shop)
    lose_every_worker(shop)
    with shop.database.write() as session:
        workers.record_heartbeat(session, "somebody", 3)
    swept(shop)
    assert shop.job(lost).status == "queued"


def test_blobs_that_no_dataset_names_are_deleted_when_they_are_old(shop: Shop, tmp_path: Path) -> None:
    _, orphan = old_blob(shop, tmp_path, "orphan", ORPHAN_SECONDS + 60)
    _, young = old_blob(shop, tmp_path, "young", ORPHAN_SECONDS - 60)
    named, needed = old_blob(shop, tmp_path, "needed", ORPHAN_SECONDS + 60)
    half = orphan.with_name(f"{orphan.name}.1.part")  # of a process that was killed while it copied
    half.write_text("or")
    os.utime(half, (0, 0))
    about = {"name": "n", "format": "csv", "rows": 1, "size": 1, "columns": []}
    with shop.database.write() as session:
        datasets.create(session, TENANT, sha256=named, **about)
    tidy(shop.database, shop.blobs, shop.settings)
    assert [path.exists() for path in (orphan, half, young, needed)] == [False, False, True, True]


def test_the_blob_of_a_deleted_dataset_goes_and_that_of_a_twin_stays(shop: Shop, tmp_path: Path) -> None:
    sha256, path = old_blob(shop, tmp_path, "twins", ORPHAN_SECONDS + 60)
    about = {"name": "n", "format": "csv", "rows": 1, "size": 1, "columns": [], "sha256": sha256}
    with shop.database.write() as session:
        twins = [datasets.create(session, TENANT, **about).id for _ in range(2)]
    for twin, stays in zip(twins, (True, False), strict=True):
        with shop.database.write() as session:
            datasets.delete(session, TENANT, twin)
        tidy(shop.database, shop.blobs, shop.settings)
        assert path.exists() == stays


def test_workspaces_of_processes_that_were_killed_are_removed_and_those_in_use_stay(shop: Shop) -> None:
    left, used = (shop.blobs.scratch / name for name in ("left", "used"))
    for place in (left, used):
        place.mkdir()
        (place / "upload").write_text("half of it")
    for path in (left / "upload", left, used):  # what is written to changes its file and not its folder
        os.utime(path, (0, 0))
    tidy(shop.database, shop.blobs, shop.settings)
    assert (left.exists(), used.exists()) == (False, True)


def test_old_keys_and_silent_workers_are_forgotten(shop: Shop) -> None:
    with shop.database.write() as session:
        for key in ("old", "new"):
            idempotency.find_or_reserve(session, TENANT, KeyedRequest("POST /v1/jobs", key, "0", 60), "job_1")
            workers.record_heartbeat(session, key, 1)
        session.flush()
        long_ago = now(-shop.settings.idempotency_seconds - 1)
        session.execute(update(IdempotencyKey).where(IdempotencyKey.key == "old").values(created_at=long_ago))
        session.execute(update(Worker).where(Worker.name == "old").values(seen_at=steady(-7200)))
    tidy(shop.database, shop.blobs, shop.settings)
    with shop.database.read() as session:
        assert session.scalars(select(IdempotencyKey.key)).all() == ["new"]
        assert session.scalars(select(Worker.name)).all() == ["new"]


def test_an_operator_can_sweep_once(shop: Shop) -> None:
    job_id = shop.post()
    claim(shop)
    lose_every_worker(shop)
    environment = {**os.environ, "BACKPROPD_DATA_DIR": str(shop.settings.data_dir)}
    command = [sys.executable, "-m", "worker", "reap", "--once"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60)
    assert shop.job(job_id).status == "queued"
    with shop.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1
