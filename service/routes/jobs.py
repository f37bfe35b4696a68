"""The jobs' routes."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from backpropd import errors, learn
from backpropd.csv_injection import harmless_row
from backpropd.store import epochs, idempotency, jobs, models
from backpropd.store.ids import new_id
from backpropd.store.scheduling import fair_queue, submission
from backpropd.store.sql.schema import Job
from backpropd.store.status import TERMINAL, Status
from service import schemas
from service.auth.principal import record, tenant
from service.http import rendering
from service.http.idempotency import idempotency_key, keyed_request
from service.http.routing import Answer, Routes
from service.routes.account import refuse_when_over
from service.services import Services, services
from service.streaming import event_stream
from service.streaming.job_watcher import UNSEEN

routes = Routes("jobs")

ROUTE = "POST /v1/jobs"
WARM_START_FIELDS = ("task", "network", "features", "target", "classes", "encoders")


@routes(
    "POST",
    "/v1/jobs",
    body=schemas.JobRequest,
    query=schemas.DryRunQuery,
    answers={202: schemas.Job, 200: schemas.Plan},
    problems=(404,),
    headers=("Idempotency-Key",),
)
def create(body: schemas.JobRequest, query: schemas.DryRunQuery) -> Answer:
    """Queue a training job, or with `dry_run` only say what it would become."""
    here = services()
    look = here.dataset_cache.read if query.dry_run else here.dataset_cache.get
    dataset = look(tenant(), body.dataset_id)
    limits = learn.Limits(here.settings.max_epochs, here.settings.max_parameters, here.settings.worker_memory_bytes)
    plan = learn.resolve(body.wanted(), dataset.columns, dataset.rows, limits, **_others(here, body.training))
    if query.dry_run:
        return {"dataset_id": body.dataset_id, **rendering.spec(plan.spec), "cost": plan.cost}
    shown = _queue(body, plan.spec)
    return shown, 202, {"Location": f"/v1/jobs/{shown['id']}"}


def _others(here: Services, training: schemas.Training) -> dict[str, Any]:
    """What a job names beside its dataset, described. Raises `errors.NotFound` with its pointer."""
    described: dict[str, Any] = {}
    if dataset_id := training.validation_dataset_id:
        with _pointing("/training/validation_dataset_id"):
            other = here.dataset_cache.read(tenant(), dataset_id)
        described["validation_table"] = learn.TableInfo(other.columns, other.rows)
    if model_id := training.warm_start_model_id:
        with here.database.read() as session, _pointing("/training/warm_start_model_id"):
            row = models.get(session, tenant(), model_id)
        described["model"] = {name: getattr(row, name) for name in WARM_START_FIELDS}
    return described


@contextmanager
def _pointing(pointer: str) -> Iterator[None]:
    """Where in the request an id stands that is not found."""
    try:
        yield
    except errors.NotFound as error:
        raise errors.NotFound(error.detail, pointer=pointer) from error


def _queue(body: schemas.JobRequest, spec: dict[str, Any]) -> dict[str, Any]:
    """Commit the job first, ring the doorbell second."""
    here = services()
    # Without the defaults: a value that the client left out may mean another one, depending on the kind of network.
    keyed = keyed_request(ROUTE, idempotency_key(), body.model_dump_json(exclude_unset=True))
    with here.database.write() as session:
        job_id = new_id("job")
        if existing_id := idempotency.find_or_reserve(session, tenant(), keyed, job_id):
            return _shown(session, jobs.get(session, tenant(), existing_id))
        refuse_when_over(session)
        queued = submission.submit(
            session,
            tenant(),
            id=job_id,
            dataset_id=body.dataset_id,
            epochs=spec["training"]["epochs"],
            name=body.name,
            priority=body.priority,
            limits=submission.QueueLimits(here.settings.max_queued_jobs_per_tenant, here.settings.max_queued_jobs),
            worker_timeout_seconds=here.settings.lease_seconds,
            validation_dataset_id=body.training.validation_dataset_id,
            warm_start_model_id=body.training.warm_start_model_id,
            spec=spec,
            meta=body.metadata,
        )
        bind_contextvars(job_id=job_id)
    here.worker_notifier.notify()
    shown = rendering.job(queued.job, [jobs.first_transition(queued.job)])
    return {**shown, "queue": rendering.place(queued.estimate)}


def _shown(session: Session, job: Job) -> dict[str, Any]:
    """One job with its transitions, and its place in the queue if any."""
    (shown,) = _render(session, [job])
    if job.status == Status.QUEUED:
        shown["queue"] = rendering.place(fair_queue.estimate(session, job, services().settings.lease_seconds))
    return shown


def _render(session: Session, found: Iterable[Job]) -> list[dict[str, Any]]:
    listed = list(found)
    transitions = jobs.transitions(session, listed)
    return [rendering.job(job, transitions[job.number]) for job in listed]


@routes("GET", "/v1/jobs", query=schemas.JobsQuery, answers={200: schemas.JobPage})
def list_jobs(query: schemas.JobsQuery) -> Answer:
    """List the jobs, newest first."""
    with services().database.read() as session:
        page = jobs.list_page(session, tenant(), query.limit, query.cursor, query.status, query.dataset_id)
        shown = iter(_render(session, page.rows))
    return rendering.listing(page, lambda _: next(shown))


@routes("GET", "/v1/jobs/{job_id}", query=schemas.JobQuery, answers={200: schemas.Job}, problems=(404,))
def read(job_id: str, query: schemas.JobQuery) -> Answer:
    """Read a job; with `wait`, answer as soon as it is over, or after so many seconds, or earlier in a crowd."""
    with services().waiting(query.wait) as seconds:
        return _when_over(job_id, time.monotonic() + seconds)


def _when_over(job_id: str, until: float) -> dict[str, Any]:
    here, seen = services(), UNSEEN
    with ExitStack() as watching:
        while True:
            with here.database.read() as session:
                job = jobs.get(session, tenant(), job_id)
                left = until - time.monotonic()
                if job.status in TERMINAL or left <= 0:
                    return _shown(session, job)
            if seen is UNSEEN:  # and there is such a job: nothing else is watched
                watching.enter_context(here.job_watcher.watch(job_id))
            while left > 0 and (mark := here.job_watcher.wait(job_id, seen, left)) and mark.status not in TERMINAL:
                seen, left = mark, until - time.monotonic()


@routes(
    "GET",
    "/v1/jobs/{job_id}/epochs",
    query=schemas.EpochsQuery,
    answers={200: schemas.Epochs},
    problems=(404,),
)
def list_epochs(job_id: str, query: schemas.EpochsQuery) -> Answer:
    """The epochs of a job, oldest first; CSV with `Accept: text/csv`; `points` thins the whole curve instead."""
    with services().database.read() as session:
        job = jobs.get(session, tenant(), job_id)
        if query.points is not None:
            rows, more = epochs.thinned(session, job.number, query.points), False
        else:
            rows = epochs.after(session, job.number, query.after, query.limit + 1)
            more = len(rows) > query.limit
            rows = rows[: query.limit]
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        return Response(_csv(rows), content_type="text/csv; charset=utf-8")
    return {
        "data": [rendering.epoch(row) for row in rows],
        "next_after": rows[-1].epoch if more else None,
    }


def _csv(rows: Iterable[Any]) -> str:
    """Metrics become columns of their own: `accuracy`, `validation_accuracy`."""
    flat = []
    for row in rows:
        shown = rendering.epoch(row)
        metrics, validation_metrics = shown.pop("metrics"), shown.pop("validation_metrics") or {}
        named = {f"validation_{name}": value for name, value in validation_metrics.items()}
        flat.append(harmless_row(shown | metrics | named))
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in flat for name in row))
    writer = csv.DictWriter(out, names or ["epoch", "loss"])
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


@routes("GET", "/v1/jobs/{job_id}/events", answers={200: "text/event-stream"}, problems=(404, 503))
def stream(job_id: str) -> Answer:
    """A job's `status` and `epoch` events (Server-Sent Events), from the first or after `Last-Event-ID`."""
    with services().database.read() as session:
        job = jobs.get(session, tenant(), job_id)
    return event_stream.answer(services(), job, request.headers.get("Last-Event-ID"))


