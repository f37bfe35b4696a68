"""The routes of training jobs, their epochs and their events."""

import time

from flask import Response, request

from backpropd.store import epochs, jobs
from backpropd.store.status import TERMINAL
from service import job_requests
from service.auth.principal import current_principal, record, tenant
from service.http.routing import Answer, Routes
from service.job_comparison import compare
from service.job_rendering import render_job, render_jobs
from service.limits.admission import waiting
from service.renderers.epochs_csv import render_epochs
from service.schemas.job_comparison import CompareQuery, Comparison
from service.schemas.jobs import (
    DryRunQuery,
    Epoch,
    Epochs,
    EpochsQuery,
    Job,
    JobPage,
    JobQuery,
    JobRequest,
    JobsQuery,
    Plan,
)
from service.server.disconnect import Disconnect
from service.services import services

routes = Routes("jobs")


@routes(
    "POST",
    "/v1/jobs",
    answers={202: Job, 200: Plan},
    body=JobRequest,
    query=DryRunQuery,
    headers=("Idempotency-Key",),
    problems=(404,),
)
def create(body: JobRequest, query: DryRunQuery) -> Answer:
    """Queue a training job, or with `dry_run` only say what it would become."""
    plan = job_requests.plan(body, is_dry_run=query.dry_run)
    if query.dry_run:
        return Plan.of(body, plan)
    job = job_requests.submit(body, plan)
    return job, 202, {"Location": f"/v1/jobs/{job['id']}"}


@routes("GET", "/v1/jobs", answers={200: JobPage}, query=JobsQuery)
def list_jobs(query: JobsQuery) -> Answer:
    """List the jobs, newest first."""
    with services().database.read() as session:
        page = jobs.list_page(session, tenant(), query.limit, query.cursor, query.status, query.dataset_id)
        return JobPage.of(page, render_jobs(session, page.rows))


@routes("GET", "/v1/jobs/compare", answers={200: Comparison}, query=CompareQuery, problems=(404,), costly=True)
def compare_jobs(query: CompareQuery) -> Answer:
    """Compare up to 100 jobs: differences of spec and data, final and best metrics, losses at the same epochs."""
    with services().database.read() as session:
        return compare(session, query.job_ids(), query.points, services().settings.max_answer_cells)


@routes("GET", "/v1/jobs/{job_id}", answers={200: Job}, query=JobQuery, problems=(404,))
def read(job_id: str, query: JobQuery) -> Answer:
    """Read a job; with `wait`, as soon as it is over or the seconds have passed, earlier if many requests wait."""
    disconnect = Disconnect.of(request.environ)
    with services().long_polls.slot(current_principal().holder, query.wait) as seconds:
        until = time.monotonic() + seconds
        while True:
            with services().database.read() as session:
                job = jobs.get(session, tenant(), job_id)
                left = until - time.monotonic()
                if job.status in TERMINAL or left <= 0 or disconnect.has_come:
                    return render_job(session, job)
            with waiting(request.environ):
                services().job_watcher.wait_until_ended(job_id, left, disconnect)


@routes(
    "GET",
    "/v1/jobs/{job_id}/epochs",
    answers={200: Epochs},
    alternatives={"text/csv": {"schema": {"type": "string"}}},
    query=EpochsQuery,
    problems=(404,),
)
def list_epochs(job_id: str, query: EpochsQuery) -> Answer:
    """The epochs of a job, oldest first; CSV with `Accept: text/csv`; `points` thins the whole curve instead."""
    with services().database.read() as session:
        job = jobs.get(session, tenant(), job_id)
        if query.points is not None:
            found, limit = epochs.thinned(session, job.number, query.points), query.points
        else:
            found, limit = epochs.after(session, job.number, query.after, query.limit + 1), query.limit
    data = list(map(Epoch.of, found[:limit]))
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        return Response(render_epochs(data), content_type="text/csv; charset=utf-8")
    return {"data": data, "next_after": data[-1]["epoch"] if len(found) > limit else None}


@routes("GET", "/v1/jobs/{job_id}/events", answers={200: "text/event-stream"}, problems=(404, 503))
def stream(job_id: str) -> Answer:
    """A job's `status` and `epoch` events (Server-Sent Events), from the first or after `Last-Event-ID`."""
    with services().database.read() as session:
        job = jobs.get(session, tenant(), job_id)
    after, disconnect = request.headers.get("Last-Event-ID"), Disconnect.of(request.environ)
    return services().event_streams.open(job, after, current_principal().holder, disconnect)


@routes("POST", "/v1/jobs/{job_id}/cancel", answers={202: Job}, problems=(404, 409))
def cancel(job_id: str) -> Answer:
    """Cancel a job that is not over."""
    with services().database.write() as session:
        return render_job(session, jobs.cancel(session, tenant(), job_id)), 202


@routes("POST", "/v1/jobs/{job_id}/pause", answers={202: Job}, problems=(404, 409))
def pause(job_id: str) -> Answer:
    """Pause a job, with a checkpoint if it is running."""
    with services().database.write() as session:
        return render_job(session, jobs.pause(session, tenant(), job_id)), 202


@routes("POST", "/v1/jobs/{job_id}/resume", answers={202: Job}, problems=(404, 409))
def resume(job_id: str) -> Answer:
    """Queue a paused job again; it continues from its checkpoint."""
    with services().database.write() as session:
        job = render_job(session, jobs.resume(session, tenant(), job_id))
    services().worker_notifier.notify()
    return job, 202


@routes("DELETE", "/v1/jobs/{job_id}", answers={204: None}, problems=(404, 409))
def delete(job_id: str) -> Answer:
    """Delete a job that is over, with its epochs; its model stays."""
    with services().database.write() as session:
        jobs.delete(session, tenant(), job_id)
        record(session, "jobs.delete", job_id)
    return None, 204
