"""A job whose time is up ends in time, with a model, whatever it was doing."""

from typing import Any

import pytest

from tests.worker.conftest import ENDLESS, Stores
from tests.worker.faulty_stores import BlobsWithCallback
from worker import lease as leases
from worker.heartbeat_board import HeartbeatBoard

TIME = 0.7  # seconds
LATE = 15.0  # more, on a busy machine; without the limit they would never end


@pytest.fixture(autouse=True)
def loaded_kernels(stores: Stores) -> None:
    """A job that loads the kernels, as a worker does when it starts."""
    stores.post(epochs=1)
    assert stores.runner().run_one()


def ended(stores: Stores, job_id: str, **settings: Any) -> tuple[Any, list[str]]:
    """The job after a run that its time ends, and the codes of its warnings."""
    changed = stores.settings.model_copy(update=settings)
    assert stores.runner(settings=changed).run_one()
    job = stores.job(job_id)
    assert (job.status, job.stop_reason, job.error_code) == ("succeeded", "max_seconds", None)
    assert stores.model_sha256(job_id)
    assert [row[0] for row in stores.curve(job_id)] == list(range(1, job.epoch + 1))
    assert TIME <= job.training_seconds < TIME + LATE
    return job, [warning["code"] for warning in job.warnings or []]


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_training_ends_at_max_seconds_with_a_model(stores: Stores, engine: str) -> None:
    job_id = stores.post(epochs=ENDLESS, max_seconds=TIME, engine=engine)
    job, warnings = ended(stores, job_id)
    assert (job.epoch > 1, warnings) == (True, [])


def test_the_limit_of_the_service_ends_a_job_in_the_same_way_and_says_so(stores: Stores) -> None:
    _, warnings = ended(stores, stores.post(epochs=ENDLESS), max_job_seconds=TIME)
    assert warnings == ["job_seconds_limit"]


def test_an_epoch_that_is_longer_than_the_time_leaves_a_model_of_its_first_steps(stores: Stores) -> None:
    options = {"hidden": [{"units": 1500}, {"units": 1500}], "batch_size": 1, "engine": "numpy"}
    job, warnings = ended(stores, stores.post(epochs=5, max_seconds=TIME, **options))
    assert (job.epoch, warnings) == (0, ["no_epoch_finished"])


def test_a_job_whose_table_takes_all_its_time_still_has_a_model(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stores.post(epochs=ENDLESS, max_seconds=TIME)
    clock = leases.time.monotonic()

    def read_slowly() -> None:
        """Until twice the time has passed since the claim."""
        while leases.time.monotonic() < clock + 2 * TIME:
            pass

    runner = stores.runner(blobs=BlobsWithCallback(stores, read_slowly))
    assert runner.run_one()
    job = stores.job(job_id)
    assert (job.status, job.stop_reason, bool(job.model_id)) == ("succeeded", "max_seconds", True)
    assert job.epoch < ENDLESS


REFIT = {"early_stopping": {"monitor": "loss", "patience": ENDLESS}, "refit": True, "validation_fraction": 0.2}


def test_a_refit_for_which_no_time_is_left_is_skipped_with_its_reason(stores: Stores) -> None:
    job, warnings = ended(stores, stores.post(epochs=ENDLESS, **REFIT), max_job_seconds=TIME)
    assert warnings == ["refit_skipped", "job_seconds_limit"]
    assert [each["pointer"] for each in job.warnings] == [None, None]
    job, warnings = ended(stores, stores.post(epochs=ENDLESS, max_seconds=TIME, **REFIT))
    assert warnings == ["refit_skipped"]
    assert job.warnings[0]["pointer"] == "/training/max_seconds"


def test_a_refit_has_the_time_that_max_seconds_leaves(stores: Stores) -> None:
    limited, free = (stores.post(epochs=5, **REFIT, **limit) for limit in ({"max_seconds": 600.0}, {}))
    not_refitted = stores.post(epochs=5, max_seconds=600.0, **{**REFIT, "refit": False})
    runner = stores.runner()
    while runner.run_one():
        pass
    jobs = [stores.job(job_id) for job_id in (limited, free, not_refitted)]
    assert [(job.stop_reason, job.warnings) for job in jobs] == [("epochs", None)] * 3
    weights = [stores.model_sha256(job_id) for job_id in (limited, free, not_refitted)]
    assert (weights[0] == weights[1], weights[0] == weights[2]) == (True, False)


def test_lbfgs_ends_at_max_seconds_with_a_model(stores: Stores) -> None:
    # wide enough that it does not converge within the time
    options = {
        "optimizer": {"name": "lbfgs"},
        "batch_size": "full",
        "hidden": [{"units": 300}, {"units": 300}],
        "dtype": "float64",
    }
    job, _ = ended(stores, stores.post(epochs=ENDLESS, max_seconds=TIME, **options))
    assert job.epoch < ENDLESS  # on a busy machine it may not finish its first


def test_the_time_of_a_job_is_counted_over_its_turns(stores: Stores) -> None:
    job_id = stores.post(epochs=ENDLESS, max_seconds=TIME)
    stopping = stores.runner(board=HeartbeatBoard(1))
    with stores.training(stopping, job_id):
        stopping.board.stop()
    before = stores.job(job_id).training_seconds
    job, _ = ended(stores, job_id)
    assert (0 < before < job.training_seconds, job.attempts) == (True, 2)


@pytest.mark.parametrize("kind", ["perceptron"])
def test_a_threshold_neuron_ends_at_max_seconds(stores: Stores, kind: str) -> None:
    job, _ = ended(
        stores, stores.post(epochs=ENDLESS, max_seconds=TIME, network={"kind": kind}, validation_fraction=0.0)
    )
    assert job.epoch > 1
