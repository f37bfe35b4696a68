"""From a job request to a plan, and from a plan to a queued job."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import g
from sqlalchemy import Row
from structlog.contextvars import bind_contextvars

from backpropd import errors, learn, tracing
from backpropd.store import idempotency, jobs, models, sizes
from backpropd.store.ids import new_id
from backpropd.store.scheduling import submission
from service.auth.principal import tenant
from service.http.handover import hand_over
from service.http.idempotency import idempotency_key, keyed_request
from service.job_rendering import render_job
from service.schemas.jobs import Job, JobRequest, notes
from service.schemas.training import Training
from service.services import services


def plan(request: JobRequest, *, is_dry_run: bool) -> learn.Plan:
    """Resolve the request against its dataset. Raises `errors.NotFound` and `errors.Invalid` with pointers.

    A job may be planned on a cached dataset, since `submit` checks that it still exists; a dry run may not.
    """
    return learn.resolve(request.to_learn(), context_of(request.dataset_id, request.training, is_current=is_dry_run))


def context_of(
    dataset_id: str, training: Training | learn.ResolvedTraining, *, is_current: bool = False
) -> learn.Context:
    """The described dataset, and what the training refers to. Raises `errors.NotFound`."""
    dataset = _described(dataset_id, is_current=is_current)
    table = learn.TableDescription(learn.columns_from_json(dataset.columns), dataset.rows)
    return learn.Context(table, services().settings.limits(learn.Limits), **_referenced(training))


def _described(dataset_id: str, *, is_current: bool = True) -> Row[Any]:
    """The dataset's columns and rows; a request about a wide one is handed over. Raises `errors.NotFound`."""
    cache = services().dataset_cache
    return (cache.read if is_current else cache.get)(tenant(), dataset_id, before_wide=hand_over)


def _referenced(training: Training | learn.ResolvedTraining) -> dict[str, Any]:
    """The validation dataset and the model of a warm start, described. Raises `errors.NotFound` with its pointer."""
    found: dict[str, Any] = {}
    if dataset_id := training.validation_dataset_id:
        with _pointer("/training/validation_dataset_id"):
            dataset = _described(dataset_id)
        found["validation_table"] = learn.TableDescription(learn.columns_from_json(dataset.columns), dataset.rows)
    if model_id := training.warm_start_model_id:
        with services().database.read() as session, _pointer("/training/warm_start_model_id"):
            found["warm_start"] = models.get(session, tenant(), model_id).encoders
    return found


@contextmanager
def _pointer(pointer: str) -> Iterator[None]:
    """Add the pointer of an id in the request to its `errors.NotFound`."""
    try:
        yield
    except errors.NotFound as error:
        raise errors.NotFound(error.detail, pointer=pointer) from error


def submit(request: JobRequest, plan: learn.Plan) -> dict[str, Any]:
    """Queue the job, as `queue` does."""
    # Defaults that are left out and defaults that are written out are different requests: see `learn.JobRequest.given`.
    return queue(request.model_dump_json(exclude_unset=True), plan, {**request.to_row(), **notes(plan)})


def queue(content: str, plan: learn.Plan, row: dict[str, Any], fork: submission.Fork | None = None) -> dict[str, Any]:
    """Queue the job, or find the one that an earlier request with this Idempotency-Key queued; gives it rendered.

    Requests with equal `content` are the same request. Raises `errors.NotFound`, `errors.QueueFull`, `errors.TooLarge`
    and `errors.StorageFull`.
    """
    keyed, job_id = keyed_request(idempotency_key(), content), new_id("job")
    settings = services().settings
    described = {"spec": plan.spec.to_json(), **row}
    if (size := sizes.of_job(described)) > settings.max_job_bytes:
        raise errors.TooLarge(
            f"the job's description would have {size} bytes, most of them names of columns, and the limit is "
            f"{settings.max_job_bytes}: name fewer `features`, or shorten the names"
        )
    new_bytes = size + (sizes.IDEMPOTENCY_KEY if keyed else 0) + (fork.size if fork else 0)
    with services().database.write() as session:
        if existing_id := idempotency.find_or_reserve(session, tenant(), keyed, job_id):
            return render_job(session, jobs.get(session, tenant(), existing_id))
        services().storage_quota.check_recent(session, tenant(), new_bytes)
        queued = submission.submit(
            session,
            tenant(),
            id=job_id,
            epochs=plan.spec.training.epochs,
            limits=submission.QueueLimits(settings.max_queued_jobs_per_tenant, settings.max_queued_jobs),
            worker_timeout_seconds=settings.worker_timeout_seconds,
            traceparent=tracing.traceparent_of(g.get("span")),
            fork=fork,
            **described,
        )
        bind_contextvars(job_id=job_id)
    services().worker_notifier.notify()  # after the commit, or the worker would not find the job
    return Job.of(queued.job, [jobs.first_transition(queued.job)], queued.estimate)
