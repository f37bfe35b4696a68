"""Datasets, jobs, epochs, idempotency keys, workers, blobs: as their owners meet them."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import StatementError

from backpropd import errors
from backpropd.store import datasets, epochs, idempotency, job_versions, jobs, models
from backpropd.store.blobs import Blobs
from backpropd.store.idempotency import KeyedRequest
from backpropd.store.ids import new_id
from backpropd.store.scheduling import claims, job_endings, leases, submission, workers
from backpropd.store.scheduling.claims import ClaimOptions
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database, wal_is_safe
from backpropd.store.sql.migrate import upgrade
from backpropd.store.sql.schema import Model
from tests.servers import fresh_database
from tests.store.conftest import SCRIPTS, TENANT, a_dataset, a_job, an_epoch


def test_ids_sort_by_their_creation() -> None:
    ids = []
    for _ in range(5):
        ids.append(new_id("job"))
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert len({len(each) for each in ids}) == 1


def test_a_second_migration_finds_nothing_to_do(database: Database) -> None:
    job = a_job(database)
    upgrade(database, SCRIPTS)
    with database.read() as session:
        assert jobs.get(session, TENANT, job.id).status == "queued"


def test_the_migrations_make_the_tables_that_the_code_declares(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from backpropd.store.sql.schema import Base

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []


@contextmanager
def of_before(database: Database, revision: str) -> Iterator[Connection]:
    """The database as it was at this revision; it is brought up to date at the end."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        yield connection
    upgrade(database, SCRIPTS)


def test_a_job_of_before_is_submitted_once(database: Database) -> None:
    job = a_job(database)
    with database.write() as session:
        claims.claim_next(session, ClaimOptions("w", 30))
    with of_before(database, "0005") as connection:
        listed = connection.execute(text("SELECT status, reason FROM transitions ORDER BY number")).all()
    assert [status for status, _ in listed] == ["queued", "running"]
    with database.read() as session:
        steps = jobs.transitions(session, [job])[job.number]
    assert [(step.status, step.reason) for step in steps] == listed


def test_a_model_of_before_reports_has_none(database: Database) -> None:
    fields = {
        "id": "model_1", "tenant": TENANT, "job_id": "job_1", "task": "regression", "network": "{}", "features": "[]",
        "target": "[]", "parameters": 1, "metrics": "{}", "encoders": "{}", "weights": b"w", "bytes": 1, "sha256": "0",
        "created_at": 1,
    }  # fmt: skip
    with of_before(database, "0001") as connection:
        columns, places = ", ".join(fields), ", ".join(f":{name}" for name in fields)
        connection.execute(text(f"INSERT INTO models ({columns}) VALUES ({places})"), fields)
    with database.read() as session:
        model = models.get(session, TENANT, "model_1", Model.weights, Model.report, Model.training_state)
        assert (model.weights, model.report, model.training_state) == (b"w", None, None)


def test_what_a_job_names_stays_while_it_needs_it(database: Database) -> None:
    first, other = a_dataset(database), a_dataset(database)
    with database.write() as session:
        session.add(a_model())
    with database.write() as session:
        needs = {"validation_dataset_id": other, "warm_start_model_id": "model_1"}
        fields = {"epochs": 1, "name": None, "priority": 0, "spec": {}, "meta": {}}
        job = submission.submit(session, TENANT, dataset_id=first, **fields, **needs).job
        with pytest.raises(errors.NotFound, match="no model 'model_2'"):
            submission.submit(session, TENANT, dataset_id=first, **fields, warm_start_model_id="model_2")
    with database.read() as session:
        for delete, id in ((datasets.delete, other), (models.delete, "model_1")):
            with pytest.raises(errors.Conflict):
                delete(session, TENANT, id)
    with database.write() as session:
        claim = claims.claim_next(session, ClaimOptions("w", 30))
    assert claim is not None
    assert claim.validation == claims.DatasetSource("00", [])
    with database.read() as session:
        assert claims.resume_point(session, claim).warm_start == claims.WarmStart({"spec": {}}, b"w", b"state")
    with database.write() as session:
        job_endings.fail(session, claim, "code", "detail")
        datasets.delete(session, TENANT, other)
        models.delete(session, TENANT, "model_1")
    assert job.validation_dataset_id == other


def a_model() -> Model:
    """A model as a worker makes it."""
    return Model(
        id="model_1", tenant=TENANT, job_id="job_1", task="regression", network={}, features=[], target=[],
        parameters=1, metrics={}, encoders={"spec": {}}, weights=b"w", size=1, sha256="0", created_at=now(),
        training_state=b"state",
    )  # fmt: skip


def test_another_tenant_sees_nothing(database: Database) -> None:
    job = a_job(database)
    with database.read() as session:
        with pytest.raises(errors.NotFound):
            jobs.get(session, "other", job.id)
        with pytest.raises(errors.NotFound):
            datasets.get(session, "other", job.dataset_id)
        assert jobs.list_page(session, "other", 10, None, None, None).rows == []


