"""The lease thread: one for many jobs, none while there is no job."""

import threading
import time

import pytest

from tests.worker.conftest import wait_until
from worker import lease_thread
from worker.lease_thread import LeaseThread


@pytest.fixture(autouse=True)
def short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_thread, "TICK_SECONDS", 0.01)


def lease_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lease"]


def test_one_thread_serves_job_after_job_and_ends_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until(lambda: not lease_threads())
    monkeypatch.setattr(lease_thread, "TICK_SECONDS", 0.2)  # long enough for the next job to begin
    thread, calls = LeaseThread(), set[tuple[int, int]]()
    for job in range(3):
        called = [threading.Event(), threading.Event()]

        def tick(job: int = job, called: list[threading.Event] = called) -> None:
            calls.add((job, threading.get_ident()))
            called[called[0].is_set()].set()

        with thread.calling(tick):
            assert all(each.wait(10) for each in called)
    assert len({ident for _, ident in calls}) == 1
    assert {job for job, _ in calls} == {0, 1, 2}
    wait_until(lambda: not lease_threads())


def test_no_call_is_in_progress_after_the_block() -> None:
    began, ended = threading.Event(), threading.Event()

    def tick() -> None:
        began.set()
        time.sleep(0.1)
        ended.set()

    with LeaseThread().calling(tick):
        assert began.wait(10)
    assert ended.is_set()


def test_calls_go_on_after_one_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    calls, called_again = [], threading.Event()

    def fail_once() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError
        called_again.set()

    with LeaseThread().calling(fail_once):
        assert called_again.wait(10)
    assert "the lease was not checked" in caplog.text
