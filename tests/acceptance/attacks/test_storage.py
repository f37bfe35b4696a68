"""Attacks on the storage: millions of epochs, wide descriptions, uploads beyond the quota."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backpropd.store.curve_buckets import MAX_EPOCHS
from tests.acceptance.attacks.api import CSV, Api, running_api

pytestmark = pytest.mark.acceptance

QUOTA = 300_000
EPOCHS = 2 * MAX_EPOCHS


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Api]:
    """An API whose tenants may store 300 kB."""
    with running_api(tmp_path, {"MAX_TENANT_BYTES": str(QUOTA)}) as running:
        yield running


def used(http: httpx.Client) -> int:
    return int(http.get("/v1/usage").json()["bytes"])


def files(api: Api) -> list[Path]:
    """The blobs, and what uploads are working on."""
    folders = api.settings.data_dir / "blobs", api.settings.data_dir / "scratch"
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def test_refused_uploads_leave_nothing_behind(small: Api) -> None:
    table = "a,b\n" + "".join(f"{n}.{n * 7919 % 99991},{n * n % 10007}\n" for n in range(30_000))
    with small.http() as http, small.observed() as seen:
        before = used(http), files(small)
        for number in range(5):
            headers = {**CSV, "Idempotency-Key": str(number)}
            answer = http.post("/v1/datasets", content=f"{table}{number},1\n", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (413, "storage_full")
        assert (used(http), files(small)) == before
        assert http.get("/v1/datasets").json()["data"] == []
    seen.check(seconds=60, mib=300)


def test_requests_that_store_little_each_reach_the_quota_too(small: Api) -> None:
    with small.http() as http:
        kept = http.post("/v1/datasets", json={"sample": "xor"}).json()["id"]
        statuses = set()
        for number in range(200):
            body = {"dataset_id": kept, "target": "y", "metadata": {"note": "x" * 1000}}
            body["target"] = http.get(f"/v1/datasets/{kept}").json()["columns"][-1]["name"]
            answer = http.post("/v1/jobs", json=body, headers={"Idempotency-Key": f"k{number}"})
            statuses.add(answer.status_code)
            if answer.status_code == 413:
                break
        assert statuses == {202, 413}
        assert used(http) <= QUOTA
        assert http.post("/v1/datasets", json={"sample": "iris"}).json()["code"] == "storage_full"
    with small.http(small.other) as http:
        assert http.post("/v1/datasets", json={"sample": "iris"}).status_code == 201


def test_a_description_of_many_long_names_is_refused(api: Api) -> None:
    names = [f"{number:05}{'n' * 145}" for number in range(15_000)]
    table = "\n".join([",".join(names), *(",".join([row] * len(names)) for row in "1234")])
    with api.http() as http:
        answer = http.post("/v1/datasets", content=table, headers=CSV)
        assert answer.status_code == 201, answer.text
        before = used(http)
        with api.observed() as seen:
            job = {"dataset_id": answer.json()["id"], "target": names[0], "network": {"hidden": []}}
            refused = http.post("/v1/jobs", json=job)
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large"), refused.text[:500]
        assert used(http) == before
        seen.check(seconds=20, mib=600)


def test_a_job_of_many_epochs_keeps_a_thinned_curve(api: Api) -> None:
    with api.http() as http:
        dataset = http.post("/v1/datasets", json={"sample": "and"}).json()
        target = dataset["columns"][-1]["name"]
        training = {"epochs": EPOCHS, "batch_size": "full", "optimizer": {"name": "sgd", "learning_rate": 1e-9}}
        before = used(http)
        api.train(dataset_id=dataset["id"], target=target, network={"hidden": []}, training=training)
        job = http.get("/v1/jobs?limit=1").json()["data"][0]
        job = http.get(f"/v1/jobs/{job['id']}").json()
        assert job["progress"]["epoch"] == EPOCHS
        assert job["curve"]["thinned"]
        found, after = [], 0
        while after is not None:
            page = http.get(f"/v1/jobs/{job['id']}/epochs", params={"after": after, "limit": 10_000}).json()
            found += [epoch["epoch"] for epoch in page["data"]]
            after = page["next_after"]
        assert (found[0], found[-1], len(found) <= MAX_EPOCHS) == (1, EPOCHS, True)
        assert found == sorted(set(found))
        few = http.get(f"/v1/jobs/{job['id']}/epochs", params={"points": 100}).json()["data"]
        assert 90 <= len(few) <= 100
        with http.stream("GET", f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": f"9-{found[-3]}"}) as stream:
            text = "".join(stream.iter_text())
        assert text.count("event: epoch") == 2
        assert used(http) - before < MAX_EPOCHS * 230
