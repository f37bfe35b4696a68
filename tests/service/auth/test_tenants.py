"""Tenants are isolated from each other, and deletions and changes of keys are audited."""

from typing import Any

import pytest
from flask import Flask

from backpropd.store import sizes
from service.app import ROUTES
from tests.service.requests import Key, Work, sample, train_model, with_key
from tests.service.validation import Client

BODIES: dict[str, Any] = {
    "/v1/models/{model_id}/predictions": {"rows": [[1.0]]},
    "/v1/models/{model_id}/trace": {"rows": [[1.0]]},
    "/v1/keys/{key_id}/rotate": {},
}
QUERIES = {"/v1/models/{model_id}/export": {"format": "json"}}
WITH_IDS = [route for route in ROUTES if "{" in route.path]


@pytest.fixture
def us(locked: Flask, key: Key) -> Client:
    """A client of an admin of one tenant."""
    return with_key(locked, key("admin", tenant="us"))


@pytest.fixture
def them(locked: Flask, key: Key) -> Client:
    """A client of an admin of another tenant."""
    return with_key(locked, key("admin", tenant="them"))


@pytest.fixture
def theirs(them: Client, work: Work) -> dict[str, str]:
    """One resource of each kind of another tenant: ids by their names in the paths."""
    model_id = train_model(them, work, sample(them, "iris"), "species")
    (job,), (key,) = (them.get(path).json["data"] for path in ("/v1/jobs", "/v1/keys"))
    return {"dataset_id": job["dataset_id"], "job_id": job["id"], "model_id": model_id, "key_id": key["id"]}


def test_another_tenants_ids_are_not_found(us: Client, them: Client, theirs: dict[str, str]) -> None:
    assert len(WITH_IDS) > 15
    for route in sorted(WITH_IDS, key=lambda route: route.method == "DELETE"):
        name = route.path.partition("{")[2].partition("}")[0]
        missing = theirs[name][:-5] + "00000"
        answers = []
        for id in (theirs[name], missing):
            path = route.path.replace(f"{{{name}}}", id)
            answer = us.open(
                path, method=route.method, query_string=QUERIES.get(route.path), json=BODIES.get(route.path)
            )
            answers.append((answer.status_code, answer.text.replace(id, "ID"), sorted(answer.headers.keys())))
        assert answers[0] == answers[1], route
        assert answers[0][0] == 404, route
        assert them.get("/v1/jobs").json["data"], route


@pytest.mark.usefixtures("theirs")
def test_lists_and_usage_cover_only_the_tenants_own_resources(us: Client, them: Client) -> None:
    for path in ("/v1/datasets", "/v1/jobs", "/v1/models"):
        assert us.get(path).json["data"] == []
        assert len(them.get(path).json["data"]) == 1
    assert len(us.get("/v1/keys").json["data"]) == 1
    ours = us.get("/v1/usage").json
    assert ours.pop("bytes") == sizes.API_KEY
    assert set(ours.values()) == {0}
    usage = them.get("/v1/usage").json
    assert (usage["jobs"], usage["datasets"], usage["rows"], usage["models"]) == (1, 1, 150, 1)
    assert usage["training_seconds"] > 0
    assert usage["bytes"] > 1000


@pytest.mark.parametrize("field", ["dataset_id", "validation_dataset_id", "warm_start_model_id"])
def test_a_job_cannot_use_another_tenants_resources(us: Client, theirs: dict[str, str], field: str) -> None:
    body: dict[str, Any] = {"dataset_id": sample(us, "iris"), "target": "species", "training": {}}
    if field == "dataset_id":
        body["dataset_id"] = theirs["dataset_id"]
    else:
        body["training"][field] = theirs["model_id" if "model" in field else "dataset_id"]
    assert us.post("/v1/jobs", json=body).status_code == 404


def test_idempotency_keys_of_two_tenants_are_independent(us: Client, them: Client) -> None:
    body, headers = {"sample": "iris"}, {"Idempotency-Key": "1"}
    assert len({each.post("/v1/datasets", json=body, headers=headers).json["id"] for each in (us, them)}) == 2


def test_every_deletion_and_every_change_of_a_key_is_audited(
    us: Client, locked: Flask, key: Key, theirs: dict[str, str]
) -> None:
    header = key("admin", tenant="them")
    them, actor = with_key(locked, header), header["Authorization"].removeprefix("Bearer bp_").rpartition("_")[0]
    audited = [route for route in ROUTES if route.method == "DELETE" or route.path == "/v1/keys/{key_id}/rotate"]
    for route in sorted(audited, key=lambda route: route.method == "DELETE"):
        name = route.path.partition("{")[2].partition("}")[0]
        path = route.path.replace(f"{{{name}}}", theirs[name])
        assert them.open(path, method=route.method, json=BODIES.get(route.path)).status_code < 300
        trail = them.get("/v1/audit").json
        assert (trail["data"][-1]["actor"], trail["data"][-1]["subject"]) == (actor, theirs[name]), route
    assert us.get("/v1/audit").json == {"data": [], "next_after": None}


def test_the_audit_trail_is_numbered_for_each_tenant_and_read_in_pages(us: Client, locked: Flask, key: Key) -> None:
    them = with_key(locked, key("admin", tenant="them"))
    for _ in range(3):
        for tenant in (us, them):
            tenant.post("/v1/keys", json={"scopes": ["read"]})
    for tenant in (us, them):
        first = tenant.get("/v1/audit?limit=2").json
        assert [entry["number"] for entry in first["data"]] == [1, 2]
        rest = tenant.get(f"/v1/audit?after={first['next_after']}").json
        assert ([entry["number"] for entry in rest["data"]], rest["next_after"]) == ([3], None)