@routes("POST", "/v1/jobs/{job_id}/cancel", answers={202: schemas.Job}, problems=(404, 409))
def cancel(job_id: str) -> Answer:
    """Cancel a job that is not over."""
    with services().database.write() as session:
        return _shown(session, jobs.cancel(session, tenant(), job_id)), 202


@routes("POST", "/v1/jobs/{job_id}/pause", answers={202: schemas.Job}, problems=(404, 409))
def pause(job_id: str) -> Answer:
    """Put a job aside, with a checkpoint if it runs."""
    with services().database.write() as session:
        return _shown(session, jobs.pause(session, tenant(), job_id)), 202


@routes("POST", "/v1/jobs/{job_id}/resume", answers={202: schemas.Job}, problems=(404, 409))
def resume(job_id: str) -> Answer:
    """Queue a paused job again; it goes on from its checkpoint."""
    with services().database.write() as session:
        shown = _shown(session, jobs.resume(session, tenant(), job_id))
    services().worker_notifier.notify()
    return shown, 202


@routes("DELETE", "/v1/jobs/{job_id}", answers={204: None}, problems=(404, 409))
def delete(job_id: str) -> Answer:
    """Delete a job that is over, with its epochs; its model stays."""
    with services().database.write() as session:
        jobs.delete(session, tenant(), job_id)
        record(session, "jobs.delete", job_id)
    return None, 204
