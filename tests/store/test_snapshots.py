"""Snapshots in the store: written under the fencing token, counted in the quota, deleted with later epochs, paged."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from backpropd import errors
from backpropd.store import jobs, sizes, snapshots, tenant_export, usage
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import job_endings, leases, rescue, submission
from backpropd.store.scheduling.claims import Claim
from backpropd.store.scheduling.submission import Fork
from backpropd.store.snapshots import StoredSnapshot
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Checkpoint, Job, Snapshot
from tests.store.conftest import (
    JOB,
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
)

SIZE = sizes.SNAPSHOT + 3 + 4  # of a snapshot as these tests write them


def write_snapshots(
    database: Database, claim: Claim, numbers: list[int], checkpoint: tuple[int, bytes] | None = None
) -> None:
    """Write these epochs with a snapshot of each."""
    rows = [an_epoch(number) for number in numbers if number]
    stored = [StoredSnapshot(number, b"the", b"rest") for number in numbers]
    write(database, leases.write_epochs, claim, rows, 30, 1.0, checkpoint, snapshots=stored)


def stored_epochs(database: Database, job: Job) -> list[int]:
    return [row.epoch for row in read(database, snapshots.weights, job.number, -1, 1000)]


def counted(database: Database, job: Job) -> tuple[int, int]:
    """The bytes of its snapshots as the job counts them, and all that it stores beyond its description."""
    row = read(database, jobs.get, TENANT, job.id)
    return row.snapshot_bytes, row.stored_bytes - row.own_bytes


def test_snapshots_are_written_with_their_epochs_under_the_fencing_token(database: Database) -> None:
    job, claim = a_claimed_job(database)
    write_snapshots(database, claim, [0, 1, 2])
    assert (stored_epochs(database, job), epochs_of(database, job)) == ([0, 1, 2], [1, 2])
    write(database, job_endings.hand_back, claim, "handed back")
    with pytest.raises(errors.LeaseLost):
        write_snapshots(database, claim, [3])
    assert stored_epochs(database, job) == [0, 1, 2]


def test_a_repeated_transaction_counts_its_snapshots_once(database: Database) -> None:
    job, claim = a_claimed_job(database)
    for _ in range(2):
        write_snapshots(database, claim, [0, 1, 2])
    assert counted(database, job)[0] == 3 * SIZE
    assert read(database, usage.stored_bytes, TENANT) > 3 * SIZE


def test_bytes_are_counted_at_a_checkpoint_and_at_every_end(database: Database) -> None:
    job, claim = a_claimed_job(database)
    write_snapshots(database, claim, [0, 1, 2], (2, b"state"))
    assert counted(database, job) == (3 * SIZE, 3 * SIZE + 2 * sizes.EPOCH + 5)
    write(database, job_endings.succeed, claim, "epochs", MODEL, [an_epoch(3)])
    assert counted(database, job) == (3 * SIZE, 3 * SIZE + 3 * sizes.EPOCH)
    cancelled, claim = a_claimed_job(database)
    write_snapshots(database, claim, [0, 1])
    write(database, job_endings.fail, claim, "diverged", "it did")
    assert counted(database, cancelled) == (2 * SIZE, 2 * SIZE + sizes.EPOCH)


def test_a_claim_deletes_the_snapshots_after_the_checkpoint(database: Database) -> None:
    job, claim = a_claimed_job(database)
    write_snapshots(database, claim, [0, 1, 2], (2, b"state"))
    write_snapshots(database, claim, [3, 4])
    write(database, rescue.rescue_dead, lambda _: False, 3)
    assert counted(database, job)[0] == 5 * SIZE
    claim_next(database)
    assert stored_epochs(database, job) == [0, 1, 2]
    assert counted(database, job) == (3 * SIZE, 3 * SIZE + 2 * sizes.EPOCH + 5)


def test_a_claim_without_a_checkpoint_deletes_them_all(database: Database) -> None:
    job, claim = a_claimed_job(database)
    write_snapshots(database, claim, [0, 1])
    write(database, rescue.rescue_dead, lambda _: False, 3)
    claim_next(database)
    assert (stored_epochs(database, job), counted(database, job)[0]) == ([], 0)


def test_snapshots_are_deleted_with_their_job(database: Database) -> None:
    job, claim = a_claimed_job(database)
    write_snapshots(database, claim, [0, 1])
    write(database, job_endings.fail, claim, "diverged", "it did")
    write(database, jobs.delete, TENANT, job.id)
    assert read(database, lambda session: session.scalar(select(func.count()).select_from(Snapshot))) == 0


def test_the_export_of_a_tenant_has_its_snapshots(database: Database, tmp_path: Path) -> None:
    job, claim = a_claimed_job(database)
    write_snapshots(database, claim, [0, 1])
    blobs = Blobs(str(tmp_path / "blobs"), tmp_path / "scratch")
    tenant_export.export(database, blobs, TENANT, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.read(f"snapshots/{job.number}-1.weights.safetensors") == b"the"
        rows = [json.loads(line) for line in archive.read("snapshots.jsonl").splitlines()]
    assert [(row["epoch"], row["bytes"]) for row in rows] == [(0, SIZE), (1, SIZE)]


def test_a_page_ends_at_the_limit_or_when_its_parameters_have_enough_bytes(database: Database) -> None:
    job, claim = a_claimed_job(database)
    sized = [StoredSnapshot(number, b"x" * size, b"") for number, size in enumerate([10, 20, 30, 500, 1])]
    write(database, leases.write_epochs, claim, [], 30, 1.0, snapshots=sized)

    def page(after: int, limit: int, most: int) -> Any:
        found = read(database, snapshots.page, job.number, after, limit, most)
        rows = read(database, snapshots.weights, job.number, after, found.last)
        assert found.bytes == sum(len(row.weights) for row in rows)
        return [row.epoch for row in rows], found.has_more

    assert page(-1, 2, 1000) == ([0, 1], True)
    assert page(-1, 9, 60) == ([0, 1, 2], True)
    assert page(2, 9, 60) == ([3], True)  # at least one, however large
    assert page(3, 9, 60) == ([4], False)
    assert page(4, 9, 60) == ([], False)
    assert page(-1, 5, 1000) == ([0, 1, 2, 3, 4], False)


def test_the_nearest_snapshots_are_those_before_and_after(database: Database) -> None:
    job, claim = a_claimed_job(database)
    assert read(database, snapshots.nearest, job.number, 3) == []
    write_snapshots(database, claim, [0, 4, 8])
    assert [read(database, snapshots.nearest, job.number, epoch) for epoch in (3, 9)] == [[0, 4], [8]]
    assert read(database, snapshots.get, job.number, 4) == StoredSnapshot(4, b"the", b"rest")
    assert read(database, snapshots.get, job.number, 5) is None


# ── forks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_fork(database: Database, epoch: int = 5) -> Job:
    first = StoredSnapshot(epoch, b"the", b"rest")
    fork = Fork("job_parent", epoch, b"state", first)
    return write(database, submission.submit, TENANT, dataset_id=a_dataset(database), fork=fork, **JOB).job


def test_a_fork_is_claimed_with_its_checkpoint_at_its_first_attempt(database: Database) -> None:
    job = a_fork(database)
    shown = read(database, jobs.get, TENANT, job.id)
    assert (shown.parent_job_id, shown.parent_epoch, shown.epoch) == ("job_parent", 5, 5)
    assert counted(database, job) == (SIZE, SIZE + 5)
    claim = claim_next(database)
    assert (claim.job_id, claim.attempt, claim.checkpointed) == (job.id, 1, True)
    assert stored_epochs(database, job) == [5]
    write(database, rescue.rescue_dead, lambda _: False, 3)
    again = claim_next(database)
    assert (again.attempt, again.checkpointed, read(database, jobs.get, TENANT, job.id).epoch) == (2, True, 5)


def test_a_fork_counts_the_epochs_of_its_own(database: Database) -> None:
    job = a_fork(database)
    claim = claim_next(database)
    write_snapshots(database, claim, [6, 7], (7, b"longer state"))
    assert counted(database, job) == (3 * SIZE, 3 * SIZE + 2 * sizes.EPOCH + 12)
    write(database, job_endings.succeed, claim, "epochs", MODEL, [an_epoch(8)])
    assert counted(database, job) == (3 * SIZE, 3 * SIZE + 3 * sizes.EPOCH)
    assert read(database, usage.progress, TENANT) == ({"succeeded": 1}, 3)
    assert read(database, lambda session: session.get(Checkpoint, job.number)) is None


def test_an_ordinary_job_has_no_parent(database: Database) -> None:
    job = read(database, jobs.get, TENANT, a_job(database).id)
    assert (job.parent_job_id, job.parent_epoch, job.snapshot_bytes) == (None, None, 0)
