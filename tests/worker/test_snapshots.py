"""Snapshots and forks in a worker: readable while the job runs, complete after a crash, and forks that crash."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from backpropd import learn
from backpropd.learn.checkpoint import unpack
from backpropd.store import jobs, snapshots
from backpropd.store.scheduling import leases, submission
from backpropd.store.scheduling.submission import Fork
from backpropd.store.snapshots import StoredSnapshot
from tests.worker.conftest import ENDLESS, LONG, TENANT, TIMEOUT, Stores, wait_until
from worker import epoch_writer

EVERY = {"snapshots": {"every": 100}}
SELDOM = {"flush_seconds": 1000.0, "checkpoint_seconds": 1000.0}  # so that everything waits


def stored(stores: Stores, job_id: str) -> list[int]:
    """The epochs of a job's snapshots."""
    with stores.database.read() as session:
        return [
            row.epoch for row in snapshots.weights(session, jobs.get(session, TENANT, job_id).number, -1, 2**31 - 1)
        ]


def contents(stores: Stores, job_id: str) -> list[StoredSnapshot | None]:
    """Every snapshot of a job, whole."""
    with stores.database.read() as session:
        number = jobs.get(session, TENANT, job_id).number
        return [snapshots.get(session, number, epoch) for epoch in stored(stores, job_id)]


def fork(stores: Stores, parent_id: str, epoch: int, **changes: Any) -> str:
    """The id of a queued fork of a job."""
    parent = stores.job(parent_id)
    with stores.database.read() as session:
        found = snapshots.get(session, parent.number, epoch)
    assert found is not None
    spec = learn.spec_from_json(parent.spec)
    table = learn.TableDescription(learn.columns_from_json(stores.columns), stores.info.rows)
    context = learn.Context(table, learn.Limits(10**7, 10**7, 2 * 10**9))
    plan = learn.resolve_fork(spec, changes, epoch, context)
    start = learn.start_of_fork(found.weights, found.state, spec, plan.spec)
    begins = Fork(parent_id, epoch, start.checkpoint, StoredSnapshot(*start.snapshot))
    about: dict[str, Any] = {"name": None, "meta": {}, "spec": plan.spec.to_json(), "epochs": plan.spec.training.epochs}
    with stores.database.write() as session:
        return submission.submit(session, TENANT, dataset_id=stores.dataset_id, fork=begins, **about).job.id


def test_a_short_job_has_all_its_snapshots_when_it_ends(stores: Stores) -> None:
    job_id = stores.post(epochs=10, snapshots={"every": 4})
    stores.runner().run_one()
    assert stores.job(job_id).status == "succeeded"
    assert stored(stores, job_id) == [0, 4, 8]


def test_snapshots_are_readable_while_the_job_runs(stores: Stores) -> None:
    job_id = stores.post(epochs=LONG, **EVERY)
    with stores.training(stores.runner(), job_id):
        wait_until(lambda: len(stored(stores, job_id)) > 3)
        job = stores.job(job_id)
        assert job.status == "running"
        assert job.snapshot_bytes > 0
        found = stored(stores, job_id)
        assert found == [*range(0, found[-1] + 1, 100)]
        stores.change(jobs.cancel, job_id)
    assert stores.job(job_id).status == "cancelled"
    last = stored(stores, job_id)[-1]
    assert last == stores.job(job_id).epoch // 100 * 100


def test_a_job_that_lost_its_worker_ends_with_the_same_snapshots(
    stores: Stores, uninterrupted: tuple[list[tuple[Any, ...]], str]
) -> None:
    whole = stores.post(epochs=LONG, **EVERY)
    stores.runner().run_one()
    assert stores.model_sha256(whole) == uninterrupted[1]
    job_id = stores.post(epochs=LONG, **EVERY)
    with stores.training(stores.runner(), job_id):
        wait_until(lambda: (stores.checkpoint_epoch(job_id) or 0) > 300)
        stores.lose(job_id)
    stores.runner("second").run_one()
    assert (stores.job(job_id).status, stores.job(job_id).attempts) == ("succeeded", 2)
    assert contents(stores, job_id) == contents(stores, whole)
    assert stores.job(job_id).snapshot_bytes == stores.job(whole).snapshot_bytes
    assert stores.model_sha256(job_id) == uninterrupted[1]


def test_a_fork_that_loses_its_worker_ends_like_its_parent(stores: Stores) -> None:
    parent = stores.post(epochs=LONG, **EVERY)
    stores.runner().run_one()
    job_id = fork(stores, parent, 1000)
    assert stores.job(job_id).epoch == 1000
    with stores.training(stores.runner(), job_id):
        wait_until(lambda: (stores.checkpoint_epoch(job_id) or 0) > 1300)
        stores.lose(job_id)
    stores.runner("second").run_one()
    assert (stores.job(job_id).status, stores.job(job_id).attempts) == ("succeeded", 2)
    assert stores.model_sha256(job_id) == stores.model_sha256(parent)
    assert stores.curve(job_id) == stores.curve(parent)[1000:]
    assert contents(stores, job_id) == contents(stores, parent)[10:]


def test_a_fork_of_a_fork_ends_like_the_first_job(stores: Stores) -> None:
    first = stores.post(epochs=60, snapshots={"every": 20})
    stores.runner().run_one()
    second = fork(stores, first, 20)
    stores.runner().run_one()
    third = fork(stores, second, 40)
    stores.runner().run_one()
    assert stores.model_sha256(first) == stores.model_sha256(second) == stores.model_sha256(third)
    assert [row[0] for row in stores.curve(third)] == [*range(41, 61)]


