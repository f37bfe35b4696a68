"""Two API processes on two hosts behind one address: what they share."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from backpropd.client import Client
from backpropd.store.scheduling import tenants
from backpropd.store.sql.schema import Job
from tests.acceptance.faults import invariants, job_kinds
from tests.acceptance.faults.waiting import eventually
from tests.cluster.hosts import APIS, PORT, HostCluster

MINUTE_LIMIT = 40


def statuses(cluster: HostCluster, secret: str) -> list[int]:
    """What each API answers to a request with this key."""
    found = []
    for api in APIS:
        with cluster.http(api, secret) as client:
            found.append(client.get("/v1/jobs").status_code)
    return found


def test_a_key_made_through_one_is_valid_on_the_other_until_it_is_revoked_there(cluster: HostCluster) -> None:
    for first, second in (APIS, APIS[::-1]):
        made = cluster.request("/v1/keys", "POST", first, json={"scopes": ["read"]}).json()
        assert statuses(cluster, made["secret"]) == [200, 200]
        changed = cluster.request(f"/v1/keys/{made['id']}/rotate", "POST", second, json={}).json()
        assert statuses(cluster, made["secret"]) == [401, 401]
        assert statuses(cluster, changed["secret"]) == [200, 200]
        assert cluster.request(f"/v1/keys/{made['id']}", "DELETE", second).status_code == 204
        assert statuses(cluster, changed["secret"]) == [401, 401]


@pytest.fixture
def few_requests(cluster: HostCluster) -> Iterator[HostCluster]:
    """The APIs, with few requests a minute, and on the last one a clock that is an hour ahead."""
    cluster.clocks.shift(APIS[1], 3600)
    for api in APIS:
        cluster.restart(api, BACKPROPD_MAX_REQUESTS_PER_MINUTE=str(MINUTE_LIMIT))
    yield cluster
    for api in APIS:
        cluster.clocks.shift(api, 0)
        cluster.restart(api)


def test_requests_of_a_minute_are_counted_together(few_requests: HostCluster) -> None:
    secret = few_requests.new_key()
    with few_requests.http(APIS[0], secret) as one, few_requests.http(APIS[1], secret) as other:
        answers = [
            client.get("/v1/limits") for client, _ in zip(cycle([one, other]), range(MINUTE_LIMIT + 6), strict=False)
        ]
    assert [answer.status_code for answer in answers] == [200] * MINUTE_LIMIT + [429] * 6
    for answer in answers[MINUTE_LIMIT:]:
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_the_storage_of_a_tenant_is_counted_together(cluster: HostCluster) -> None:
    secret = cluster.new_key("small")
    rows = "x,y\n" + "".join(f"{n},{n * n}\n" for n in range(3000))
    with cluster.http(APIS[0], secret) as one, cluster.http(APIS[1], secret) as other:

        def store(client: httpx.Client, name: str) -> httpx.Response:
            return client.post(
                "/v1/datasets", params={"name": name}, content=rows, headers={"Content-Type": "text/csv"}
            )

        first = store(one, "a")
        assert first.status_code == 201, first.text
        size = one.get("/v1/usage").json()["bytes"]
        with cluster.database.write() as session:
            tenants.set_limits(session, "small", {"stored_bytes": int(1.5 * size)})
        for client in (other, one):
            refused = store(client, "b")
            assert (refused.status_code, refused.json()["code"]) == (413, "storage_full"), refused.text
        assert other.delete(f"/v1/datasets/{first.json()['id']}").status_code == 204
        assert store(one, "c").status_code == 201


def test_one_idempotency_key_makes_one_job_whichever_process_gets_it(cluster: HostCluster) -> None:
    body = job_kinds.request("adam", cluster.datasets)
    headers = {"Idempotency-Key": "once"}
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda number: cluster.request("/v1/jobs", "POST", APIS[number % 2], json=body, headers=headers),
                range(40),
            )
        )
    assert {answer.status_code for answer in answers} == {202}
    (job_id,) = {answer.json()["id"] for answer in answers}
    for api in APIS:
        changed = cluster.request("/v1/jobs", "POST", api, json={**body, "name": "other"}, headers=headers)
        assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_mismatch")
    with cluster.database.read() as session:
        number = cluster.job(job_id).number
        assert session.scalar(select(func.count()).select_from(Job).where(Job.number >= number)) == 1
    cluster.wait_until_ended([job_id])


def test_both_stream_the_same_events_and_a_stream_is_resumed_on_the_other(cluster: HostCluster) -> None:
    (job_id,) = cluster.post("adam", times=20)
    first = list(zip(events_of(cluster, APIS[0], job_id), range(200), strict=False))
    begun: list[Any] = [event for event, _ in first]
    rest = list(events_of(cluster, APIS[1], job_id, begun[-1].id))
    whole = begun + rest
    epochs = [event.data["epoch"] for event in whole if event.kind == "epoch"]
    assert epochs == list(range(1, cluster.job(job_id).epoch + 1))
    assert [event.data["status"] for event in whole if event.kind == "status"][-1] == "succeeded"
    again = [list(events_of(cluster, api, job_id)) for api in APIS]
    assert again[0] == again[1]
    assert [event.data for event in whole if event.kind == "epoch"] == [
        event.data for event in again[0] if event.kind == "epoch"
    ]


def events_of(cluster: HostCluster, api: str, job_id: str, last_event_id: str | None = None) -> Any:
    """The events of a job from one API."""
    with Client(f"http://{cluster.network.address(api)}:{PORT}", cluster.key) as client:
        yield from client.jobs.events(job_id, last_event_id)


def test_a_client_behind_the_balancer_does_not_notice_that_a_host_is_lost(cluster: HostCluster) -> None:
    (job_id,) = cluster.post("adam", times=60)
    epochs: list[int] = []
    with Client(f"http://{cluster.network.address('balancer')}:{PORT}", cluster.key) as client:
        for event in client.jobs.events(job_id):
            if event.kind == "epoch":
                epochs.append(event.data["epoch"])
            if len(epochs) == 300:
                cluster.kill(APIS[0])
            if len(epochs) == 600:
                cluster.start(APIS[0])
                eventually(lambda: cluster.request("/readyz", host=APIS[0]).status_code == 200, cluster.logs)
                cluster.kill(APIS[1])
    assert epochs == list(range(1, cluster.job(job_id).epoch + 1))
    assert cluster.job(job_id).attempts == 1
    invariants.assert_uninterrupted(cluster.database, cluster.settings, [job_id])
