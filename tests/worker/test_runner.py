"""One job on one worker: trained, cancelled, paused, handed back, lost; and gone on with bit for bit."""

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
from tests.worker.conftest import ENDLESS, LONG, TENANT, Shop, wait_until
from worker.heartbeat_board import HeartbeatBoard
from worker.runner import Runner
from worker.tasks import train_until_none_is_left

CHECKPOINTED = select(Job.number).join(Checkpoint, Job.number == Checkpoint.job_number).where(Job.status == "running")
SUCCEEDED = select(Job.number).where(Job.status == "succeeded")


class Deaf(Database):
    """A database whose answers are lost on the way while there are such jobs."""

    def __init__(self, shop: Shop, jobs: Select[int]) -> None:
        super().__init__(shop.settings.database_url)
        self.jobs = jobs

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            lost = session.scalar(self.jobs.limit(1)) is not None
        if lost:
            raise errors.Unavailable("the answer was lost")


class BlobsThatCall(Blobs):
    """Blobs that call somebody while a claimed job fetches its table: before its first epoch, every time."""

    def __init__(self, shop: Shop, call: Any) -> None:
        super().__init__(shop.settings.blobs_url, shop.settings.data_dir / "scratch")
        self.call = call

    @contextmanager
    def local_path(self, sha256: str) -> Iterator[Path]:
        self.call()
        with super().local_path(sha256) as path:
            yield path


def test_a_job_ends_succeeded_with_every_epoch_and_a_model(shop: Shop) -> None:
    job_id = shop.post(epochs=30)
    assert shop.runner().run_one()
    job = shop.job(job_id)
    assert (job.status, job.stop_reason, job.epoch, job.attempts) == ("succeeded", "epochs", 30, 1)
    assert shop.statuses(job_id) == ["queued", "running", "succeeded"]
    assert [row[0] for row in shop.curve(job_id)] == list(range(1, 31))
    assert shop.sha256_of_the_model(job_id)
    assert (job.worker, job.lease_expires_at, shop.checkpointed(job_id)) == (None, None, None)
    assert not shop.runner().run_one()


def test_the_same_seed_gives_the_same_curve_and_the_same_bytes(shop: Shop) -> None:
    one, other, third = shop.post(), shop.post(), shop.post(seed=2)
    train_until_none_is_left(shop.runner())
    assert shop.curve(one) == shop.curve(other) != shop.curve(third)
    assert shop.sha256_of_the_model(one) == shop.sha256_of_the_model(other) != shop.sha256_of_the_model(third)


def test_a_job_that_is_cancelled_while_it_runs_ends_cancelled_and_makes_no_model(shop: Shop) -> None:
    job_id = shop.post(epochs=ENDLESS)
    with shop.training(shop.runner(), job_id), shop.database.write() as session:
        jobs.cancel(session, TENANT, job_id)
    job = shop.job(job_id)
    assert (job.status, job.stop_reason, job.model_id, job.error_code) == ("cancelled", "cancelled", None, None)
    assert [row[0] for row in shop.curve(job_id)] == list(range(1, job.epoch + 1))
    assert shop.checkpointed(job_id) is None


def test_a_cancel_that_was_acknowledged_wins_over_the_end_of_training(shop: Shop) -> None:
    job_id = shop.post(epochs=1)

    def cancel() -> None:
        with shop.database.write() as session:
            jobs.cancel(session, TENANT, job_id)

    shop.runner(blobs=BlobsThatCall(shop, cancel)).run_one()
    assert (shop.job(job_id).status, shop.job(job_id).model_id) == ("cancelled", None)


def test_a_paused_job_keeps_a_checkpoint_and_goes_on_bit_for_bit(
    shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], str]
) -> None:
    job_id = shop.post(epochs=LONG)
    with shop.training(shop.runner(), job_id), shop.database.write() as session:
        jobs.pause(session, TENANT, job_id)
    paused = shop.job(job_id)
    assert (paused.status, 0 < paused.epoch < LONG) == ("paused", True)
    assert shop.checkpointed(job_id) == paused.epoch == len(shop.curve(job_id))
    assert not shop.runner().run_one()
    with shop.database.write() as session:
        jobs.resume(session, TENANT, job_id)
    assert shop.runner("second").run_one()
    assert shop.statuses(job_id) == ["queued", "running", "paused", "queued", "running", "succeeded"]
    assert (shop.curve(job_id), shop.sha256_of_the_model(job_id)) == undisturbed