def test_a_fork_outlives_its_parent(stores: Stores) -> None:
    parent = stores.post(epochs=20, snapshots={"every": 10})
    stores.runner().run_one()
    sha256, job_id = stores.model_sha256(parent), fork(stores, parent, 10)
    stores.change(jobs.delete, parent)
    stores.runner().run_one()
    assert (stores.job(job_id).status, stores.model_sha256(job_id)) == ("succeeded", sha256)


def test_a_cancelled_job_can_be_forked_and_a_failed_one_with_another_rate(stores: Stores) -> None:
    job_id = stores.post(epochs=LONG, **EVERY)
    with stores.training(stores.runner(), job_id):
        wait_until(lambda: len(stored(stores, job_id)) > 3)
        stores.change(jobs.cancel, job_id)
    of_cancelled = fork(stores, job_id, 200, epochs=210)
    stores.runner().run_one()
    assert stores.job(of_cancelled).status == "succeeded"
    huge = {"name": "sgd", "learning_rate": 1e30}
    failed = stores.post(
        epochs=10,
        snapshots={"every": 1},
        optimizer=huge,
        loss="squared_error",
        hidden=[{"units": 2, "activation": "relu"}],
    )
    stores.runner().run_one()
    assert (stores.job(failed).status, stored(stores, failed)[0]) == ("failed", 0)
    mended = fork(stores, failed, 0, optimizer={**huge, "learning_rate": 0.1})
    stores.runner().run_one()
    assert (stores.job(mended).status, stores.job(mended).epoch) == ("succeeded", 10)


def test_a_paused_job_goes_on_with_its_snapshots(stores: Stores) -> None:
    job_id = stores.post(epochs=LONG, **EVERY)
    with stores.training(stores.runner(), job_id):
        wait_until(lambda: len(stored(stores, job_id)) > 2)
        stores.change(jobs.pause, job_id)
    wait_until(lambda: stores.job(job_id).status == "paused")
    assert stored(stores, job_id)[-1] == stores.job(job_id).epoch // 100 * 100
    stores.change(jobs.resume, job_id)
    stores.runner("second").run_one()
    assert stored(stores, job_id) == [*range(0, LONG + 1, 100)]


def test_snapshots_that_wait_to_be_written_are_bounded(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_writer, "MAX_SNAPSHOT_BYTES", 20_000)
    stores.settings = stores.settings.model_copy(update=SELDOM)
    job_id = stores.post(epochs=ENDLESS, snapshots={"every": 1000})
    thread = threading.Thread(target=stores.runner().run_one, daemon=True)
    thread.start()
    wait_until(lambda: len(stored(stores, job_id)) > 5)
    stores.change(jobs.cancel, job_id)
    thread.join(TIMEOUT)


@pytest.mark.parametrize("change", [jobs.cancel, jobs.pause])
def test_snapshots_that_wait_are_written_when_a_job_is_stopped(stores: Stores, change: Any) -> None:
    stores.settings = stores.settings.model_copy(update=SELDOM)
    job_id = stores.post(epochs=900_000, snapshots={"every": 100})
    thread = threading.Thread(target=stores.runner().run_one, daemon=True)
    thread.start()
    wait_until(lambda: stores.job(job_id).status == "running")
    time.sleep(0.5)  # nothing is written meanwhile
    assert stored(stores, job_id) == []
    stores.change(change, job_id)
    thread.join(TIMEOUT)
    found, epoch = stored(stores, job_id), stores.job(job_id).epoch
    assert len(found) > 1
    assert found == [*range(0, epoch + 1, 100)]


def test_every_snapshot_is_written_once(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    def add(session: Any, number: int, tenant: str, written: Sequence[StoredSnapshot]) -> None:
        sent.extend(each.epoch for each in written)
        snapshots.add(session, number, tenant, written)

    monkeypatch.setattr(leases, "add_snapshots", add)
    job_id = stores.post(epochs=LONG, **EVERY)
    stores.runner().run_one()
    assert sent == stored(stores, job_id) == [*range(0, LONG + 1, 100)]
    stores.settings = stores.settings.model_copy(update=SELDOM)
    sent.clear()
    in_parts = stores.post(epochs=LONG, **EVERY)  # all at the end, 1000 epochs a transaction
    stores.runner().run_one()
    assert sent == stored(stores, in_parts) == [*range(0, LONG + 1, 100)]


def test_snapshots_fill_the_quota_and_end_the_job(stores: Stores) -> None:
    stores.settings = stores.settings.model_copy(update={"max_tenant_bytes": 400_000})
    job_id = stores.post(epochs=LONG, snapshots={"every": 2})
    stores.runner().run_one()
    job = stores.job(job_id)
    assert (job.status, job.error_code) == ("failed", "storage_full")
    assert stored(stores, job_id)


def test_a_snapshot_says_nothing_of_the_clock(stores: Stores) -> None:
    job_id = stores.post(epochs=4, snapshots={"every": 2})
    stores.runner().run_one()
    found = contents(stores, job_id)[-1]
    assert found is not None
    meta = unpack(found.state)[1]
    assert (meta["seconds"], meta["stop_reason"], meta["epoch"]) == (0.0, None, 4)
