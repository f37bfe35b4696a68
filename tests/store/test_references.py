"""Datasets and models that unfinished jobs need cannot be deleted."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from backpropd import errors
from backpropd.store import datasets, models
from backpropd.store.scheduling import claims, job_endings, submission
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Model
from tests.store.conftest import JOB, MODEL, TENANT, a_dataset, claim_next, read, write


def add_model(database: Database) -> str:
    """The id of a new model that a job can start from."""
    about = {"id": "model_1", "tenant": TENANT, "job_id": "job_1", "training_state": b"state"}
    with database.write() as session:
        session.add(Model(**{**MODEL, **about, "encoders": {"spec": {}}}, created_at=now()))
    return "model_1"


def test_the_datasets_and_the_model_to_start_from_stay_until_the_job_has_finished(database: Database) -> None:
    first, other, model_id = a_dataset(database), a_dataset(database), add_model(database)
    with database.write() as session:
        needs = {"validation_dataset_id": other, "warm_start_model_id": model_id}
        job = submission.submit(session, TENANT, dataset_id=first, **JOB, **needs).job
        with pytest.raises(errors.NotFound, match="no model 'model_2'"):
            submission.submit(session, TENANT, dataset_id=first, **JOB, warm_start_model_id="model_2")
    needed = [(datasets.delete, first), (datasets.delete, other), (models.delete, model_id)]
    for delete, id in needed:
        with pytest.raises(errors.Conflict):
            write(database, delete, TENANT, id)
    claim = claim_next(database)
    assert claim.validation == claims.DatasetSource(other, "00", [])
    warm_start = claims.WarmStart({"spec": {}}, b"w", b"state")
    assert read(database, claims.resume_point, claim).warm_start == warm_start
    write(database, job_endings.fail, claim, "code", "detail")
    for delete, id in needed:
        write(database, delete, TENANT, id)
    assert job.validation_dataset_id == other


@pytest.mark.parametrize("kind", [datasets, models])
def test_a_deletion_waits_for_a_concurrent_submission_and_then_fails(database: Database, kind: ModuleType) -> None:
    dataset_id, model_id = a_dataset(database), add_model(database)
    needed = {datasets: dataset_id, models: model_id}[kind]
    locked = threading.Event()

    def submit() -> str:
        with database.write() as session:
            job = submission.submit(session, TENANT, dataset_id=dataset_id, **JOB, warm_start_model_id=model_id).job
            locked.set()
            time.sleep(0.5)  # meanwhile the deletion begins
            return job.id

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(submit)
        assert locked.wait(10)
        with pytest.raises(errors.Conflict):
            write(database, kind.delete, TENANT, needed)
        assert job.result()
