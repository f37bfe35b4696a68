"""The keeper's thread: one for many jobs, none while there is nothing to look after."""

from __future__ import annotations

import threading
import time

import pytest

from tests.worker.conftest import wait_until
from worker import lease_thread
from worker.lease_thread import LeaseThread


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr(lease_thread, "LOOK_SECONDS", 0.01)


def keepers() -> list[threading.Thread]:
    """The threads that keep."""
    return [thread for thread in threading.enumerate() if thread.name == "keeper"]


def test_one_thread_serves_one_job_after_the_other_and_ends_with_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until(lambda: not keepers())
    monkeypatch.setattr(lease_thread, "LOOK_SECONDS", 0.2)  # long enough for the next job to come
    kept, seen = LeaseThread(), set[tuple[int, int]]()
    for job in range(3):
        looks = [threading.Event(), threading.Event()]

        def look(job: int = job, looks: list[threading.Event] = looks) -> None:
            seen.add((job, threading.get_ident()))
            looks[looks[0].is_set()].set()

        with kept.keeping(look):
            assert all(each.wait(10) for each in looks)
    assert len({thread for _, thread in seen}) == 1
    assert {job for job, _ in seen} == {0, 1, 2}
    wait_until(lambda: not keepers())


def test_no_look_is_under_way_when_the_block_is_left() -> None:
    began, over = threading.Event(), threading.Event()

    def look() -> None:
        began.set()
        time.sleep(0.1)
        over.set()

    with LeaseThread().keeping(look):
        assert began.wait(10)
    assert over.is_set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_look_that_fails_does_not_leave_the_next_job_alone() -> None:
    kept, looked = LeaseThread(), threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    with kept.keeping(fail):
        wait_until(lambda: not keepers())
    with kept.keeping(looked.set):
        assert looked.wait(10)
