"""Damaged rows, blobs and checkpoints: the job that needs one fails with a clear error, and the next one runs."""

from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from backpropd.store import jobs
from backpropd.store.sql.schema import Checkpoint, Job
from tests.worker.conftest import LONG, TENANT, Stores
from worker.tasks import train_until_queue_is_empty

pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.tasks.RETRY_SECONDS", 0.01)


def error_of(stores: Stores, job_id: str) -> tuple[str, str]:
    """The code and the text of a failed job."""
    with stores.database.read() as session:
        row = session.execute(
            text("SELECT status, error_code, error_detail FROM jobs WHERE id = :id"), {"id": job_id}
        ).one()
    assert row.status == "failed"
    return row.error_code, row.error_detail


def blob(stores: Stores) -> Path:
    return stores.blobs.folder / stores.sha256[:2] / stores.sha256


@pytest.mark.parametrize(("column", "value"), [("spec", "{"), ("spec", b"\xff\xfe"), ("name", b"\xff\xfe")])
def test_a_job_whose_row_cannot_be_read_fails_and_the_next_one_runs(
    stores: Stores, column: str, value: str | bytes
) -> None:
    bad, good = stores.post(), stores.post()
    with stores.database.write() as session:
        cast = f"UPDATE jobs SET {column} = CAST(:value AS TEXT) WHERE id = :id"
        session.execute(text(cast), {"value": value, "id": bad})
    train_until_queue_is_empty(stores.runner())
    assert error_of(stores, bad)[0] == "job_damaged"
    assert stores.job(good).status == "succeeded"


def test_a_damaged_blob_fails_its_job_and_names_the_dataset(stores: Stores) -> None:
    job_id = stores.post()
    content = blob(stores).read_bytes()
    blob(stores).write_bytes(content[:100] + b"\x00\x01" + content[102:])
    train_until_queue_is_empty(stores.runner())
    code, detail = error_of(stores, job_id)
    assert code == "blob_damaged"
    assert stores.dataset_id in detail


def test_a_missing_blob_fails_its_job_and_names_the_dataset(stores: Stores) -> None:
    job_id = stores.post()
    blob(stores).unlink()
    train_until_queue_is_empty(stores.runner())
    code, detail = error_of(stores, job_id)
    assert code == "blob_missing"
    assert stores.dataset_id in detail


def test_a_dataset_whose_row_is_gone_fails_its_job(stores: Stores) -> None:
    job_id = stores.post()
    with stores.database.write() as session:
        session.execute(update(Job).values(dataset_id="ds_gone"))
    train_until_queue_is_empty(stores.runner())
    assert error_of(stores, job_id) == (
        "blob_missing",
        "the dataset ds_gone is missing: upload it again, and post the job anew",
    )


def test_the_row_of_a_damaged_dataset_fails_its_job(stores: Stores) -> None:
    job_id = stores.post()
    with stores.database.write() as session:
        session.execute(text("UPDATE datasets SET columns = '['"))
    train_until_queue_is_empty(stores.runner())
    assert error_of(stores, job_id)[0] == "job_damaged"


@pytest.mark.parametrize("at", [3, 20, 60, -1])
def test_a_damaged_checkpoint_fails_its_job(stores: Stores, at: int) -> None:
    job_id = stores.post(epochs=LONG)
    with stores.training(stores.runner(), job_id), stores.database.write() as session:
        jobs.pause(session, TENANT, job_id)
    with stores.database.write() as session:
        data = bytearray(session.scalar(select(Checkpoint.data)) or b"")
        data[at] ^= 1
        session.execute(update(Checkpoint).values(data=bytes(data)))
        jobs.resume(session, TENANT, job_id)
    train_until_queue_is_empty(stores.runner())
    code, detail = error_of(stores, job_id)
    assert code == "blob_damaged"
    assert "damaged" in detail


def test_a_reason_names_no_worker(stores: Stores) -> None:
    job_id = stores.post()
    train_until_queue_is_empty(stores.runner("host-12ab/345/678"))
    assert not [reason for reason in stores.reasons(job_id) if "host" in reason]


def test_an_unexpected_error_is_in_the_log_and_not_in_the_job(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    job_id = stores.post()
    with stores.database.write() as session:
        session.execute(text("UPDATE jobs SET spec = '{}'"))
    train_until_queue_is_empty(stores.runner())
    code, detail = error_of(stores, job_id)
    assert code == "internal_error"
    assert "KeyError" not in detail
    assert "unexpected error" in caplog.text
