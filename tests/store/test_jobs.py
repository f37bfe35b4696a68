"""Jobs as clients manage and read them: requests, pages, versions and epochs."""

import struct
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from backpropd import errors
from backpropd.store import datasets, epochs, job_comparison, job_versions, jobs, sizes
from backpropd.store.scheduling import claims, job_endings, leases
from backpropd.store.sql.database import Database
from tests.migrated import sqlite
from tests.store.conftest import (
    MODEL,
    TENANT,
    a_claimed_job,
    a_dataset,
    a_job,
    an_epoch,
    claim_next,
    epochs_of,
    read,
    write,
    write_epochs,
)


def test_only_a_finished_job_can_be_deleted(database: Database) -> None:
    job = a_job(database)
    with pytest.raises(errors.Conflict):
        write(database, jobs.delete, TENANT, job.id)
    with database.write() as session:
        jobs.cancel(session, TENANT, job.id)
        jobs.delete(session, TENANT, job.id)
    with pytest.raises(errors.NotFound):
        read(database, jobs.get, TENANT, job.id)


def test_a_cancelled_job_never_ends_succeeded(database: Database) -> None:
    job, claim = a_claimed_job(database)
    write(database, jobs.cancel, TENANT, job.id)
    with database.write() as session:
        assert leases.renew(session, claim, 30, 1.0) == "cancel"
        assert job_endings.succeed(session, claim, "epochs", MODEL, [an_epoch(1)]) == ("cancelled", None)
    cancelled = read(database, jobs.get, TENANT, job.id)
    assert (cancelled.epoch, cancelled.model_id, epochs_of(database, job)) == (1, None, [1])
    with pytest.raises(errors.Conflict, match="already cancelled"):
        write(database, jobs.cancel, TENANT, job.id)


def test_a_paused_job_is_not_claimed_until_it_is_resumed(database: Database) -> None:
    job, claim = a_claimed_job(database)
    write(database, jobs.pause, TENANT, job.id)
    write_epochs(database, claim, [1], (1, b"one"))
    assert write(database, job_endings.apply_request, claim) == "paused"
    assert claim_next(database) is None
    write(database, jobs.resume, TENANT, job.id)
    assert read(database, claims.resume_point, claim_next(database)).checkpoint == b"one"


