"""Leases and databases that are lost while a job is trained: the job continues bit for bit."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import rescue
from backpropd.store.sql.column_types import steady
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Checkpoint, Job
from tests.migrated import migrate
from tests.worker.conftest import LONG, Stores, wait_until
from tests.worker.faulty_stores import BlobsWithCallback, InterruptibleDatabase, LosesAnswers
from worker.runner import Runner
from worker.tasks import train_until_queue_is_empty

CHECKPOINTED = select(Job.number).join(Checkpoint, Job.number == Checkpoint.job_number).where(Job.status == "running")
SUCCEEDED = select(Job.number).where(Job.status == "succeeded")


def test_a_job_claimed_in_a_transaction_whose_answer_is_lost_is_requeued(stores: Stores) -> None:
    first, second = stores.post(), stores.post()
    database = LosesAnswers(stores, SUCCEEDED)
    assert stores.runner(database=database).run_one()
    database.dispose()
    assert (stores.job(first).status, stores.job(second).status) == ("succeeded", "running")
    with stores.database.write() as session:
        session.execute(update(Job).where(Job.id == second).values(lease_expires_at=steady(-1)))
        assert rescue.rescue_expired(session, 30, 3) == [second]
    train_until_queue_is_empty(stores.runner("second"))
    assert stores.curve(first) == stores.curve(second)


def test_a_worker_that_lost_its_lease_drops_the_job_and_writes_nothing_more(
    stores: Stores, uninterrupted: tuple[list[tuple[Any, ...]], str]
) -> None:
    job_id = stores.post(epochs=LONG)
    with stores.training(stores.runner(), job_id), stores.database.write() as session:
        session.execute(update(Job).values(lease_expires_at=steady(-1)))
        assert rescue.rescue_expired(session, 30, 3) == [job_id]
        epochs = session.get_one(Job, 1).epoch
    assert (stores.job(job_id).status, stores.job(job_id).crashes) == ("queued", 1)
    assert len(stores.curve(job_id)) == stores.job(job_id).epoch == epochs < LONG
    assert stores.runner("second").run_one()
    assert (stores.curve(job_id), stores.model_sha256(job_id)) == uninterrupted


def test_a_worker_that_did_not_renew_its_lease_in_time_writes_nothing(stores: Stores) -> None:
    job_id = stores.post()
    late = stores.settings.model_copy(update={"fence_seconds": 0.0})
    assert stores.runner(settings=late).run_one()
    assert (stores.job(job_id).status, stores.curve(job_id)) == ("running", [])


def test_the_lease_is_renewed_while_no_epoch_ends(stores: Stores) -> None:
    strict = stores.settings.model_copy(update={"heartbeat_seconds": 0.2, "fence_seconds": 1.0})
    job_id = stores.post()
    assert stores.runner(settings=strict, blobs=BlobsWithCallback(stores, lambda: time.sleep(1.5))).run_one()
    assert stores.job(job_id).status == "succeeded"


def test_training_continues_while_the_database_is_unavailable_and_nothing_is_lost(
    stores: Stores, uninterrupted: tuple[list[tuple[Any, ...]], str]
) -> None:
    job_id = stores.post(epochs=LONG)
    database = InterruptibleDatabase(stores.settings.database_url)
    with stores.training(stores.runner(database=database), job_id):
        database.unavailable.set()
        time.sleep(3)
        database.unavailable.clear()
    database.dispose()
    assert (stores.job(job_id).status, stores.job(job_id).attempts) == ("succeeded", 1)
    assert (stores.curve(job_id), stores.model_sha256(job_id)) == uninterrupted


def test_a_checkpoint_whose_answer_was_lost_is_deleted_at_the_end(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.epoch_writer.MAX_ROWS", LONG)  # the last transaction is the first with an answer
    job_id = stores.post(epochs=LONG // 5)
    database = LosesAnswers(stores, CHECKPOINTED)
    with stores.training(stores.runner(database=database), job_id):
        wait_until(lambda: stores.checkpoint_epoch(job_id) is not None)
    database.dispose()
    assert (stores.job(job_id).status, stores.checkpoint_epoch(job_id)) == ("succeeded", None)


def test_a_worker_drops_its_job_when_the_database_stays_unavailable(stores: Stores) -> None:
    job_id = stores.post(epochs=LONG)
    database = InterruptibleDatabase(stores.settings.database_url)
    strict = stores.settings.model_copy(update={"fence_seconds": 1.0})
    with stores.training(stores.runner(database=database, settings=strict), job_id):
        database.unavailable.set()
    database.dispose()
    assert stores.job(job_id).status == "running"  # until its lease expires


def test_a_worker_waits_for_a_database_without_tables(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path).with_defaults()
    database = Database(settings.database_url)  # has no tables yet
    runner = Runner("early", settings, database, Blobs(settings.blobs_url, tmp_path / "scratch"))
    waiting = threading.Thread(target=train_until_queue_is_empty, args=(runner,))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    migrate(settings)
    waiting.join(60)
    assert not waiting.is_alive()
    database.dispose()