def test_a_pause_in_the_last_epoch_is_kept_and_the_resumed_job_ends_at_once(shop: Shop) -> None:
    job_id = shop.post(epochs=3)

    def pause() -> None:
        with shop.database.write() as session:
            jobs.pause(session, TENANT, job_id)

    shop.runner(blobs=BlobsThatCall(shop, pause)).run_one()
    assert shop.job(job_id).status == "paused"
    with shop.database.write() as session:
        jobs.resume(session, TENANT, job_id)
    assert shop.runner().run_one()
    assert shop.job(job_id).status == "succeeded"
    assert [row[0] for row in shop.curve(job_id)] == [1, 2, 3]


def test_a_stopping_process_hands_its_job_back_and_another_goes_on_bit_for_bit(
    shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], str]
) -> None:
    job_id = shop.post(epochs=LONG)
    stopping = shop.runner(board=HeartbeatBoard(1))
    with shop.training(stopping, job_id):
        stopping.board.stop()
    job = shop.job(job_id)
    assert (job.status, job.crashes, 0 < job.epoch < LONG) == ("queued", 0, True)
    assert shop.checkpointed(job_id) == job.epoch
    assert not stopping.run_one()
    assert shop.runner("second").run_one()
    assert shop.statuses(job_id) == ["queued", "running", "queued", "running", "succeeded"]
    assert (shop.curve(job_id), shop.sha256_of_the_model(job_id)) == undisturbed


def test_a_job_that_succeeds_takes_the_next_one_along(shop: Shop) -> None:
    first, second = shop.post(), shop.post()
    runner = shop.runner()
    assert runner.run_one()
    assert (shop.job(first).status, shop.job(second).status) == ("succeeded", "running")
    assert (runner.run_one(), runner.run_one()) == (True, False)
    assert shop.statuses(second) == ["queued", "running", "succeeded"]


def test_a_job_succeeds_though_the_next_one_cannot_be_claimed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = shop.post(), shop.post()
    runner = shop.runner()
    record_turn = fair_queue.record_turn

    def record_only_the_first(session: Session, job: Any) -> None:
        if job.job_id != first:
            raise MemoryError
        record_turn(session, job)

    with monkeypatch.context() as patched:
        patched.setattr(fair_queue, "record_turn", record_only_the_first)
        assert runner.run_one()
    assert (shop.job(first).status, shop.job(second).status) == ("succeeded", "queued")
    assert (runner.run_one(), shop.job(second).status) == (True, "succeeded")


def test_a_tenant_that_may_run_one_job_takes_its_next_along(shop: Shop) -> None:
    first, second = shop.post(), shop.post()
    runner = shop.runner(settings=shop.settings.model_copy(update={"max_running_jobs_per_tenant": 1}))
    assert runner.run_one()
    assert (shop.job(first).status, shop.job(second).status) == ("succeeded", "running")
    assert not shop.runner("second", settings=runner.settings).run_one()
    assert runner.run_one()


def test_of_an_end_that_went_unheard_the_job_taken_along_is_taken_up_again(shop: Shop) -> None:
    first, second = shop.post(), shop.post()
    database = Deaf(shop, SUCCEEDED)
    assert shop.runner(database=database).run_one()
    database.dispose()
    assert (shop.job(first).status, shop.job(second).status) == ("succeeded", "running")
    with shop.database.write() as session:
        session.execute(update(Job).where(Job.id == second).values(lease_expires_at=steady(-1)))
        assert rescue.rescue_expired(session, 30, 3) == [second]
    train_until_none_is_left(shop.runner("second"))
    assert shop.curve(first) == shop.curve(second)


def test_a_process_that_stops_hands_back_the_job_that_was_taken_along(
    shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], str]
) -> None:
    shop.post()
    job_id = shop.post(epochs=LONG)
    stopping = shop.runner(board=HeartbeatBoard(1))
    assert stopping.run_one()
    stopping.board.stop()
    train_until_none_is_left(stopping)
    assert (shop.job(job_id).status, shop.job(job_id).crashes) == ("queued", 0)
    assert shop.runner("second").run_one()
    assert (shop.curve(job_id), shop.sha256_of_the_model(job_id)) == undisturbed