def test_lists_are_paged_newest_first(database: Database) -> None:
    dataset_id = a_dataset(database)
    made = []
    for _ in range(5):
        made.append(a_job(database, dataset_id=dataset_id).id)
        time.sleep(0.002)
    seen, cursor = [], None
    while True:
        with database.read() as session:
            page = jobs.list_page(session, TENANT, 2, cursor, None, None)
        seen += [job.id for job in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made[::-1]


def test_a_dataset_that_a_job_needs_cannot_be_deleted(database: Database) -> None:
    job = a_job(database)
    with pytest.raises(errors.Conflict), database.write() as session:
        datasets.delete(session, TENANT, job.dataset_id)
    with database.write() as session:
        jobs.cancel(session, TENANT, job.id)
        datasets.delete(session, TENANT, job.dataset_id)


def test_only_a_job_that_is_over_can_be_deleted(database: Database) -> None:
    job = a_job(database)
    with pytest.raises(errors.Conflict), database.write() as session:
        jobs.delete(session, TENANT, job.id)
    with database.write() as session:
        jobs.cancel(session, TENANT, job.id)
        jobs.delete(session, TENANT, job.id)
    with pytest.raises(errors.NotFound), database.read() as session:
        jobs.get(session, TENANT, job.id)


def test_an_epoch_comes_back_as_it_was_written(database: Database) -> None:
    job = a_job(database)
    metrics = {"accuracy": 0.1, "r2": -1e-05, "whole": 3.0, "large": 1e300}
    written = [{**an_epoch(1), "metrics": metrics, "validation_loss": 0.5}, {**an_epoch(2), "validation_metrics": {}}]
    with database.write() as session:
        held = claims.claim_next(session, ClaimOptions("w", 30))
        assert held is not None
        leases.write_epochs(session, held, written, 30, 1.0)
    with database.read() as session:
        rows = epochs.after(session, job.number, 0, 10)
        assert [dict(zip(epochs.FIELDS, row, strict=True)) for row in rows] == written
        assert epochs.thinned(session, job.number, 10) == rows


@pytest.mark.parametrize("kind", [datasets, models])
def test_what_a_job_is_being_posted_for_is_not_deleted(database: Database, kind: ModuleType) -> None:
    dataset_id = a_dataset(database)
    needed = {datasets: dataset_id, models: "model_1"}[kind]
    with database.write() as session:
        session.add(a_model())
    named = threading.Event()

    def post() -> str:
        fields = {"epochs": 1, "name": None, "spec": {}, "meta": {}, "warm_start_model_id": "model_1"}
        with database.write() as session:
            job = submission.submit(session, TENANT, dataset_id=dataset_id, **fields).job
            named.set()
            time.sleep(0.5)  # the deletion begins meanwhile
            return job.id

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(post)
        assert named.wait(10)
        with pytest.raises(errors.Conflict), database.write() as session:
            kind.delete(session, TENANT, needed)
        assert job.result()


def test_losses_come_back_bit_for_bit_and_epochs_that_are_there_stay(database: Database) -> None:
    job = a_job(database)
    losses = [5e-324, 2.2250738585072014e-308, 0.1, 2 / 3, 1e22, 1.7976931348623157e308]
    with database.write() as session:
        epochs.add(session, job.number, TENANT, [an_epoch(n, loss) for n, loss in enumerate(losses, 1)])
        epochs.add(session, job.number, TENANT, [an_epoch(2, 7.0)])
    with database.read() as session:
        found = [row.loss for row in epochs.after(session, job.number, 0, 10)]
    assert struct.pack("6d", *found) == struct.pack("6d", *losses)


def test_marks_tell_what_has_changed_of_several_jobs(database: Database) -> None:
    first, second = a_job(database), a_job(database)
    with database.write() as session:
        held = claims.claim_next(session, ClaimOptions("w", 30))
        assert held is not None
        leases.write_epochs(session, held, [an_epoch(1)], 30, 1.0)
    with database.read_connection() as connection:
        found = job_versions.read(connection, [first.id, second.id, "job_gone"])
        assert job_versions.read(connection, []) == {}
    assert found == {first.id: ("running", held.fencing_token, 1), second.id: ("queued", 0, 0)}


def test_a_thinned_curve_keeps_the_first_the_last_and_the_minimum(database: Database) -> None:
    job = a_job(database)
    with database.write() as session:
        held = claims.claim_next(session, ClaimOptions("w", 30))
        assert held is not None
        rows = [an_epoch(n, loss=0.1 if n == 777 else 1.0 + n) for n in range(1, 1001)]
        leases.write_epochs(session, held, rows, 30, 1.0)
    with database.read() as session:
        kept = [row.epoch for row in epochs.thinned(session, job.number, 50)]
    assert kept[0] == 1
    assert kept[-1] == 1000
    assert 777 in kept
    assert 45 <= len(kept) <= 50


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_and_not_made_null(database: Database, number: float) -> None:
    job = a_job(database)
    with pytest.raises((ValueError, StatementError), match="JSON compliant"), database.write() as session:
        epochs.add(session, job.number, TENANT, [{**an_epoch(1), "metrics": {"accuracy": number}}])


def test_an_idempotency_key_gives_what_the_first_request_made(database: Database) -> None:
    def asked(fingerprint: str, new_id: str, life: float = 60) -> str | None:
        with database.write() as session:
            return idempotency.find_or_reserve(session, TENANT, KeyedRequest("r", "k", fingerprint, life), new_id)

    assert asked("hash", "job_1") is None
    assert asked("hash", "job_2") == "job_1"
    with pytest.raises(errors.IdempotencyMismatch):
        asked("another", "job_3")
    assert asked("another", "job_4", life=-1) is None  # the key's life was over, and it begins anew
    assert asked("another", "job_5") == "job_4"


def test_of_many_requests_at_once_with_one_key_one_makes_it(database: Database) -> None:
    """Also where the key's life was over, and where the first of them fails."""

    def ask(number: int, life: float = 60) -> str:
        with database.write() as session:
            keyed = KeyedRequest("r", "k", "hash", life)
            made = idempotency.find_or_reserve(session, TENANT, keyed, f"job_{number}")
            time.sleep(0.02)
            if number == 0:
                raise errors.QueueFull("it has come too early")
            return made or f"job_{number}"

    def at_once(numbers: range, life: float) -> set[str]:
        with ThreadPoolExecutor(len(numbers)) as pool:
            asked = [pool.submit(ask, number, life) for number in numbers]
        return {each.result() for each in asked if not isinstance(each.exception(), errors.QueueFull)}

    with pytest.raises(errors.QueueFull):
        ask(0)
    first = at_once(range(8), 60)
    assert len(first) == 1
    time.sleep(0.5)
    second = at_once(range(10, 18), 0.4)
    assert len(second) == 1
    assert second.isdisjoint(first)


def test_workers_are_alive_while_they_are_heard_of(database: Database) -> None:
    with database.write() as session:
        workers.record_heartbeat(session, "w", 3)
        workers.record_heartbeat(session, "w", 4)
    with database.read() as session:
        assert workers.alive(session, 10) == (1, 4)
        assert workers.alive(session, -10) == (0, 0)
    with database.write() as session:
        workers.remove(session, "w")
    with database.read() as session:
        assert workers.alive(session, 10) == (0, 0)


def test_a_database_that_is_away_is_called_unavailable(tmp_path: Path) -> None:
    with pytest.raises(errors.Unavailable):
        Database(f"postgresql+psycopg://nobody@/none?host={tmp_path}").ping()


def test_a_crowd_that_holds_every_connection_is_told_to_come_again(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'crowd.db'}")
    pool = database.engine.pool
    pool._timeout = 0.1  # type: ignore[attr-defined]
    with ExitStack() as crowd:
        for _ in range(8 + 32):
            crowd.enter_context(database.engine.connect())
        with pytest.raises(errors.Unavailable, match="every connection"):
            database.ping()
    database.ping()
    database.dispose()


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 40, 1), False), ((3, 44, 6), True), ((3, 50, 6), False), ((3, 50, 7), True), ((3, 51, 3), True)],
)
def test_wal_is_used_only_where_sqlite_resets_it_safely(version: tuple[int, int, int], safe: bool) -> None:
    assert wal_is_safe(version) is safe


