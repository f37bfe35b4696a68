"""One job on one worker: trained, cancelled, paused, handed back or lost, and continued bit for bit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.config import Settings
from backpropd.store import jobs
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import fair_queue, rescue
from backpropd.store.sql.column_types import steady
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Checkpoint, Job
from tests.migrated import migrate
from tests.worker.conftest import ENDLESS, LONG, TENANT, Stores, wait_until
from worker.heartbeat_board import HeartbeatBoard
from worker.runner import Runner
from worker.tasks import train_until_queue_is_empty

CHECKPOINTED = select(Job.number).join(Checkpoint, Job.number == Checkpoint.job_number).where(Job.status == "running")
SUCCEEDED = select(Job.number).where(Job.status == "succeeded")


class LosesAnswers(Database):
    """A database that raises after committed writes, as if the answer was lost, while it has certain jobs."""

    def __init__(self, stores: Stores, jobs: Select[int]) -> None:
        super().__init__(stores.settings.database_url)
        self.jobs = jobs

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            lost = session.scalar(self.jobs.limit(1)) is not None
        if lost:
            raise errors.Unavailable("the answer is lost")


class BlobsWithCallback(Blobs):
    """Blobs that call a function when a claimed job reads its table, before its first epoch."""

    def __init__(self, stores: Stores, callback: Any) -> None:
        super().__init__(stores.settings.blobs_url, stores.settings.data_dir / "scratch")
        self.callback = callback

    @contextmanager
    def local_path(self, sha256: str) -> Iterator[Path]:
        self.callback()
        with super().local_path(sha256) as path:
            yield path


def test_a_job_ends_succeeded_with_every_epoch_and_a_model(stores: Stores) -> None:
    job_id = stores.post(epochs=30)
    assert stores.runner().run_one()
    job = stores.job(job_id)
    assert (job.status, job.stop_reason, job.epoch, job.attempts) == ("succeeded", "epochs", 30, 1)
    assert stores.statuses(job_id) == ["queued", "running", "succeeded"]
    assert [row[0] for row in stores.curve(job_id)] == list(range(1, 31))
    assert stores.model_sha256(job_id)
    assert (job.worker, job.lease_expires_at, stores.checkpoint_epoch(job_id)) == (None, None, None)
    assert not stores.runner().run_one()


def test_the_same_seed_gives_the_same_curve_and_the_same_bytes(stores: Stores) -> None:
    one, other, third = stores.post(), stores.post(), stores.post(seed=2)
    train_until_queue_is_empty(stores.runner())
    assert stores.curve(one) == stores.curve(other) != stores.curve(third)
    assert stores.model_sha256(one) == stores.model_sha256(other) != stores.model_sha256(third)


def test_a_running_job_that_is_cancelled_ends_cancelled_without_a_model(stores: Stores) -> None:
    job_id = stores.post(epochs=ENDLESS)
    with stores.training(stores.runner(), job_id), stores.database.write() as session:
        jobs.cancel(session, TENANT, job_id)
    job = stores.job(job_id)
    assert (job.status, job.stop_reason, job.model_id, job.error_code) == ("cancelled", "cancelled", None, None)
    assert [row[0] for row in stores.curve(job_id)] == list(range(1, job.epoch + 1))
    assert stores.checkpoint_epoch(job_id) is None


def test_an_acknowledged_cancel_wins_over_the_end_of_training(stores: Stores) -> None:
    job_id = stores.post(epochs=1)

    def cancel() -> None:
        with stores.database.write() as session:
            jobs.cancel(session, TENANT, job_id)

    stores.runner(blobs=BlobsWithCallback(stores, cancel)).run_one()
    assert (stores.job(job_id).status, stores.job(job_id).model_id) == ("cancelled", None)


def test_a_paused_job_has_a_checkpoint_and_continues_bit_for_bit(
    stores: Stores, uninterrupted: tuple[list[tuple[Any, ...]], str]
) -> None:
    job_id = stores.post(epochs=LONG)
    with stores.training(stores.runner(), job_id), stores.database.write() as session:
        jobs.pause(session, TENANT, job_id)
    paused = stores.job(job_id)
    assert (paused.status, 0 < paused.epoch < LONG) == ("paused", True)
    assert stores.checkpoint_epoch(job_id) == paused.epoch == len(stores.curve(job_id))
    assert not stores.runner().run_one()
    with stores.database.write() as session:
        jobs.resume(session, TENANT, job_id)
    assert stores.runner("second").run_one()
    assert stores.statuses(job_id) == ["queued", "running", "paused", "queued", "running", "succeeded"]
    assert (stores.curve(job_id), stores.model_sha256(job_id)) == uninterrupted


def test_a_job_paused_in_its_last_epoch_ends_at_once_when_resumed(stores: Stores) -> None:
    job_id = stores.post(epochs=3)

    def pause() -> None:
        with stores.database.write() as session:
            jobs.pause(session, TENANT, job_id)

    stores.runner(blobs=BlobsWithCallback(stores, pause)).run_one()
    assert stores.job(job_id).status == "paused"
    with stores.database.write() as session:
        jobs.resume(session, TENANT, job_id)
    assert stores.runner().run_one()
    assert stores.job(job_id).status == "succeeded"
    assert [row[0] for row in stores.curve(job_id)] == [1, 2, 3]


def test_a_stopping_process_hands_its_job_back_and_another_continues_bit_for_bit(
    stores: Stores, uninterrupted: tuple[list[tuple[Any, ...]], str]
) -> None:
    job_id = stores.post(epochs=LONG)
    stopping = stores.runner(board=HeartbeatBoard(1))
    with stores.training(stopping, job_id):
        stopping.board.stop()
    job = stores.job(job_id)
    assert (job.status, job.crashes, 0 < job.epoch < LONG) == ("queued", 0, True)
    assert stores.checkpoint_epoch(job_id) == job.epoch
    assert not stopping.run_one()
    assert stores.runner("second").run_one()
    assert stores.statuses(job_id) == ["queued", "running", "queued", "running", "succeeded"]
    assert (stores.curve(job_id), stores.model_sha256(job_id)) == uninterrupted


def test_the_end_of_a_job_claims_the_next_one(stores: Stores) -> None:
    first, second = stores.post(), stores.post()
    runner = stores.runner()
    assert runner.run_one()
    assert (stores.job(first).status, stores.job(second).status) == ("succeeded", "running")
    assert (runner.run_one(), runner.run_one()) == (True, False)
    assert stores.statuses(second) == ["queued", "running", "succeeded"]


def test_a_job_succeeds_although_the_next_one_cannot_be_claimed(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stores.post(), stores.post()
    runner = stores.runner()
    note = fair_queue.note

    def note_first_only(session: Session, job: Any) -> None:
        if job.id != first:
            raise MemoryError
        note(session, job)

    with monkeypatch.context() as patched:
        patched.setattr(fair_queue, "note", note_first_only)
        assert runner.run_one()
    assert (stores.job(first).status, stores.job(second).status) == ("succeeded", "queued")
    assert (runner.run_one(), stores.job(second).status) == (True, "succeeded")


def test_the_end_of_a_job_claims_the_next_one_of_a_tenant_limited_to_one_running_job(stores: Stores) -> None:
    first, second = stores.post(), stores.post()
    runner = stores.runner(settings=stores.settings.model_copy(update={"max_running_jobs_per_tenant": 1}))
    assert runner.run_one()
    assert (stores.job(first).status, stores.job(second).status) == ("succeeded", "running")
    assert not stores.runner("second", settings=runner.settings).run_one()
    assert runner.run_one()


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


def test_a_stopping_process_hands_back_the_job_claimed_with_the_end_of_the_last(
    stores: Stores, uninterrupted: tuple[list[tuple[Any, ...]], str]
) -> None:
    stores.post()
    job_id = stores.post(epochs=LONG)
    stopping = stores.runner(board=HeartbeatBoard(1))
    assert stopping.run_one()
    stopping.board.stop()
    train_until_queue_is_empty(stopping)
    assert (stores.job(job_id).status, stores.job(job_id).crashes) == ("queued", 0)
    assert stores.runner("second").run_one()
    assert (stores.curve(job_id), stores.model_sha256(job_id)) == uninterrupted


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


def test_checkpoints_are_stored_while_a_job_runs(stores: Stores) -> None:
    job_id = stores.post(epochs=ENDLESS)
    with stores.training(stores.runner(), job_id):
        wait_until(lambda: stores.checkpoint_epoch(job_id) is not None)
        assert 0 < (stores.checkpoint_epoch(job_id) or 0) <= stores.job(job_id).epoch
        with stores.database.write() as session:
            jobs.cancel(session, TENANT, job_id)


def test_the_lease_is_renewed_while_no_epoch_ends(stores: Stores) -> None:
    strict = stores.settings.model_copy(update={"heartbeat_seconds": 0.2, "fence_seconds": 1.0})
    job_id = stores.post()
    assert stores.runner(settings=strict, blobs=BlobsWithCallback(stores, lambda: time.sleep(1.5))).run_one()
    assert stores.job(job_id).status == "succeeded"


def test_a_job_that_diverges_fails_with_the_epochs_before(stores: Stores) -> None:
    job_id = stores.post("petal_width", 500, optimizer={"name": "sgd", "learning_rate": 1e20, "momentum": 0.0})
    assert stores.runner().run_one()
    job = stores.job(job_id)
    assert (job.status, job.stop_reason, job.error_code) == ("failed", "error", "diverged")
    assert f"epoch {job.epoch + 1}" in (job.error_detail or "")
    assert "learning rate" in (job.error_detail or "").replace("_", " ")
    assert [row[0] for row in stores.curve(job_id)] == list(range(1, job.epoch + 1))


def test_an_unexpected_error_fails_the_job_and_the_worker_continues(stores: Stores) -> None:
    failing, sound = stores.post(), stores.post()
    calls = []

    def fail_once() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a bug")

    train_until_queue_is_empty(stores.runner(blobs=BlobsWithCallback(stores, fail_once)))
    assert (stores.job(failing).status, stores.job(failing).error_code) == ("failed", "internal_error")
    assert stores.job(sound).status == "succeeded"


@pytest.mark.parametrize(
    ("raised", "code"), [(MemoryError(), "out_of_memory"), (FileNotFoundError("table"), "internal_error")]
)
def test_an_error_of_the_machine_fails_the_job_with_a_code(stores: Stores, raised: BaseException, code: str) -> None:
    def fail() -> None:
        raise raised

    job_id = stores.post()
    assert stores.runner(blobs=BlobsWithCallback(stores, fail)).run_one()
    assert (stores.job(job_id).status, stores.job(job_id).error_code) == ("failed", code)


def test_a_job_whose_turn_is_over_yields_to_waiting_jobs_and_continues_bit_for_bit(
    stores: Stores, uninterrupted: tuple[list[tuple[Any, ...]], str]
) -> None:
    long = stores.post(epochs=LONG)
    no_turn = stores.settings.model_copy(update={"turn_seconds": 0.0})
    short: list[str] = []
    assert stores.runner(
        settings=no_turn, blobs=BlobsWithCallback(stores, lambda: short.append(stores.post()))
    ).run_one()
    assert (stores.job(long).status, 0 < stores.job(long).epoch < LONG) == ("queued", True)
    runner = stores.runner()
    assert runner.run_one()
    assert (stores.job(short[0]).status, stores.job(long).status) == ("succeeded", "running")
    assert runner.run_one()
    assert "its turn is over, and other jobs wait" in stores.reasons(long)
    assert (stores.curve(long), stores.model_sha256(long)) == uninterrupted


def test_a_job_whose_turn_is_over_does_not_yield_to_jobs_of_lower_priority(stores: Stores) -> None:
    long = stores.post(epochs=ENDLESS)
    runner = stores.runner(settings=stores.settings.model_copy(update={"turn_seconds": 0.0}))
    with stores.training(runner, long):
        stores.post(priority=-1)
        time.sleep(1.5)
        assert stores.job(long).status == "running"
        with stores.database.write() as session:
            jobs.cancel(session, TENANT, long)


@pytest.mark.parametrize("request_", ["cancel", "pause"])
def test_a_job_that_reads_its_table_stops_within_seconds(stores: Stores, request_: str) -> None:
    job_id = stores.post()
    stopped: list[bool] = []

    def request_and_keep_reading() -> None:
        with stores.database.write() as session:
            getattr(jobs, request_)(session, TENANT, job_id)
        wait_until(lambda: stores.job(job_id).status in ("cancelled", "paused"))
        stopped.append(True)

    assert stores.runner(blobs=BlobsWithCallback(stores, request_and_keep_reading)).run_one()
    assert stopped
    assert stores.job(job_id).status == {"cancel": "cancelled", "pause": "paused"}[request_]


def test_a_job_that_exceeds_the_maximum_time_fails(stores: Stores) -> None:
    job_id = stores.post(epochs=ENDLESS)
    strict = stores.settings.model_copy(update={"max_job_seconds": 0.5})
    assert stores.runner(settings=strict).run_one()
    job = stores.job(job_id)
    assert (job.status, job.error_code) == ("failed", "deadline_exceeded")
    assert [row[0] for row in stores.curve(job_id)] == list(range(1, job.epoch + 1))


class Interruptible(Database):
    """A database that can be made unavailable."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.unavailable = threading.Event()

    @contextmanager
    def write(self) -> Iterator[Session]:
        if self.unavailable.is_set():
            raise errors.Unavailable("no connection")
        with super().write() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        if self.unavailable.is_set():
            raise errors.Unavailable("no connection")
        with super().read() as session:
            yield session


