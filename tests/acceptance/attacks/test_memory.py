"""Attacks by many requests that each take much memory: together they stay below the limit that the API enforces."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.acceptance.attacks.api import JSON, Api, running_api
from tests.acceptance.attacks.observer import MIB

pytestmark = pytest.mark.acceptance

LIMIT = 800 * MIB
ROWS = b'{"rows": [' + b",".join([b'{"a":0}'] * 900_000) + b"]}"
THREADS = 24


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API with little memory."""
    with running_api(tmp_path_factory.mktemp("small"), {"API_MEMORY_BYTES": str(LIMIT)}) as running:
        yield running


def post(http: httpx.Client, path: str) -> int:
    """The status of an answer to the largest rows; one that rejects them for now says when to try again."""
    answer = http.post(path, content=ROWS, headers=JSON)
    assert (answer.status_code in (429, 503)) == ("retry-after" in answer.headers)
    return answer.status_code


def test_many_large_bodies_at_once_stay_below_the_limit(small: Api) -> None:
    with small.http() as http:
        dataset = http.post("/v1/datasets", json={"sample": "iris"}).json()["id"]
    path = f"/v1/models/{small.train(dataset_id=dataset, target='species', training={'epochs': 1})}/predictions"
    with small.http() as http, small.observed() as seen, ThreadPoolExecutor(THREADS) as threads:
        statuses = Counter(threads.map(lambda _: post(http, path), range(2 * THREADS)))
        with small.http(small.other) as other:
            assert other.post("/v1/datasets", json={"sample": "xor"}).status_code == 201
    assert set(statuses) == {422, 429}, statuses
    assert seen.memory_peak < LIMIT
    seen.check(seconds=60, mib=LIMIT / MIB)
