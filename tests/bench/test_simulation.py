"""The queue simulation behind docs/scaling.md agrees with the theory of queues where there is a formula."""

import statistics

import pytest

from bench.simulation import Costs, Site, posted_at_random_times, posted_one_after_the_other

FREE = {"client": 0.0, "api": 0.0, "broker": 0.0, "database": 0.0, "idle": 0.0}


def test_the_mean_wait_for_one_process_is_that_of_pollaczek_and_khinchine() -> None:
    service, utilization = 0.01, 0.7
    costs = Costs(FREE, {"worker": service, "database": 0.0, "idle": 0.0}, wake_up=0.0)
    waits = posted_at_random_times(costs, Site(1, 1, 1), utilization / service, 20_000).waits
    assert statistics.mean(waits) == pytest.approx(utilization * service / 2 / (1 - utilization), rel=0.1)


def test_programs_on_one_core_take_turns_and_waiting_for_the_disk_takes_no_core() -> None:
    costs = Costs({**FREE, "api": 0.004}, {"worker": 0.006, "database": 0.0, "idle": 0.02}, wake_up=0.0)
    outcome = posted_one_after_the_other(costs, Site(1, 8, 1, cores=1), 800, clients=4)
    assert outcome.per_second == pytest.approx(1 / 0.01, rel=0.05)


def test_a_job_waits_until_an_idle_worker_is_awake() -> None:
    costs = Costs(FREE, {"worker": 0.001, "database": 0.0, "idle": 0.0}, wake_up=0.005)
    assert posted_at_random_times(costs, Site(1, 1, 1), 0.1, 3).waits == pytest.approx([0.005] * 3)