def test_a_worker_that_lost_its_lease_drops_the_job_and_writes_nothing_more(
    shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], str]
) -> None:
    job_id = shop.post(epochs=LONG)
    with shop.training(shop.runner(), job_id), shop.database.write() as session:
        session.execute(update(Job).values(lease_expires_at=steady(-1)))
        assert rescue.rescue_expired(session, 30, 3) == [job_id]
        kept = session.get_one(Job, 1).epoch
    assert (shop.job(job_id).status, shop.job(job_id).crashes) == ("queued", 1)
    assert len(shop.curve(job_id)) == shop.job(job_id).epoch == kept < LONG
    assert shop.runner("second").run_one()
    assert (shop.curve(job_id), shop.sha256_of_the_model(job_id)) == undisturbed


def test_a_worker_past_its_own_deadline_writes_nothing(shop: Shop) -> None:
    job_id = shop.post()
    late = shop.settings.model_copy(update={"fence_seconds": 0.0})
    assert shop.runner(settings=late).run_one()
    assert (shop.job(job_id).status, shop.curve(job_id)) == ("running", [])


def test_checkpoints_are_kept_while_a_job_runs(shop: Shop) -> None:
    job_id = shop.post(epochs=ENDLESS)
    with shop.training(shop.runner(), job_id):
        wait_until(lambda: shop.checkpointed(job_id) is not None)
        assert 0 < (shop.checkpointed(job_id) or 0) <= shop.job(job_id).epoch
        with shop.database.write() as session:
            jobs.cancel(session, TENANT, job_id)


def test_the_lease_is_renewed_while_no_epoch_comes(shop: Shop) -> None:
    strict = shop.settings.model_copy(update={"heartbeat_seconds": 0.2, "fence_seconds": 1.0})
    job_id = shop.post()
    assert shop.runner(settings=strict, blobs=BlobsThatCall(shop, lambda: time.sleep(1.5))).run_one()
    assert shop.job(job_id).status == "succeeded"


def test_a_job_that_diverges_fails_and_keeps_the_epochs_before(shop: Shop) -> None:
    job_id = shop.post("petal_width", 500, optimizer={"name": "sgd", "learning_rate": 1e20, "momentum": 0.0})
    assert shop.runner().run_one()
    job = shop.job(job_id)
    assert (job.status, job.stop_reason, job.error_code) == ("failed", "error", "diverged")
    assert f"epoch {job.epoch + 1}" in (job.error_detail or "")
    assert "learning rate" in (job.error_detail or "").replace("_", " ")
    assert [row[0] for row in shop.curve(job_id)] == list(range(1, job.epoch + 1))


def test_an_error_nobody_foresaw_fails_the_job_and_leaves_the_worker_alive(shop: Shop) -> None:
    broken, sound = shop.post(), shop.post()
    called = []

    def fail_once() -> None:
        called.append(1)
        if len(called) == 1:
            raise RuntimeError("no such luck")

    train_until_none_is_left(shop.runner(blobs=BlobsThatCall(shop, fail_once)))
    assert (shop.job(broken).status, shop.job(broken).error_code) == ("failed", "internal_error")
    assert shop.job(sound).status == "succeeded"


@pytest.mark.parametrize(
    ("raised", "code"), [(MemoryError(), "out_of_memory"), (FileNotFoundError("table"), "internal_error")]
)
def test_what_a_machine_refuses_ends_the_job_with_a_code(shop: Shop, raised: BaseException, code: str) -> None:
    def refuse() -> None:
        raise raised

    job_id = shop.post()
    assert shop.runner(blobs=BlobsThatCall(shop, refuse)).run_one()
    assert (shop.job(job_id).status, shop.job(job_id).error_code) == ("failed", code)


def test_a_job_whose_turn_is_over_goes_behind_those_that_wait_and_goes_on_bit_for_bit(
    shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], str]
) -> None:
    long = shop.post(epochs=LONG)
    impatient = shop.settings.model_copy(update={"turn_seconds": 0.0})
    short: list[str] = []
    assert shop.runner(settings=impatient, blobs=BlobsThatCall(shop, lambda: short.append(shop.post()))).run_one()
    assert (shop.job(long).status, 0 < shop.job(long).epoch < LONG) == ("queued", True)
    runner = shop.runner()
    assert runner.run_one()
    assert (shop.job(short[0]).status, shop.job(long).status) == ("succeeded", "running")
    assert runner.run_one()
    assert "its turn is over, and others wait" in shop.reasons(long)
    assert (shop.curve(long), shop.sha256_of_the_model(long)) == undisturbed


