"""One job on one worker: trained to its end, with the next one claimed."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from backpropd.store import jobs
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import fair_queue
from tests.worker.conftest import ENDLESS, TENANT, Stores, wait_until
from tests.worker.faulty_stores import BlobsWithCallback
from worker.tasks import train_until_queue_is_empty


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


def test_a_refit_and_an_ensemble_of_a_remote_table_equal_those_of_a_local_one(stores: Stores, tmp_path: Path) -> None:
    remote = Blobs("memory://refits", tmp_path / "remote" / "scratch")
    with stores.blobs.local_path(stores.sha256, "the table") as path:
        remote.put(path)
    for ensemble_size in (1, 3):
        results = []
        for blobs in (stores.blobs, remote):
            job_id = stores.post(early_stopping={"patience": 100}, refit=True, ensemble_size=ensemble_size)
            assert stores.runner(blobs=blobs).run_one()
            assert stores.job(job_id).status == "succeeded"
            results.append((stores.curve(job_id), stores.model_sha256(job_id)))
        assert results[0] == results[1]
    assert list(remote.scratch.iterdir()) == []  # no copy of the table is left


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
    record_turn = fair_queue.record_turn

    def record_first_only(session: Session, job: Any) -> None:
        if job.job_id != first:
            raise MemoryError
        record_turn(session, job)

    with monkeypatch.context() as patched:
        patched.setattr(fair_queue, "record_turn", record_first_only)
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


def test_checkpoints_are_stored_while_a_job_runs(stores: Stores) -> None:
    job_id = stores.post(epochs=ENDLESS)
    with stores.training(stores.runner(), job_id):
        wait_until(lambda: stores.checkpoint_epoch(job_id) is not None)
        assert 0 < (stores.checkpoint_epoch(job_id) or 0) <= stores.job(job_id).epoch
        with stores.database.write() as session:
            jobs.cancel(session, TENANT, job_id)


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