def test_a_job_records_a_limited_number_of_transitions_and_always_its_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_TRANSITIONS", 20)  # instead of a thousand
    monkeypatch.setattr(jobs, "_insert_transitions", jobs._insert_transitions.__wrapped__)  # not those of the cache
    job = a_job(database)
    with database.write() as session:
        for _ in range(jobs.MAX_TRANSITIONS // 2 + 2):
            jobs.pause(session, TENANT, job.id)
            jobs.resume(session, TENANT, job.id)
        before = jobs.get(session, TENANT, job.id).own_bytes
        ended = jobs.cancel(session, TENANT, job.id)
        recorded = [step.status for step in jobs.transitions(session, [ended])[job.number]]
    assert recorded == ["queued", *["paused", "queued"] * (jobs.MAX_TRANSITIONS // 2), "cancelled"]
    assert (before - job.own_bytes, ended.own_bytes - before) == (
        sizes.TRANSITION * jobs.MAX_TRANSITIONS,
        sizes.TRANSITION,
    )


def test_a_pause_request_can_be_withdrawn_before_it_is_carried_out(database: Database) -> None:
    job, claim = a_claimed_job(database)
    write(database, jobs.pause, TENANT, job.id)
    assert write(database, jobs.resume, TENANT, job.id).status == "running"
    assert write(database, job_endings.apply_request, claim) == "queued"


def test_the_versions_of_several_jobs_are_read_and_a_deleted_job_is_left_out(database: Database) -> None:
    (first, claim), second = a_claimed_job(database), a_job(database)
    write_epochs(database, claim, [1])
    with database.read_connection() as connection:
        found = job_versions.read(connection, [first.id, second.id, "job_gone"])
        assert job_versions.read(connection, []) == {}
    assert found == {first.id: ("running", claim.fencing_token, 1), second.id: ("queued", 0, 0)}


def test_a_tenant_cannot_read_the_rows_of_another(database: Database) -> None:
    job = a_job(database)
    for get, id in ((jobs.get, job.id), (datasets.get, job.dataset_id)):
        with pytest.raises(errors.NotFound):
            read(database, get, "other", id)
    assert read(database, jobs.list_page, "other", 10, None, None, None).rows == []


def test_pages_are_newest_first_and_complete(database: Database) -> None:
    dataset_id = a_dataset(database)
    submitted = []
    for _ in range(5):
        submitted.append(a_job(database, dataset_id=dataset_id).id)
        time.sleep(0.002)
    assert submitted == sorted(submitted)
    assert len({len(id) for id in submitted}) == 1
    listed, cursor = [], None
    while not listed or cursor is not None:
        page = read(database, jobs.list_page, TENANT, 2, cursor, None, None)
        listed += [job.id for job in page.rows]
        cursor = page.next_cursor
    assert listed == submitted[::-1]


def test_a_damaged_row_is_left_out_of_pages_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = Database(sqlite(tmp_path / "damaged.db"))
    dataset_id = a_dataset(database)
    ids = sorted((a_job(database, dataset_id=dataset_id).id for _ in range(7)), reverse=True)
    damaged = [ids[0], ids[2], ids[3], ids[6]]
    with database.write() as session:
        for id, value in zip(damaged, (b"{", b"\xff\xfe") * 2, strict=True):
            damage = text("UPDATE jobs SET warnings = CAST(:value AS TEXT) WHERE id = :id")
            session.execute(damage, {"value": value, "id": id})
    for limit in (1, 2, 3, 7):
        listed, cursor = [], None
        while page := read(database, jobs.list_page, TENANT, limit, cursor, None, None):
            listed += [job.id for job in page.rows]
            if (cursor := page.next_cursor) is None:
                break
        assert listed == [id for id in ids if id not in damaged]
    assert all(id in caplog.text for id in damaged)
    database.dispose()


def test_an_epoch_is_read_as_it_was_written(database: Database) -> None:
    job, claim = a_claimed_job(database)
    metrics = {"accuracy": 0.1, "r2": -1e-05, "whole": 3.0, "large": 1e300}
    written = [{**an_epoch(1), "metrics": metrics, "validation_loss": 0.5}, {**an_epoch(2), "validation_metrics": {}}]
    write(database, leases.write_epochs, claim, written, 30, 1.0)
    rows = read(database, epochs.after, job.number, 0, 10)
    assert [dict(zip(epochs.FIELDS, row, strict=True)) for row in rows] == written
    assert read(database, epochs.thinned, job.number, 10) == rows


def test_losses_are_stored_bit_for_bit_and_existing_epochs_stay(database: Database) -> None:
    job = a_job(database)
    losses = [5e-324, 2.2250738585072014e-308, 0.1, 2 / 3, 1e22, 1.7976931348623157e308]
    for rows in ([an_epoch(n, loss) for n, loss in enumerate(losses, 1)], [an_epoch(2, 7.0)]):
        write(database, epochs.add, job.number, TENANT, rows)
    found = [row.loss for row in read(database, epochs.after, job.number, 0, 10)]
    assert struct.pack("6d", *found) == struct.pack("6d", *losses)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_and_infinity_are_rejected_and_not_stored_as_null(database: Database, number: float) -> None:
    job = a_job(database)
    with pytest.raises((ValueError, StatementError), match="JSON compliant"):
        write(database, epochs.add, job.number, TENANT, [{**an_epoch(1), "metrics": {"accuracy": number}}])


def test_losses_are_those_of_the_last_stored_epoch_until_then(database: Database) -> None:
    job, other = a_job(database), a_job(database)
    for owner, numbers in ((job, (2, 3, 7)), (other, range(1, 9))):
        rows = [{**an_epoch(n, loss=n / 3), "validation_loss": n / 7} for n in numbers]
        write(database, epochs.add, owner.number, TENANT, rows)
    found = read(database, job_comparison.losses, job.number, [1, 2, 5, 7, 8])
    assert {epoch: row.loss for epoch, row in found.items()} == {2: 2 / 3, 5: 1.0, 7: 7 / 3, 8: 7 / 3}
    assert found[5].validation_loss == 3 / 7
    assert read(database, job_comparison.losses, job.number, []) == {}


def test_a_thinned_curve_contains_the_first_the_last_and_the_smallest_loss(database: Database) -> None:
    job = a_job(database)
    rows = [an_epoch(n, loss=0.1 if n == 777 else 1.0 + n) for n in range(1, 1001)]
    write(database, epochs.add, job.number, TENANT, rows)
    numbers = [row.epoch for row in read(database, epochs.thinned, job.number, 50)]
    assert (numbers[0], numbers[-1], 777 in numbers) == (1, 1000, True)
    assert 45 <= len(numbers) <= 50
