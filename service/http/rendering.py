"""Rows of the store as the JSON that the contract shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from backpropd.store import epochs
from backpropd.store.scheduling.fair_queue import QueueEstimate
from backpropd.store.sql import schema
from backpropd.store.sql.paging import Page

Row = TypeVar("Row")


def dataset(row: schema.Dataset) -> dict[str, Any]:
    """A dataset."""
    return {
        "id": row.id,
        "name": row.name,
        "format": row.format,
        "rows": row.rows,
        "bytes": row.size,
        "sha256": row.sha256,
        "created_at": row.created_at,
        "columns": row.columns,
    }


def job(row: schema.Job, transitions: Iterable[schema.Transition]) -> dict[str, Any]:
    """A job with its whole spec and its transitions."""
    error = None if row.error_code is None else {"code": row.error_code, "detail": row.error_detail}
    return {
        "id": row.id,
        "name": row.name,
        "status": row.status,
        "dataset_id": row.dataset_id,
        **spec(row.spec),
        "progress": {"epoch": row.epoch, "epochs": row.epochs},
        "model_id": row.model_id,
        "error": error,
        "stop_reason": row.stop_reason,
        "transitions": [{"status": each.status, "at": each.at, "reason": each.reason} for each in transitions],
        "queue": None,
        "attempts": row.attempts,
        "priority": row.priority,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "metadata": row.meta,
    }


def place(estimate: QueueEstimate) -> dict[str, Any]:
    """A queued job's place in the queue."""
    return {"position": estimate.position, "estimated_start_at": estimate.starts_at}


def spec(resolved: dict[str, Any]) -> dict[str, Any]:
    """The part of a job that says what is learned, and how; one target is shown as its name."""
    return {
        "target": one_or_all(resolved["target"]),
        "features": resolved["features"],
        "task": resolved["task"],
        "network": resolved["network"],
        "training": resolved["training"],
    }


def one_or_all(target: list[str]) -> str | list[str]:
    """A single target's name, or the list of several."""
    return target[0] if len(target) == 1 else target


def epoch(row: Any) -> dict[str, Any]:
    """An epoch, from a row of `epochs.FIELDS`."""
    return dict(zip(epochs.FIELDS, row, strict=True))


def model(row: schema.Model) -> dict[str, Any]:
    """A model, without its weights."""
    return {
        "id": row.id,
        "job_id": row.job_id,
        "name": row.name,
        "task": row.task,
        "network": row.network,
        "features": row.features,
        "target": one_or_all(row.target),
        "classes": row.classes,
        "parameters": row.parameters,
        "metrics": row.metrics,
        "validation_metrics": row.validation_metrics,
        "bytes": row.size,
        "sha256": row.sha256,
        "created_at": row.created_at,
    }


def model_with_report(row: schema.Model) -> dict[str, Any]:
    """A model with the report of the end of its training; models of before there were any have none."""
    return {**model(row), "report": row.report}


def key(row: schema.ApiKey) -> dict[str, Any]:
    """An API key, without what lets its bearer in."""
    return {
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }


def deed(row: schema.Audit) -> dict[str, Any]:
    """An entry of the audit trail."""
    return {name: getattr(row, name) for name in ("number", "at", "actor", "action", "subject")}


def listing(page: Page[Row], render: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    """A page of a list."""
    return {
        "data": [render(row) for row in page.rows],
        "has_more": page.next_cursor is not None,
        "next_cursor": page.next_cursor,
    }