def test_blobs_are_named_by_their_content(tmp_path: Path) -> None:
    blobs = Blobs((tmp_path / "blobs").as_uri(), tmp_path / "scratch")
    source = tmp_path / "file"
    source.write_bytes(b"hello")
    sha256, size = blobs.put(source)
    assert blobs.put(source) == (sha256, size)
    assert sha256.startswith("2cf24dba")
    with blobs.local_path(sha256) as path:
        assert path.read_bytes() == b"hello"
        os.utime(path, (0, 0))
    assert list(blobs.older_than(60)) == [sha256]
    blobs.delete(sha256)
    blobs.delete(sha256)
    assert list(blobs.older_than(-60)) == []


def test_the_same_bytes_may_come_many_times_at_once(tmp_path: Path) -> None:
    blobs = Blobs((tmp_path / "blobs").as_uri(), tmp_path / "scratch")
    source = tmp_path / "file"
    source.write_bytes(bytes(100_000))
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: blobs.put(source), range(200)))) == 1
    assert len([path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]) == 1


def test_blobs_outside_a_folder_are_copied_for_reading(tmp_path: Path) -> None:
    blobs = Blobs("memory://blobs", tmp_path / "scratch")
    source = tmp_path / "file"
    source.write_bytes(b"hello")
    sha256, _ = blobs.put(source)
    with blobs.local_path(sha256) as path:
        assert path.read_bytes() == b"hello"
    assert not path.exists()


def test_connections_that_the_server_has_closed_are_made_anew_unseen(postgres: str) -> None:
    mine, other = Database(fresh_database(postgres)), Database(postgres)
    for database in (mine, other):
        database.ping()
    ours = text("SELECT pg_backend_pid()")
    with mine.read() as one, mine.read() as two:
        closed = [one.scalar(ours), two.scalar(ours)]
    with other.write() as session:
        ended = [session.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid}) for pid in closed]
    assert ended == [True, True]
    with mine.read() as one, mine.read() as two:
        assert not {one.scalar(ours), two.scalar(ours)} & set(closed)
    for database in (mine, other):
        database.dispose()
