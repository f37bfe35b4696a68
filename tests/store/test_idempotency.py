"""Idempotency keys: one resource for all requests with one key."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from backpropd import errors
from backpropd.store import idempotency
from backpropd.store.idempotency import KeyedRequest
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import IdempotencyKey
from tests.store.conftest import TENANT, write


def test_a_repeated_request_gives_what_the_first_one_created(database: Database) -> None:
    def existing(sha256: str, new_id: str, lifetime: float = 60) -> str | None:
        return write(database, idempotency.find_or_reserve, TENANT, KeyedRequest("r", "k", sha256, lifetime), new_id)

    assert existing("hash", "job_1") is None
    assert existing("hash", "job_2") == "job_1"
    with pytest.raises(errors.IdempotencyMismatch):
        existing("another", "job_3")
    assert existing("another", "job_4", lifetime=-1) is None  # the key had expired and is reserved anew
    assert existing("another", "job_5") == "job_4"


def test_a_request_without_a_key_never_finds_an_earlier_one(database: Database) -> None:
    for _ in range(2):
        assert write(database, idempotency.find_or_reserve, TENANT, None, "job_1") is None


def test_of_concurrent_requests_with_one_key_exactly_one_creates(database: Database) -> None:
    """Also if the first one fails, and if the key had expired."""

    def request(number: int) -> str:
        with database.write() as session:
            keyed = KeyedRequest("r", "k", "hash", 60)
            existing_id = idempotency.find_or_reserve(session, TENANT, keyed, f"job_{number}")
            time.sleep(0.02)
            if number == 0:
                raise errors.QueueFull("the first request fails")
            return existing_id or f"job_{number}"

    def concurrently(numbers: range) -> set[str]:
        with ThreadPoolExecutor(len(numbers)) as pool:
            requests = [pool.submit(request, number) for number in numbers]
        return {each.result() for each in requests if not isinstance(each.exception(), errors.QueueFull)}

    with pytest.raises(errors.QueueFull):
        request(0)
    first = concurrently(range(8))
    with database.write() as session:
        session.execute(update(IdempotencyKey).values(created_at=now(-61)))
    second = concurrently(range(10, 18))
    assert len(first) == len(second) == 1
    assert second.isdisjoint(first)
