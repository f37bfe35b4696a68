"""Event streams: resuming, and the batches that streams of the same job share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backpropd import errors
from backpropd.store import jobs
from backpropd.store.job_versions import JobVersion
from backpropd.store.scheduling import claims, leases, rescue, submission
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from backpropd.store.status import Status
from service.streaming.event_feed import BATCH_EPOCHS, MAX_CACHED, Cursor, EventFeed
from service.streaming.job_watcher import JobWatcher
from tests.migrated import sqlite
from tests.service.requests import Work, at_once, read_stream, submit
from tests.service.validation import Client
from tests.store.conftest import a_dataset, an_epoch

START = Cursor(0, 0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty SQLite."""
    database = Database(sqlite(tmp_path / "a.db"))
    yield database
    database.dispose()


def queued(database: Database, tenant: str) -> Job:
    """Submit a job."""
    spec = {"target": ["y"], "features": ["x"], "task": "regression", "network": {}, "training": {}}
    dataset_id = a_dataset(database, tenant)
    with database.write() as session:
        return submission.submit(session, tenant, dataset_id=dataset_id, epochs=10, name=None, spec=spec, meta={}).job


def trained(database: Database, tenant: str, epochs: int, *, seconds: float = 0.5, checkpoint: int = 0) -> JobVersion:
    """Claim the next job and write so many epochs of it that took so long; gives its version."""
    with database.write() as session:
        # an expired lease: the next claim may have the job
        claim = claims.claim_next(session, ClaimOptions("w", -1))
        assert claim is not None
        assert claim.tenant == tenant
        rows = [{**an_epoch(n), "seconds": seconds} for n in range(1, epochs + 1)]
        leases.write_epochs(session, claim, rows, -1, 1.0, (checkpoint, b"") if checkpoint else None)
        return JobVersion("running", claim.fencing_token, epochs)


def fetched(event_feed: EventFeed, job: Job, version: JobVersion, cursor: Cursor = START) -> bytes:
    """All events that a stream at this cursor would send now."""
    sent, more = b"", True
    while more:
        events, cursor, more, _ = event_feed.after(job.tenant, job.id, version, cursor)
        sent += events
    return sent


def test_a_stream_that_resumes_within_a_batch_gets_the_rest_of_it(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": BATCH_EPOCHS + 20})
    work()
    whole = read_stream(http, job)
    assert whole.startswith("retry: 1000\n\nevent: epoch\nid: 0-1\ndata: {")
    events = whole.removeprefix("retry: 1000\n\n").split("\n\n")[:-1]
    assert [event.split("\n")[1] for event in events] == [
        *(f"id: 0-{epoch}" for epoch in range(1, BATCH_EPOCHS + 21)),
        f"id: 3-{BATCH_EPOCHS + 20}",  # queued, running, succeeded
    ]
    for seen in (7, BATCH_EPOCHS - 1, BATCH_EPOCHS, BATCH_EPOCHS + 20):
        rest = read_stream(http, job, f"0-{seen}")
        assert rest == "retry: 1000\n\n" + "".join(f"{event}\n\n" for event in events[seen:])


def test_streams_at_the_same_cursor_share_a_batch(database: Database) -> None:
    job, event_feed = queued(database, "us"), EventFeed(database, cache_seconds=60)
    version = trained(database, job.tenant, 20)
    batches = at_once(lambda _: event_feed.after(job.tenant, job.id, version, START), range(8))
    assert len({id(batch) for batch in batches}) == 1
    assert batches[0].events.count(b"event: epoch") == 20
    assert batches[0].cursor == (2, 20)


def test_an_old_batch_is_read_again(database: Database) -> None:
    job, event_feed = queued(database, "us"), EventFeed(database, cache_seconds=0)
    version = trained(database, job.tenant, 20)
    assert event_feed.after(job.tenant, job.id, version, START) is not event_feed.after(
        job.tenant, job.id, version, START
    )


def test_a_batch_is_never_older_than_the_version_it_is_read_for(database: Database) -> None:
    job, event_feed, watcher = queued(database, "us"), EventFeed(database), JobWatcher(database)
    with watcher.watch(job.id):
        before = watcher.wait(job.id, None, 5)
        assert b"running" not in event_feed.after(job.tenant, job.id, before, START).events
        trained(database, job.tenant, 20)
        running = watcher.wait(job.id, before, 5)
    assert event_feed.after(job.tenant, job.id, running, START).cursor == (2, 20)


def test_a_shared_batch_is_not_visible_to_another_tenant(database: Database) -> None:
    job, event_feed = queued(database, "us"), EventFeed(database)
    version = trained(database, "us", 3)
    assert fetched(event_feed, job, version).count(b"event: epoch") == 3
    for _ in range(2):
        with pytest.raises(errors.NotFound):
            event_feed.after("them", job.id, version, START)


def test_a_job_that_reuses_a_deleted_jobs_number_shares_no_events_with_it(database: Database) -> None:
    deleted, event_feed = queued(database, "us"), EventFeed(database)
    version = trained(database, "us", 3)
    assert fetched(event_feed, deleted, version)
    with database.write() as session:
        jobs.move(session, jobs.get(session, "us", deleted.id), Status.CANCELLED, "")
        jobs.delete(session, "us", deleted.id)
    another = queued(database, "them")
    assert another.number == deleted.number, "SQLite takes the number again"
    trained(database, "them", 1)
    assert fetched(event_feed, another, version).count(b"event: epoch") == 1
    with pytest.raises(errors.NotFound):
        event_feed.after("us", deleted.id, None, START)


def test_epochs_of_a_killed_worker_are_replaced_by_those_of_the_next(database: Database) -> None:
    job, event_feed = queued(database, "us"), EventFeed(database)
    lost = trained(database, job.tenant, 5, seconds=1.5, checkpoint=2)
    assert fetched(event_feed, job, lost).count(b'"seconds":1.5') == 5
    with database.write() as session:
        assert rescue.rescue_expired(session, 30, 3) == [job.id]
    again = trained(database, job.tenant, 6, seconds=2.5)
    assert again.fencing_token > lost.fencing_token
    events = fetched(event_feed, job, again)
    assert (events.count(b'"seconds":1.5'), events.count(b'"seconds":2.5')) == (2, 4)  # those up to the checkpoint stay
    assert fetched(event_feed, job, again, Cursor(4, 5)).count(b"event: epoch") == 1


def test_the_number_of_cached_batches_is_limited(database: Database) -> None:
    job, event_feed = queued(database, "us"), EventFeed(database)
    version = trained(database, job.tenant, MAX_CACHED + 9)
    for epoch in range(MAX_CACHED + 9):
        event_feed.after(job.tenant, job.id, version, Cursor(2, epoch))
    assert len(event_feed._cached) == MAX_CACHED
