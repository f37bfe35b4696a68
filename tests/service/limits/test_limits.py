"""Limits: each is listed, and a request beyond it is rejected with a code and the number."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from backpropd import errors
from backpropd.config import Settings
from service import services
from service.limits.concurrency_limit import Holder
from service.limits.rate_limiter import RETRY_SECONDS, RateLimiter
from tests.servers import Redis
from tests.service.requests import Key, Work, at_once, submit, train_model, upload, with_key
from tests.service.validation import Client


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests do not wait for a slot that is just given back."""
    monkeypatch.setattr(services, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with small limits."""
    no_broker = f"redis+socket://{tmp_path}/no-redis.sock"
    return Settings(
        data_dir=tmp_path, broker_url=no_broker,
        max_upload_bytes=2000, max_json_bytes=1000, max_tenant_bytes=30_000, max_requests_per_minute=40,
        max_parameters=100, max_epochs=50, max_prediction_rows=3, max_trace_rows=2,
        max_event_streams_per_key=1, max_looks=2, max_looks_per_key=1,
    ).with_defaults()  # fmt: skip


TABLE = "a,b\n" + "1,2\n3,5\n" * 20
SMALL = {"hidden": [{"units": 4}]}  # within the limit of parameters
THREE_CLASSES = "a,b,c\n" + "".join(f"{n},{n % 7},{n % 3}\n" for n in range(100))


def trained(http: Client, work: Work) -> str:
    """Train a small model; gives its id."""
    return train_model(http, work, upload(http, THREE_CLASSES), "c", features=["a", "b"])


def assert_rejected(answer: Any, status: int, code: str, *numbers: int) -> None:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    for number in numbers:
        assert str(number) in answer.json["detail"]


def test_the_limits_are_listed(http: Client) -> None:
    limits = http.get("/v1/limits").json
    assert limits["upload_bytes"] == 2000
    assert limits["requests_per_minute"] == 40
    assert limits["stored_bytes"] == 30_000
    assert (limits["event_streams"], limits["bodies"], limits["looks"]) == (1, Settings().max_bodies, 1)
    assert limits["body_bytes_per_second"] == 1024
    assert limits["running_jobs"] == Settings().max_running_jobs_per_tenant


def test_a_request_beyond_a_limit_is_rejected_with_the_number(http: Client, work: Work) -> None:
    large = b"a,b\n" + b"1,2\n" * 1000
    assert_rejected(http.post("/v1/datasets", data=large, content_type="text/csv"), 413, "too_large", 2000)
    assert_rejected(http.post("/v1/jobs", json={"dataset_id": "x" * 1000, "target": "b"}), 413, "too_large", 1000)
    job: dict[str, Any] = {
        "dataset_id": upload(http, TABLE),
        "target": "b",
        "network": SMALL,
        "training": {"epochs": 2},
    }
    assert_rejected(http.post("/v1/jobs", json={**job, "training": {"epochs": 51}}), 422, "invalid", 50)
    wide = {"hidden": [{"units": 1000}]}
    assert_rejected(http.post("/v1/jobs", json={**job, "network": wide}), 422, "too_large_for_memory", 100)
    assert http.post("/v1/jobs", json=job).status_code == 202
    work()
    model_id = http.get("/v1/models").json["data"][0]["id"]
    assert_rejected(http.post(f"/v1/models/{model_id}/predictions", json={"rows": [[1]] * 4}), 422, "invalid", 3)
    assert_rejected(http.post(f"/v1/models/{model_id}/trace", json={"rows": [[1]] * 3}), 422, "invalid", 2)


def test_an_upload_beyond_the_storage_quota_is_rejected_until_something_is_deleted(http: Client) -> None:
    made = []
    for number in range(30):
        table = b"a,b\n" + b"%d,2\n3,5\n" % number * 5
        answer = http.post("/v1/datasets", data=table, content_type="text/csv")
        if answer.status_code != 201:
            break
        made.append(answer.json["id"])
    assert_rejected(answer, 413, "storage_full", 30_000)
    assert 1 < len(made) < 30
    for each in made[:2]:  # tables of other numbers take a few bytes more or less
        http.delete(f"/v1/datasets/{each}")
    assert http.post("/v1/datasets", data=table, content_type="text/csv").status_code == 201


def test_too_many_requests_a_minute_are_rejected_with_the_time_to_wait(http: Client) -> None:
    answers = [http.get("/v1/samples") for _ in range(80)]
    last = next(answer for answer in answers if answer.status_code != 200)
    assert_rejected(last, 429, "rate_limited", 40)
    assert 1 <= int(last.headers["Retry-After"]) <= 60


def test_each_key_has_its_own_rate_limit(locked: Flask, key: Key) -> None:
    busy, calm = with_key(locked, key("read")), with_key(locked, key("read"))
    assert {busy.get("/v1/samples").status_code for _ in range(80)} == {200, 429}
    assert calm.get("/v1/samples").status_code == 200
    assert busy.get("/healthz").status_code == 200


def test_each_key_has_its_own_limit_of_event_streams(locked: Flask, key: Key) -> None:
    us, others = with_key(locked, key("write")), with_key(locked, key("write"))
    job = submit(us, upload(us, TABLE), "b", network=SMALL, training={"epochs": 2})
    path = f"/v1/jobs/{job['id']}/events"
    with us.get(path) as stream:
        assert stream.status_code == 200
        assert_rejected(us.get(path), 429, "too_many_at_once", 1)
        with others.get(path) as another:
            assert another.status_code == 200
    with us.get(path) as stream:
        assert stream.status_code == 200


def test_inspections_are_limited_for_each_key_and_in_total(locked: Flask, key: Key, work: Work) -> None:
    keys = {name: key("write", tenant=name) for name in ("us", "them", "others")}
    paths = {name: f"/v1/models/{trained(with_key(locked, keys[name]), work)}/surface?points=51" for name in keys}

    def inspect(name: str) -> list[Any]:
        http = with_key(locked, keys[name])
        return [http.get(paths[name]) for _ in range(6)]

    def inspect_all(names: list[str]) -> set[tuple[int, str | None]]:
        """The statuses and codes when each of these tenants sends six requests, all at the same time."""
        answers = [answer for several in at_once(inspect, names) for answer in several]
        assert all("Retry-After" in answer.headers for answer in answers if answer.status_code != 200)
        return {(answer.status_code, answer.json.get("code")) for answer in answers}

    fine, own_are_used, all_are_used = (200, None), (429, "too_many_at_once"), (503, "unavailable")
    assert inspect_all(["us", "us"]) == {fine, own_are_used}
    together = inspect_all([*keys, *keys])
    assert {fine, all_are_used} <= together <= {fine, own_are_used, all_are_used}
    for name in keys:  # every slot was released, whatever the answer was
        http = with_key(locked, keys[name])
        assert http.get(paths[name]).status_code == 200
        assert http.get("/v1/models/model_x/surface").status_code == 404


@pytest.mark.parametrize("inspection", ["surface", "curve?feature=a", "weights", "weights?format=json", "trace"])
def test_every_kind_of_inspection_takes_a_slot(locked: Flask, key: Key, work: Work, inspection: str) -> None:
    ours = key("write")
    http, key_id = with_key(locked, ours), "key_" + ours["Authorization"].split("_")[2]
    request: dict[str, Any] = {"path": f"/v1/models/{trained(http, work)}/{inspection}"}
    if inspection == "trace":
        request |= {"method": "POST", "json": {"rows": [[1, 2]]}}
    with locked.extensions["backpropd"].inspections.slot(Holder("us", key_id)):
        assert_rejected(http.open(**request), 429, "too_many_at_once", 1)
        assert http.get("/v1/models").status_code == 200
    for _ in range(2):
        assert http.open(**request).status_code == 200


@contextmanager
def counted(redis: Redis) -> Iterator[Redis]:
    redis.start()
    try:
        yield redis
    finally:
        redis.close()


def count(limiter: RateLimiter, times: int) -> int:
    """How many of the requests are admitted."""
    passed = 0
    for _ in range(times):
        try:
            limiter.count("key_1")
            passed += 1
        except errors.RateLimited:
            pass
    return passed


def test_processes_share_their_counts_in_redis_and_count_separately_without_it(tmp_path: Path) -> None:
    with counted(Redis(tmp_path)) as redis:
        first, second = RateLimiter(redis.url, 10), RateLimiter(redis.url, 10)
        while time.time() % 60 > 50:  # the window must not end within the test
            time.sleep(0.1)
        assert count(first, 6) + count(second, 6) == 10
        redis.kill()
        assert count(first, 20) == 10
        assert count(second, 20) == 10


def test_a_redis_that_hangs_delays_requests_only_briefly(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        limiter = RateLimiter(f"redis+socket://{tmp_path}/silent.sock", 10_000)
        began = time.monotonic()
        assert count(limiter, 2000) == 2000
        assert time.monotonic() - began < RETRY_SECONDS
