"""Several jobs beside each other: what they were trained from, how they ended, and their curves."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import datasets, job_comparison
from backpropd.store.sql.schema import Job
from service.auth.principal import tenant
from service.job_rendering import render_jobs
from service.json_differences import differences
from service.schemas.jobs import Epoch, spec_fields

MAX_BYTES = 8 * 1024**2  # of the descriptions of all jobs: as JSON values they take several times as much memory


def compare(session: Session, ids: Sequence[str], points: int, max_values: int) -> dict[str, Any]:
    """The tenant's jobs, their differences, and their losses at up to `points` epochs.

    Raises `errors.NotFound`, and `errors.Invalid` for descriptions or differences that are too large.
    """
    rows = job_comparison.get_several(session, tenant(), ids, MAX_BYTES)
    last = job_comparison.last_epochs(session, [row.number for row in rows])
    tables = {id: _table(session, id) for id in {row.dataset_id for row in rows}}
    documents = [
        {"dataset_id": row.dataset_id, "dataset": tables[row.dataset_id], **spec_fields(row.spec)} for row in rows
    ]
    summaries = [
        {**summary, **_epochs(session, row.number, last.get(row.number))}
        for row, summary in zip(rows, render_jobs(session, rows), strict=True)
    ]
    return {
        "jobs": summaries,
        "differences": differences(documents, max_values),
        "curves": _curves(session, [row for row in rows if row.number in last], last, points),
    }


def _table(session: Session, dataset_id: str) -> dict[str, Any] | None:
    """What tells tables apart; None if the dataset was deleted."""
    try:
        row = datasets.summary(session, tenant(), dataset_id)
    except errors.NotFound:
        return None
    return {"name": row.name, "rows": row.rows, "width": row.width, "sha256": row.sha256}


def _epochs(session: Session, number: int, last: int | None) -> dict[str, Any]:
    best = None if last is None else job_comparison.best_epoch(session, number)
    return {"final": _epoch(session, number, last), "best": _epoch(session, number, best)}


def _epoch(session: Session, number: int, epoch: int | None) -> Any:
    row = None if epoch is None else job_comparison.epoch_row(session, number, epoch)
    return None if row is None else Epoch.of(row)


def _curves(session: Session, rows: Sequence[Job], last: dict[int, int], points: int) -> dict[str, Any]:
    """The losses at `points` epochs of the longest job, None where a job has ended before."""
    epochs = job_comparison.spread_epochs(max(last.values(), default=0), points)
    values: dict[str, dict[str, Any]] = {"loss": {}, "validation_loss": {}}
    for row in rows:
        end = last[row.number]
        found = job_comparison.losses(session, row.number, [epoch for epoch in epochs if epoch <= end])
        for name, of_jobs in values.items():
            of_jobs[row.id] = [getattr(found.get(epoch), name, None) for epoch in epochs]
    return {"epochs": epochs, **values}
