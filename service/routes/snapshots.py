"""The routes of snapshots: the parameters of a job during its training, and jobs that continue from one."""

from flask import Response

from backpropd import errors
from backpropd.store import jobs, snapshots
from backpropd.store.sql.schema import Job as JobRow
from service.auth.principal import tenant
from service.fork_requests import fork
from service.http.negotiation import accepted
from service.http.routing import Answer, Routes
from service.http.sending import hold_memory_of
from service.renderers.snapshots import to_json, to_safetensors
from service.schemas.jobs import Job
from service.schemas.snapshots import ForkRequest, Snapshots, SnapshotsQuery
from service.services import services

routes = Routes("jobs")
JSON, BYTES = "application/json", "application/octet-stream"
# Of the parameters in one answer, unless a single snapshot has more.
MAX_BYTES = {JSON: 4 * 1024**2, BYTES: 32 * 1024**2}
COPIES = 3  # of an answer in memory: as it was read, its arrays, the file


@routes(
    "GET",
    "/v1/jobs/{job_id}/snapshots",
    answers={200: Snapshots},
    alternatives={BYTES: {}},
    query=SnapshotsQuery,
    problems=(404, 406),
    costly=True,
)
def list_snapshots(job_id: str, query: SnapshotsQuery) -> Answer:
    """The parameters after the epochs whose state was stored, oldest first; safetensors by `Accept`."""
    media_type = accepted([JSON, BYTES])
    with services().database.read() as session:
        job = jobs.get(session, tenant(), job_id)
        page = snapshots.page(session, job.number, query.after, query.limit, MAX_BYTES[media_type])
        if media_type == JSON:
            _check_numbers(job, page)
        hold_memory_of("to read this snapshot", COPIES * page.bytes)
        rows = snapshots.weights(session, job.number, query.after, page.last)
    next_after = page.last if page.has_more else None
    if media_type == JSON:
        return to_json(rows, next_after)
    return Response(to_safetensors(rows, next_after), content_type=BYTES)


def _check_numbers(job: JobRow, page: snapshots.SnapshotPage) -> None:
    """Raise `errors.Invalid` for a snapshot that is too large for JSON."""
    numbers, most = (
        page.bytes // (8 if job.spec["training"]["dtype"] == "float64" else 4),
        services().settings.max_answer_cells,
    )
    if numbers > most:
        detail = f"this snapshot has about {numbers} numbers, and in JSON the limit is {most}: accept {BYTES}"
        raise errors.Invalid(detail)


@routes(
    "POST",
    "/v1/jobs/{job_id}/fork",
    answers={202: Job},
    body=ForkRequest,
    headers=("Idempotency-Key",),
    problems=(404, 409),
    costly=True,
)
def fork_job(job_id: str, body: ForkRequest) -> Answer:
    """Queue a job that continues from a snapshot of this one, with other settings of its training."""
    job = fork(job_id, body)
    return job, 202, {"Location": f"/v1/jobs/{job['id']}"}
