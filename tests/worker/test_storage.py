"""What a job stores: a curve that is thinned as it grows, and no more than its tenant's quota."""

from typing import Any

import pytest
from sqlalchemy import event

from backpropd.store import jobs, models, sizes, usage
from backpropd.store.curve_buckets import MAX_EPOCHS, bucket_size
from tests.store.conftest import write
from tests.worker.conftest import ENDLESS, TENANT, Stores
from worker.heartbeat_board import HeartbeatBoard

QUICK = {"target": "species", "network": {"kind": "perceptron"}, "validation_fraction": 0.2}


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """Curves are thinned from 1000 epochs on."""
    for module in ("backpropd.store.curve_buckets", "backpropd.store.sizes", "worker.epoch_writer"):
        monkeypatch.setattr(f"{module}.MAX_EPOCHS", 1000)
    return 1000


def test_a_curve_is_thinned_while_it_grows_and_equal_after_an_interruption(stores: Stores, short_limit: int) -> None:
    whole = stores.post(epochs=5000, **QUICK)
    assert stores.runner().run_one()
    interrupted = stores.post(epochs=5000, **QUICK)
    stopping = stores.runner(board=HeartbeatBoard(1))
    with stores.training(stopping, interrupted):
        stopping.board.stop()
    while stores.runner().run_one():
        pass
    curve = stores.curve(whole)
    assert stores.curve(interrupted) == curve
    numbers = [row[0] for row in curve]
    assert (numbers[0], numbers[-1], len(numbers) <= short_limit) == (1, 5000, True)
    assert stores.job(whole).epoch == 5000
    assert bucket_size(5000) == 32


def test_no_transaction_writes_many_epochs_and_so_keeps_others_waiting(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.epoch_writer.MAX_ROWS", 100)
    rows: list[int] = []

    def count(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith("INSERT INTO epochs"):
            rows[-1] += len(parameters) if many else 1

    event.listen(stores.database.engine, "begin", lambda _: rows.append(0))
    event.listen(stores.database.engine, "before_cursor_execute", count)
    job_id = stores.post(epochs=5000, **QUICK)
    all_at_the_end = stores.settings.model_copy(update={"flush_seconds": 3600.0, "checkpoint_seconds": 3600.0})
    assert stores.runner(settings=all_at_the_end).run_one()
    assert len(stores.curve(job_id)) == sum(rows) == 5000
    assert max(rows) == 100


def test_epochs_count_in_the_quota_while_a_job_runs_and_a_full_quota_ends_it_with_the_reason(stores: Stores) -> None:
    with stores.database.read() as session:
        used = usage.stored_bytes(session, TENANT)
    full = stores.settings.model_copy(update={"max_tenant_bytes": used + 300 * sizes.EPOCH, "checkpoint_seconds": 0.0})
    job_id = stores.post(epochs=ENDLESS)
    assert stores.runner(settings=full).run_one()
    job = stores.job(job_id)
    assert (job.status, job.stop_reason, job.error_code) == ("failed", "error", "storage_full")
    assert "delete some" in (job.error_detail or "")
    assert [row[0] for row in stores.curve(job_id)] == list(range(1, job.epoch + 1))
    assert job.stored_bytes >= sizes.EPOCH * min(job.epoch, MAX_EPOCHS)


def test_a_model_that_exceeds_the_quota_ends_its_job_with_the_reason(stores: Stores) -> None:
    job_id = stores.post(epochs=2, hidden=[{"units": 300}, {"units": 300}])
    with stores.database.read() as session:
        used = usage.stored_bytes(session, TENANT)
    almost = stores.settings.model_copy(update={"max_tenant_bytes": used + 100_000})
    assert stores.runner(settings=almost).run_one()
    assert (stores.job(job_id).status, stores.job(job_id).error_code) == ("failed", "storage_full")


def test_everything_counts_and_deletion_gives_it_back(stores: Stores) -> None:
    def used() -> int:
        with stores.database.read() as session:
            return usage.stored_bytes(session, TENANT)

    before = used()
    job_id = stores.post(epochs=50)
    queued = used()
    assert stores.runner().run_one()
    job = stores.job(job_id)
    assert before < queued < used()
    assert job.stored_bytes == job.own_bytes + 50 * sizes.EPOCH
    write(stores.database, jobs.delete, TENANT, job_id)
    write(stores.database, models.delete, TENANT, job.model_id)
    assert used() == before
