"""Tenants are isolated from each other, and deletions and changes of keys are audited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.app import ROUTES

Key = Callable[..., dict[str, str]]
BODIES: dict[str, Any] = {
    "/v1/models/{model_id}/predictions": {"rows": [[1.0]]},
    "/v1/models/{model_id}/trace": {"rows": [[1.0]]},
    "/v1/keys/{key_id}/rotate": {},
}
WITH_IDS = [route for route in ROUTES if "{" in route.path]


@pytest.fixture
def http(locked: Flask) -> FlaskClient:
    """A client of the app with keys."""
    return locked.test_client()


@pytest.fixture
def theirs(http: FlaskClient, key: Key, work: Callable[[], None]) -> dict[str, str]:
    """One resource of each kind of another tenant: ids by their names in the paths."""
    them = key("admin", tenant="them")
    dataset_id = http.post("/v1/datasets", json={"sample": "iris"}, headers=them).json["id"]  # type: ignore[index]
    body = {"dataset_id": dataset_id, "target": "species", "training": {"epochs": 2}}
    job_id = http.post("/v1/jobs", json=body, headers=them).json["id"]  # type: ignore[index]
    work()
    model_id = http.get(f"/v1/jobs/{job_id}", headers=them).json["model_id"]  # type: ignore[index]
    key_id = http.get("/v1/keys", headers=them).json["data"][0]["id"]  # type: ignore[index]
    return {"dataset_id": dataset_id, "job_id": job_id, "model_id": model_id, "key_id": key_id}


@pytest.fixture
def app(locked: Flask) -> Flask:
    """The app whose jobs `work` trains."""
    return locked


def test_another_tenants_ids_are_not_found(http: FlaskClient, key: Key, theirs: dict[str, str]) -> None:
    us, them = key("admin", tenant="us"), key("admin", tenant="them")
    assert len(WITH_IDS) > 15
    for route in sorted(WITH_IDS, key=lambda route: route.method == "DELETE"):
        name = route.path.partition("{")[2].partition("}")[0]
        missing = theirs[name][:-5] + "00000"
        answers = []
        for id in (theirs[name], missing):
            path = route.path.replace(f"{{{name}}}", id)
            answer = http.open(path, method=route.method, json=BODIES.get(route.path), headers=us)
            answers.append((answer.status_code, answer.text.replace(id, "ID"), sorted(answer.headers.keys())))
        assert answers[0] == answers[1], route
        assert answers[0][0] == 404, route
        assert http.get("/v1/jobs", headers=them).json["data"], route  # type: ignore[index]


def test_lists_and_usage_cover_only_the_tenants_own_resources(
    http: FlaskClient, key: Key, theirs: dict[str, str]
) -> None:
    us, them = key("admin", tenant="us"), key("admin", tenant="them")
    for path in ("/v1/datasets", "/v1/jobs", "/v1/models"):
        assert http.get(path, headers=us).json["data"] == []  # type: ignore[index]
        assert len(http.get(path, headers=them).json["data"]) == 1  # type: ignore[index]
    assert len(http.get("/v1/keys", headers=us).json["data"]) == 1  # type: ignore[index]
    assert set(http.get("/v1/usage", headers=us).json.values()) == {0}  # type: ignore[union-attr]
    usage = http.get("/v1/usage", headers=them).json
    assert usage is not None
    assert (usage["jobs"], usage["datasets"], usage["rows"], usage["models"]) == (1, 1, 150, 1)
    assert usage["training_seconds"] > 0
    assert usage["bytes"] > 1000


@pytest.mark.parametrize("field", ["dataset_id", "validation_dataset_id", "warm_start_model_id"])
def test_a_job_cannot_use_another_tenants_resources(
    http: FlaskClient, key: Key, theirs: dict[str, str], field: str
) -> None:
    us = key("admin", tenant="us")
    own = http.post("/v1/datasets", json={"sample": "iris"}, headers=us).json["id"]  # type: ignore[index]
    body: dict[str, Any] = {"dataset_id": own, "target": "species", "training": {}}
    if field == "dataset_id":
        body["dataset_id"] = theirs["dataset_id"]
    else:
        body["training"][field] = theirs["model_id" if "model" in field else "dataset_id"]
    assert http.post("/v1/jobs", json=body, headers=us).status_code == 404


def test_idempotency_keys_of_two_tenants_are_independent(http: FlaskClient, key: Key) -> None:
    created = set()
    for tenant in ("us", "them"):
        headers = {**key("write", tenant=tenant), "Idempotency-Key": "1"}
        created.add(http.post("/v1/datasets", json={"sample": "iris"}, headers=headers).json["id"])  # type: ignore[index]
    assert len(created) == 2


def test_every_deletion_and_every_change_of_a_key_is_audited(
    http: FlaskClient, key: Key, theirs: dict[str, str]
) -> None:
    them = key("admin", tenant="them")
    actor = them["Authorization"].removeprefix("Bearer bp_").rpartition("_")[0]
    audited = [route for route in ROUTES if route.method == "DELETE" or route.path == "/v1/keys/{key_id}/rotate"]
    for route in sorted(audited, key=lambda route: route.method == "DELETE"):
        name = route.path.partition("{")[2].partition("}")[0]
        path = route.path.replace(f"{{{name}}}", theirs[name])
        assert http.open(path, method=route.method, json=BODIES.get(route.path), headers=them).status_code < 300
        trail = http.get("/v1/audit", headers=them).json
        assert trail is not None
        assert (trail["data"][-1]["actor"], trail["data"][-1]["subject"]) == (actor, theirs[name]), route
    assert http.get("/v1/audit", headers=key("admin", tenant="us")).json == {"data": [], "next_after": None}


def test_the_audit_trail_is_read_in_pages(http: FlaskClient, key: Key) -> None:
    us = key("admin")
    for _ in range(3):
        http.post("/v1/keys", json={"scopes": ["read"]}, headers=us)
    first = http.get("/v1/audit?limit=2", headers=us).json
    assert first is not None
    assert len(first["data"]) == 2
    rest = http.get(f"/v1/audit?after={first['next_after']}", headers=us).json
    assert rest is not None
    assert len(rest["data"]) == 1
    assert rest["next_after"] is None
