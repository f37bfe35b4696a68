"""What must hold in the database when all jobs have ended, whatever happened to the processes."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from threadpoolctl import threadpool_limits

from backpropd import learn
from backpropd.config import Settings
from backpropd.store import jobs
from backpropd.store.blobs import Blobs
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Checkpoint, Dataset, Epoch, Job, Model, Snapshot
from backpropd.store.status import ALLOWED_TRANSITIONS, TERMINAL, Status

CURVE = ("epoch", "loss", "validation_loss", "metrics", "validation_metrics", "gradient_norm", "learning_rate")


class Result(NamedTuple):
    """A job's curve, the hash of its weights, and why it stopped."""

    curve: list[dict[str, Any]]
    sha256: str
    stop_reason: str


def result(database: Database, job_id: str) -> Result:
    """The stored result of a succeeded job."""
    with database.read() as session:
        job = session.scalars(select(Job).where(Job.id == job_id)).one()
        rows = session.scalars(select(Epoch).where(Epoch.job_number == job.number).order_by(Epoch.epoch))
        curve = [{name: getattr(row, name) for name in CURVE} for row in rows]
        sha256 = session.scalars(select(Model.sha256).where(Model.job_id == job_id)).one()
        return Result(curve, sha256, job.stop_reason or "")


def uninterrupted(database: Database, settings: Settings, job_id: str) -> Result:
    """The result of the same spec, trained in this process without a fault."""
    with database.read() as session:
        job = session.scalars(select(Job).where(Job.id == job_id)).one()
        table = session.scalars(select(Dataset).where(Dataset.id == job.dataset_id)).one()
    key = json.dumps([job.spec, table.sha256])
    if key not in _results:
        blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
        with blobs.local_path(table.sha256, "the table") as path:
            _results[key] = _trained(job.spec, table.columns, path)
    return _results[key]


_results: dict[str, Result] = {}  # of all clusters, by the spec and the table


@threadpool_limits.wrap(limits=1)  # as in a worker: the last bits of a product depend on the number of threads
def _trained(spec: dict[str, Any], columns: list[dict[str, Any]], path: Path) -> Result:
    source = learn.Source(learn.columns_from_json(columns), path)
    run = learn.Run(learn.spec_from_json(spec), source, None, np.zeros(1, np.int8))
    curve = [dict(zip(CURVE, epoch, strict=False)) for chunk in run.epoch_chunks() for epoch in chunk]
    return Result(curve, run.model()["sha256"], run.stop_reason or "")


def assert_uninterrupted(database: Database, settings: Settings, job_ids: Sequence[str]) -> None:
    """Each of these jobs has, bit for bit, the result that it would have without a fault."""
    for job_id in job_ids:
        found, expected = result(database, job_id), uninterrupted(database, settings, job_id)
        assert [row["epoch"] for row in found.curve] == list(range(1, len(expected.curve) + 1)), job_id
        different = [pair for pair in zip(found.curve, expected.curve, strict=True) if pair[0] != pair[1]]
        assert not different, f"{job_id} differs in {len(different)} epochs, first in {different[0]}"
        assert found == expected, job_id


def assert_consistent(database: Database, settings: Settings) -> None:
    """Jobs made only allowed transitions and ended at most once; ended jobs have no lease and no checkpoint; epochs are
    contiguous; snapshots are those that are due; every dataset has its blob; and the database is not corrupt."""
    with database.read() as session:
        for job in session.scalars(select(Job)):
            steps = [each.status for each in jobs.transitions(session, [job])[job.number]]
            assert_allowed_transitions(job.id, steps)
            assert steps[-1] == job.status, job.id
            models = session.scalars(select(Model.id).where(Model.job_id == job.id)).all()
            assert models == ([job.model_id] if job.status == Status.SUCCEEDED else []), job.id
            assert job.attempts == steps.count(Status.RUNNING) <= job.fencing_token, job.id
            low, high, count = session.execute(
                select(func.min(Epoch.epoch), func.max(Epoch.epoch), func.count()).where(Epoch.job_number == job.number)
            ).one()
            assert count == job.epoch == (high or 0), job.id
            assert count == 0 or low == 1, job.id
            assert_snapshots(session, job)
            if job.status in TERMINAL:
                assert (job.worker, job.lease_expires_at, job.stop_request) == (None, None, None), job.id
                assert session.get(Checkpoint, job.number) is None, job.id
        blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
        for sha256 in session.scalars(select(Dataset.sha256)):
            assert blobs.exists(sha256), sha256
        if session.get_bind().dialect.name == "sqlite":
            assert session.scalar(text("PRAGMA integrity_check")) == "ok"
            assert session.execute(text("PRAGMA foreign_key_check")).all() == []


def assert_snapshots(session: Session, job: Job) -> None:
    """A job has a snapshot of the start and of every n-th epoch, and counts their bytes."""
    rows = session.execute(select(Snapshot.epoch, Snapshot.size).where(Snapshot.job_number == job.number)).all()
    every = (job.spec["training"].get("snapshots") or {}).get("every")
    started = job.status == Status.SUCCEEDED or job.epoch > 0
    due = {*range(0, job.epoch + 1, every)} if every and started else set()
    assert {row.epoch for row in rows} == due, job.id
    assert job.snapshot_bytes == sum(row.size for row in rows), job.id


def assert_allowed_transitions(job_id: str, steps: Sequence[str]) -> None:
    """A job begins queued and makes only allowed transitions, of which none leaves a final status."""
    assert steps[0] == Status.QUEUED, job_id
    for before, after in pairwise(steps):
        assert Status(after) in ALLOWED_TRANSITIONS[Status(before)], f"{job_id}: {before} -> {after}"