def test_training_continues_while_the_database_is_unavailable_and_nothing_is_lost(
    stores: Stores, uninterrupted: tuple[list[tuple[Any, ...]], str]
) -> None:
    job_id = stores.post(epochs=LONG)
    database = Interruptible(stores.settings.database_url)
    with stores.training(stores.runner(database=database), job_id):
        database.unavailable.set()
        time.sleep(3)
        database.unavailable.clear()
    database.dispose()
    assert (stores.job(job_id).status, stores.job(job_id).attempts) == ("succeeded", 1)
    assert (stores.curve(job_id), stores.model_sha256(job_id)) == uninterrupted


def test_a_checkpoint_whose_answer_was_lost_is_deleted_at_the_end(stores: Stores) -> None:
    job_id = stores.post(epochs=LONG // 5)
    database = LosesAnswers(stores, CHECKPOINTED)
    with stores.training(stores.runner(database=database), job_id):
        wait_until(lambda: stores.checkpoint_epoch(job_id) is not None)
    database.dispose()
    assert (stores.job(job_id).status, stores.checkpoint_epoch(job_id)) == ("succeeded", None)


def test_a_worker_drops_its_job_when_the_database_stays_unavailable(stores: Stores) -> None:
    job_id = stores.post(epochs=LONG)
    database = Interruptible(stores.settings.database_url)
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
