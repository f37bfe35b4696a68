"""A job in a worker's hands: trained, stopped, handed back, lost; the result is always the undisturbed one."""

from __future__ import annotations

import os
import threading
import time

from sqlalchemy import select

from backpropd import queue
from backpropd.store import claims, epochs, jobs, models
from backpropd.store.schema import Dataset, Job
from tests.worker.conftest import TENANT, World
from worker import sweeper


def read(world: World, job_id: str) -> Job:
    with world.database.read() as session:
        return jobs.get(session, TENANT, job_id)


def outcome(world: World, job_id: str) -> tuple[list[tuple[int, float]], str]:
    """The whole curve, and the hash of the weights."""
    with world.database.read() as session:
        job = jobs.get(session, TENANT, job_id)
        curve = [(row.epoch, row.loss) for row in epochs.after(session, job.number, 0, 100_000)]
        return curve, models.get(session, TENANT, job.model_id or "").sha256


def wait_for_epoch(world: World, job_id: str, epoch: int) -> None:
    until = time.monotonic() + 60
    while read(world, job_id).epoch < epoch:
        assert time.monotonic() < until, "the job does not get on"
        time.sleep(0.01)


def test_a_job_ends_with_every_epoch_once(world: World) -> None:
    job_id = world.job()
    runner = world.runner()
    assert runner.run_one() is True
    assert runner.run_one() is False
    assert read(world, job_id).status == "succeeded"
    assert [epoch for epoch, _ in outcome(world, job_id)[0]] == list(range(1, 61))


def test_a_worker_that_is_told_to_stop_hands_its_job_back_and_another_ends_it_bit_for_bit(world: World) -> None:
    undisturbed, job_id = world.job(epochs=400), world.job(epochs=400)
    world.runner().run_one()
    told = threading.Event()
    thread = threading.Thread(target=world.runner(told.is_set).run_one)
    thread.start()
    wait_for_epoch(world, job_id, 5)
    told.set()
    thread.join()
    job = read(world, job_id)
    assert (job.status, job.recoveries, job.rung_at) == ("queued", 0, None)
    assert world.runner(told.is_set).run_one() is False
    world.runner().run_one()
    assert outcome(world, job_id) == outcome(world, undisturbed)


def test_a_worker_that_lost_its_lease_drops_the_job_and_writes_nothing_more(world: World) -> None:
    job_id = world.job(epochs=1_000_000)
    thread = threading.Thread(target=world.runner().run_one)
    thread.start()
    wait_for_epoch(world, job_id, 5)
    with world.database.write() as session:
        claims.requeue(session, jobs.get(session, TENANT, job_id, lock=True), "taken by a test")
    thread.join()
    before = read(world, job_id)
    assert before.status == "queued"
    time.sleep(0.1)
    assert read(world, job_id).epoch == before.epoch


def test_a_cancelled_job_ends_while_it_runs(world: World) -> None:
    job_id = world.job(epochs=1_000_000)
    thread = threading.Thread(target=world.runner().run_one)
    thread.start()
    wait_for_epoch(world, job_id, 5)
    with world.database.write() as session:
        jobs.cancel(session, TENANT, job_id)
    thread.join()
    job = read(world, job_id)
    assert (job.status, job.stop_reason, job.model_id) == ("cancelled", "cancelled", None)


def test_an_error_that_nobody_foresaw_fails_the_job_and_not_the_worker(world: World) -> None:
    job_id = world.job()
    with world.database.write() as session:
        (dataset,) = session.scalars(select(Dataset))
        world.blobs.delete(dataset.sha256)
    assert world.runner().run_one() is True
    job = read(world, job_id)
    assert (job.status, job.error_code) == ("failed", "internal_error")


def test_the_sweeper_tidies_blobs_that_no_dataset_names_and_leaves_the_others(world: World) -> None:
    world.job()
    orphan = world.settings.data_dir / "orphan"
    orphan.write_bytes(b"nobody's")
    sha256, _ = world.blobs.put(orphan)
    for name in list(world.blobs.older_than(-60)):
        with world.blobs.local_path(name) as path:
            os.utime(path, (0, 0))
    sweeper.tidy(world.database, world.blobs, world.settings)
    left = list(world.blobs.older_than(-60))
    assert sha256 not in left
    assert len(left) == 1


def test_the_sweeper_rings_for_a_job_that_nobody_heard_of(world: World, broker_url: str) -> None:
    job_id = world.job()
    settings = world.settings.model_copy(update={"broker_url": broker_url})
    app = queue.make_app(settings)
    sweeper.sweep(world.database, app, settings)
    assert read(world, job_id).rung_at is not None
    with app.connection_for_read() as connection:
        assert connection.default_channel.client.llen(queue.QUEUE) >= 1
