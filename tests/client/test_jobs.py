"""Jobs: watched through streams that break, polled where there is no stream, and waited for."""

from __future__ import annotations

import time

import pytest

from backpropd.client import Client, Epoch, client
from backpropd.errors import JobDidNotSucceed, ServiceError, ServiceUnreachable, WaitTimeout
from tests.client.stand_in import EPOCHS, StandIn, problem

ALL = list(range(1, EPOCHS + 1))


def test_all_epochs_come_over_their_pages(service: Client) -> None:
    assert [epoch["epoch"] for epoch in service.jobs.epochs("job_1")] == ALL
    assert [epoch["epoch"] for epoch in service.jobs.epochs("job_1", after=4)] == [5, 6]


def test_events_end_with_the_job(service: Client) -> None:
    events = list(service.jobs.events("job_1"))
    assert [event.kind for event in events] == ["status", *["epoch"] * EPOCHS, "status"]
    assert events[-1].data["status"] == "succeeded"


@pytest.mark.parametrize("abrupt", [True, False])
@pytest.mark.parametrize("events", [0, 1, 4, EPOCHS + 1])
def test_a_stream_that_breaks_off_is_taken_up_where_it_broke(
    stand_in: StandIn, service: Client, events: int, abrupt: bool
) -> None:
    stand_in.break_after, stand_in.abrupt = events, abrupt
    numbers = [event.data["epoch"] for event in service.jobs.events("job_1") if event.kind == "epoch"]
    assert numbers == ALL
    assert stand_in.headers("/v1/jobs/job_1/events", "Last-Event-Id") == [None, str(events) if events else None]


def test_events_go_on_after_the_id_that_is_given(service: Client) -> None:
    assert [event.id for event in service.jobs.events("job_1", "6")] == ["7", "8"]


def test_waiting_hears_of_every_epoch_and_status(service: Client) -> None:
    losses: list[float] = []
    statuses: list[str] = []
    job = service.jobs.wait(
        "job_1",
        on_epoch=lambda epoch: losses.append(epoch["loss"]),
        on_status=lambda job: statuses.append(job["status"]),
    )
    assert (len(losses), statuses, job["model_id"]) == (EPOCHS, ["running", "succeeded"], "model_1")


def test_refused_streams_are_no_loss_for_the_job_is_polled(stand_in: StandIn, service: Client) -> None:
    stand_in.streams = False
    numbers: list[int] = []
    statuses: list[str] = []
    service.jobs.wait(
        "job_1",
        on_epoch=lambda epoch: numbers.append(epoch["epoch"]),
        on_status=lambda job: statuses.append(job["status"]),
    )
    assert numbers == ALL
    assert statuses == ["succeeded"]


def test_no_epoch_is_heard_twice_when_a_broken_stream_is_refused(stand_in: StandIn, service: Client) -> None:
    stand_in.break_after = 4
    numbers: list[int] = []

    def heard(epoch: Epoch) -> None:
        numbers.append(epoch["epoch"])
        stand_in.streams = False

    service.jobs.wait("job_1", on_epoch=heard)
    assert numbers == ALL


def test_a_job_that_is_gone_ends_the_watch(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/events", problem(404, "not_found", "no such job"))]
    with pytest.raises(ServiceError, match="no such job"):
        service.jobs.wait("job_1", on_epoch=print)


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
@pytest.mark.parametrize("watched", [True, False])
def test_another_end_than_success_is_raised(stand_in: StandIn, service: Client, ending: str, watched: bool) -> None:
    stand_in.ending = ending
    with pytest.raises(JobDidNotSucceed) as raised:
        service.jobs.wait("job_1", on_status=(lambda _: None) if watched else None)
    assert raised.value.status == ending
    assert service.jobs.wait("job_1", check=False)["status"] == ending


@pytest.mark.parametrize("watched", [True, False])
def test_waiting_ends_in_time_though_nothing_is_heard(stand_in: StandIn, service: Client, watched: bool) -> None:
    stand_in.silent = True
    began = time.monotonic()
    with pytest.raises(WaitTimeout, match="goes on"):
        service.jobs.wait("job_1", on_epoch=(lambda _: None) if watched else None, timeout=0.2)
    assert time.monotonic() - began < 2


def test_a_service_that_went_away_for_good_ends_the_watch(
    stand_in: StandIn, service: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RECONNECTS", 3)
    stand_in.break_after = 2
    events = service.jobs.events("job_1")
    next(events)
    service._transport.http.base_url = "http://127.0.0.1:9"  # the discard port: nobody answers
    with pytest.raises(ServiceUnreachable):
        list(events)