def test_a_job_keeps_its_worker_when_its_turn_is_over_and_nobody_as_urgent_waits(shop: Shop) -> None:
    long = shop.post(epochs=ENDLESS)
    impatient = shop.runner(settings=shop.settings.model_copy(update={"turn_seconds": 0.0}))
    with shop.training(impatient, long):
        shop.post(priority=-1)
        time.sleep(1.5)
        assert shop.job(long).status == "running"
        with shop.database.write() as session:
            jobs.cancel(session, TENANT, long)


@pytest.mark.parametrize("asked", ["cancel", "pause"])
def test_what_is_asked_of_a_job_that_reads_its_table_is_done_within_seconds(shop: Shop, asked: str) -> None:
    job_id = shop.post()
    told: list[float] = []

    def ask_and_go_on_reading() -> None:
        with shop.database.write() as session:
            getattr(jobs, asked)(session, TENANT, job_id)
        wait_until(lambda: shop.job(job_id).status in ("cancelled", "paused"))
        told.append(1)

    assert shop.runner(blobs=BlobsThatCall(shop, ask_and_go_on_reading)).run_one()
    assert told
    assert shop.job(job_id).status == {"cancel": "cancelled", "pause": "paused"}[asked]


def test_a_job_past_the_services_deadline_fails(shop: Shop) -> None:
    job_id = shop.post(epochs=ENDLESS)
    strict = shop.settings.model_copy(update={"max_job_seconds": 0.5})
    assert shop.runner(settings=strict).run_one()
    job = shop.job(job_id)
    assert (job.status, job.error_code) == ("failed", "deadline_exceeded")
    assert [row[0] for row in shop.curve(job_id)] == list(range(1, job.epoch + 1))


class Away(Database):
    """A database that cannot be reached between two moments."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.away = threading.Event()

    @contextmanager
    def write(self) -> Iterator[Session]:
        if self.away.is_set():
            raise errors.Unavailable("the cable is cut")
        with super().write() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        if self.away.is_set():
            raise errors.Unavailable("the cable is cut")
        with super().read() as session:
            yield session


def test_a_worker_trains_on_while_the_database_is_away_and_loses_nothing(
    shop: Shop, undisturbed: tuple[list[tuple[Any, ...]], str]
) -> None:
    job_id = shop.post(epochs=LONG)
    database = Away(shop.settings.database_url)
    with shop.training(shop.runner(database=database), job_id):
        database.away.set()
        time.sleep(3)
        database.away.clear()
    database.dispose()
    assert (shop.job(job_id).status, shop.job(job_id).attempts) == ("succeeded", 1)
    assert (shop.curve(job_id), shop.sha256_of_the_model(job_id)) == undisturbed


def test_a_checkpoint_whose_writing_went_unheard_is_dropped_at_the_end(shop: Shop) -> None:
    job_id = shop.post(epochs=LONG // 5)
    database = Deaf(shop, CHECKPOINTED)
    with shop.training(shop.runner(database=database), job_id):
        wait_until(lambda: shop.checkpointed(job_id) is not None)
    database.dispose()
    assert (shop.job(job_id).status, shop.checkpointed(job_id)) == ("succeeded", None)


def test_a_worker_drops_its_job_when_the_database_stays_away(shop: Shop) -> None:
    job_id = shop.post(epochs=LONG)
    database = Away(shop.settings.database_url)
    strict = shop.settings.model_copy(update={"fence_seconds": 1.0})
    with shop.training(shop.runner(database=database, settings=strict), job_id):
        database.away.set()
    database.dispose()
    assert shop.job(job_id).status == "running"  # until its lease runs out


def test_a_worker_waits_for_a_database_that_is_away(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path).with_defaults()
    database = Database(settings.database_url)  # has no tables yet
    runner = Runner("early", settings, database, Blobs(settings.blobs_url, tmp_path / "scratch"))
    waiting = threading.Thread(target=train_until_none_is_left, args=(runner,))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    migrate(settings)
    waiting.join(60)
    assert not waiting.is_alive()
    database.dispose()
