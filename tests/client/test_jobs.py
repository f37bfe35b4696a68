"""Jobs: followed through streams that break, polled without a stream, and waited for."""

import time

import pytest

from backpropd.client import (
    Client,
    Epoch,
    JobDidNotSucceed,
    ServiceError,
    ServiceUnreachable,
    WaitTimeout,
    event_stream,
)
from backpropd.store.status import TERMINAL
from tests.client.stand_in import StandIn, problem
from tests.client.stand_in_answers import EPOCHS, NAME

ALL = list(range(1, EPOCHS + 1))


def test_epochs_are_read_over_all_pages(service: Client) -> None:
    assert [epoch["epoch"] for epoch in service.jobs.epochs("job_1")] == ALL
    assert [epoch["epoch"] for epoch in service.jobs.epochs("job_1", after=4)] == [5, 6]


def test_snapshots_are_read_over_all_pages(stand_in: StandIn, service: Client) -> None:
    found = list(service.jobs.snapshots("job_1"))
    assert [each["epoch"] for each in found] == [0, 5]
    assert found[1]["parameters"] == {"layers.0.weight": [[3.0], [4.0]], "layers.0.bias": [5]}
    assert [service.jobs.snapshot_file("job_1", after).next_after for after in (-1, 0)] == [0, None]


def test_a_fork_carries_a_key_so_that_it_can_be_repeated(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/fork", problem(503, "unavailable", "try again", {"Retry-After": "0"}))]
    fork = service.jobs.fork("job_1", 5, {"epochs": 20}, name="longer")
    assert fork["parent"] == {"job_id": "job_1", "epoch": 5}
    assert stand_in.bodies == [{"epoch": 5, "training": {"epochs": 20}, "name": "longer"}]
    first, second = stand_in.headers("/v1/jobs/job_1/fork", "Idempotency-Key")
    assert first == second


def test_the_client_knows_the_statuses_in_which_a_job_has_ended() -> None:
    assert set(event_stream.TERMINAL) == set(TERMINAL)


def test_events_end_with_the_job(service: Client) -> None:
    events = list(service.jobs.events("job_1"))
    assert [event.kind for event in events] == ["status", *["epoch"] * EPOCHS, "status"]
    assert events[-1].data["status"] == "succeeded"
    assert events[0].data["name"] == NAME


@pytest.mark.parametrize("aborts", [True, False])
@pytest.mark.parametrize("events", [0, 1, 4, EPOCHS + 1])
def test_a_broken_stream_is_resumed_after_its_last_event(
    stand_in: StandIn, service: Client, events: int, aborts: bool
) -> None:
    stand_in.break_after, stand_in.aborts = events, aborts
    numbers = [event.data["epoch"] for event in service.jobs.events("job_1") if event.kind == "epoch"]
    assert numbers == ALL
    assert stand_in.headers("/v1/jobs/job_1/events", "Last-Event-Id") == [None, str(events) if events else None]


def test_events_begin_after_the_given_id(service: Client) -> None:
    assert [event.id for event in service.jobs.events("job_1", "6")] == ["7", "8"]


def test_waiting_calls_back_for_every_epoch_and_status(service: Client) -> None:
    losses: list[float] = []
    statuses: list[str] = []
    job = service.jobs.wait(
        "job_1",
        on_epoch=lambda epoch: losses.append(epoch["loss"]),
        on_status=lambda job: statuses.append(job["status"]),
    )
    assert (len(losses), statuses, job["model_id"]) == (EPOCHS, ["running", "succeeded"], "model_1")


def test_a_job_whose_stream_is_rejected_is_polled(stand_in: StandIn, service: Client) -> None:
    stand_in.accepts_streams = False
    numbers: list[int] = []
    statuses: list[str] = []
    service.jobs.wait(
        "job_1",
        on_epoch=lambda epoch: numbers.append(epoch["epoch"]),
        on_status=lambda job: statuses.append(job["status"]),
    )
    assert numbers == ALL
    assert statuses == ["succeeded"]


def test_no_epoch_is_reported_twice_when_a_broken_stream_is_rejected(stand_in: StandIn, service: Client) -> None:
    stand_in.break_after = 4
    numbers: list[int] = []

    def on_epoch(epoch: Epoch) -> None:
        numbers.append(epoch["epoch"])
        stand_in.accepts_streams = False

    service.jobs.wait("job_1", on_epoch=on_epoch)
    assert numbers == ALL


def test_a_missing_job_raises(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/events", problem(404, "not_found", "no such job"))]
    with pytest.raises(ServiceError, match="no such job"):
        service.jobs.wait("job_1", on_epoch=print)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
@pytest.mark.parametrize("follow", [True, False])
def test_a_job_that_does_not_succeed_raises(stand_in: StandIn, service: Client, status: str, follow: bool) -> None:
    stand_in.final_status = status
    with pytest.raises(JobDidNotSucceed) as raised:
        service.jobs.wait("job_1", on_status=(lambda _: None) if follow else None)
    assert raised.value.status == status
    assert service.jobs.wait("job_1", check=False)["status"] == status


@pytest.mark.parametrize("follow", [True, False])
def test_waiting_times_out_without_any_event(stand_in: StandIn, service: Client, follow: bool) -> None:
    stand_in.silent = True
    began = time.monotonic()
    with pytest.raises(WaitTimeout, match="continues"):
        service.jobs.wait("job_1", on_epoch=(lambda _: None) if follow else None, timeout=0.2)
    assert time.monotonic() - began < 2


def test_a_service_that_stays_unreachable_raises(
    stand_in: StandIn, service: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "MAX_RECONNECTS", 3)
    stand_in.break_after = 2
    events = service.jobs.events("job_1")
    next(events)
    service._transport.http.base_url = "http://127.0.0.1:9"  # the discard port: nothing listens
    with pytest.raises(ServiceUnreachable):
        list(events)
