"""A concurrency limit with patience: its threads wait a little for a slot."""

import threading

import pytest

from backpropd import errors
from service.limits.concurrency_limit import ConcurrencyLimit, Holder

ONE = Holder("tenant", "key")


def test_a_slot_that_is_given_back_within_the_patience_is_taken() -> None:
    limit = ConcurrencyLimit("things", 1, 1, 1, patience_seconds=60)
    limit.acquire(ONE)
    threading.Timer(0.05, limit.release, [ONE]).start()
    limit.acquire(ONE)


def test_a_request_is_refused_when_its_patience_has_ended() -> None:
    limit = ConcurrencyLimit("things", 2, 2, 1, patience_seconds=0.01)
    limit.acquire(ONE)
    with pytest.raises(errors.TooManyAtOnce):
        limit.acquire(ONE)
