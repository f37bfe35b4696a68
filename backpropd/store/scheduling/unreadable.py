"""A queued job whose row cannot be read would be claimed, in vain, by every worker: it fails, and the next one runs."""

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import jobs
from backpropd.store.scheduling import fair_queue
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql import failures
from backpropd.store.sql.column_types import now
from backpropd.store.sql.schema import QUEUED, Dataset, Job
from backpropd.store.status import Status

CODE = "job_damaged"
DETAIL = "the stored description of this job, or of its dataset, is damaged: post the job again"


def fail_unreadable(session: Session, options: ClaimOptions) -> str | None:
    """End the job that would be claimed next if it cannot be read. Returns its id."""
    for tenant in fair_queue.waiting_tenants(session, options.max_running)[:1]:
        first = select(Job.number, Job.id).where(QUEUED, Job.tenant == tenant)
        job = session.execute(first.order_by(Job.rank, Job.queued_at, Job.number).limit(1)).first()
        if job and not _can_be_read(session, job.number):
            ending = {"stop_reason": "error", "error_code": CODE, "error_detail": DETAIL, "finished_at": now()}
            values = {"status": Status.FAILED.value, "lease_expires_at": None, "worker": None, **ending}
            session.execute(update(Job).where(Job.number == job.number, QUEUED).values(**values))
            jobs.record(session, jobs.Step(job.number, tenant, Status.FAILED, CODE))
            return str(job.id)
    return None


def _can_be_read(session: Session, number: int) -> bool:
    columns = Job.name, Job.spec, Job.dataset_id, Dataset.columns
    try:
        query = select(*columns).outerjoin(Dataset, Dataset.id == Job.dataset_id)
        session.execute(query.where(Job.number == number)).all()
    except (errors.DatabaseDamaged, DBAPIError) as error:
        if failures.is_damage(error):
            return False
        raise
    return True
