"""A job that is stopped: cancelled, paused, handed back, or out of turn; it continues bit for bit."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from backpropd.store import jobs
from tests.worker.conftest import ENDLESS, LONG, TENANT, Stores, wait_until
from tests.worker.faulty_stores import BlobsWithCallback, HoldsAfterWrite
from worker import epoch_writer
from worker.heartbeat_board import HeartbeatBoard
from worker.tasks import train_until_queue_is_empty

EPOCHS_BEFORE_REFIT = 60


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


def test_a_job_whose_turn_is_over_yields_to_waiting_jobs_and_continues_bit_for_bit(
    stores: Stores, uninterrupted: tuple[list[tuple[Any, ...]], str]
) -> None:
    long = stores.post(epochs=LONG)
    short: list[str] = []
    no_turn = stores.settings.model_copy(update={"turn_seconds": 0.0})
    database = HoldsAfterWrite(stores, lambda: stores.job(long).epoch > 0, lambda: short.append(stores.post()))
    assert stores.runner(settings=no_turn, database=database).run_one()
    job = stores.job(long)
    assert (job.status, 0 < job.epoch < LONG) == ("queued", True)
    assert stores.checkpoint_epoch(long) == job.epoch
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


def post_with_refit(stores: Stores) -> str:
    """A job that improves until its last epoch, so that its refit has as many."""
    stopping = {"early_stopping": {"monitor": "loss", "patience": EPOCHS_BEFORE_REFIT}, "refit": True}
    options = {"validation_fraction": 0.2, "optimizer": {"name": "sgd", "learning_rate": 0.0005}, "batch_size": 4}
    return stores.post(epochs=EPOCHS_BEFORE_REFIT, **options, **stopping)


@pytest.fixture(scope="module")
def uninterrupted_refit(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model's sha256 of the job with a refit without interruption."""
    stores = Stores(tmp_path_factory.mktemp("refit"))
    job_id = post_with_refit(stores)
    assert stores.runner().run_one()
    sha256 = stores.model_sha256(job_id)
    stores.database.dispose()
    return sha256


def during_refit(stores: Stores, job_id: str, action: Callable[[], Any], **changes: Any) -> None:
    """Run a runner whose job is held after a checkpoint of its refit, until it has seen what the action did."""
    database = HoldsAfterWrite(stores, lambda: stores.refitted_epochs(job_id) > 2, action)
    assert stores.runner("held", database=database, **changes).run_one()
    assert database.held


@pytest.fixture
def checkpoint_after_each_epoch(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_writer, "MAX_CHECKPOINT_SHARE", float("inf"))
    stores.settings = stores.settings.model_copy(update={"checkpoint_seconds": 0.0})


@pytest.mark.usefixtures("checkpoint_after_each_epoch")
def test_a_cancel_during_the_refit_ends_the_job(stores: Stores) -> None:
    job_id = post_with_refit(stores)
    during_refit(stores, job_id, lambda: stores.change(jobs.cancel, job_id))
    assert (stores.job(job_id).status, stores.job(job_id).model_id) == ("cancelled", None)


@pytest.mark.usefixtures("checkpoint_after_each_epoch")
@pytest.mark.parametrize("reason", ["pause", "shutdown", "turn over", "crash"])
def test_a_job_stopped_in_its_refit_continues_it_bit_for_bit(
    stores: Stores, uninterrupted_refit: str, reason: str
) -> None:
    job_id, board = post_with_refit(stores), HeartbeatBoard(1)
    actions: dict[str, Callable[[], Any]] = {
        "pause": lambda: stores.change(jobs.pause, job_id),
        "shutdown": board.stop,
        "turn over": stores.post,
        "crash": lambda: stores.lose(job_id),
    }
    settings = stores.settings.model_copy(update={"turn_seconds": 0.0 if reason == "turn over" else 1000.0})
    during_refit(stores, job_id, actions[reason], board=board, settings=settings)
    assert stores.job(job_id).status == ("paused" if reason == "pause" else "queued")
    before = stores.refitted_epochs(job_id)
    assert 0 < before < EPOCHS_BEFORE_REFIT
    if reason == "pause":
        stores.change(jobs.resume, job_id)
    runner = stores.runner("second")
    while stores.job(job_id).status != "succeeded":
        assert runner.run_one()
    assert stores.model_sha256(job_id) == uninterrupted_refit
    assert [row[0] for row in stores.curve(job_id)] == list(range(1, EPOCHS_BEFORE_REFIT + 1))
