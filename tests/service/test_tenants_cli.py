"""The operator's commands for tenants: weights, limits, export, and erasure."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from safetensors.numpy import load
from sqlalchemy import text

from backpropd import errors
from backpropd.config import Settings
from backpropd.store import tenant_export
from backpropd.store.sql.database import Database
from backpropd.store.sql.engines import sqlite_path
from tests.service.requests import Key, Work, operate, train_model, trainer, upload, with_key
from tests.service.validation import Client

SECRET_WORD = "Zaphod"  # in the table of the tenant that is deleted
TABLE = "name,x,y\n" + "".join(f"{SECRET_WORD} {n},{n}.5,{n % 2}\n" for n in range(20))


@pytest.fixture
def work_of_all(locked: Flask) -> Work:
    """A function that trains every queued job of the app with keys."""
    return trainer(locked)


@pytest.fixture
def tenants(locked: Flask, key: Key, work_of_all: Work) -> dict[str, Client]:
    """Two tenants, each with the same table, a trained job and a queued job."""
    clients = {name: with_key(locked, key("admin", tenant=name)) for name in ("acme", "other")}
    for client in clients.values():
        train_model(client, work_of_all, upload(client, TABLE), "y", features=["x"])
    for client in clients.values():
        dataset = client.get("/v1/datasets").json["data"][0]["id"]
        client.post("/v1/jobs", json={"dataset_id": dataset, "target": "y"}, headers={"Idempotency-Key": "one"})
    return clients


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_the_operator_gives_tenants_weights(
    locked_http: Client, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    operate(settings, "tenants", "weight", "acme", "2.5")
    operate(settings, "tenants", "list")
    operate(settings, "audit", "--tenant", "acme")
    listed, audited = lines(capsys)
    assert listed.split()[:7] == ["acme", "weight", "2.5", "queued", "0", "running", "0"]
    assert audited.split()[1:] == ["acme", "operator", "tenants.weight", "2.5"]
    for tenant, weight in (("acme", "0"), ("acme", "nan"), ("A b", "1")):
        with pytest.raises(errors.Invalid):
            operate(settings, "tenants", "weight", tenant, weight)


def test_the_list_has_every_tenant_with_what_it_stores(
    tenants: dict[str, Client], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    operate(settings, "tenants", "list")
    listed = lines(capsys)
    assert [line.split()[0] for line in listed] == ["acme", "other"]
    for name, line in zip(tenants, listed, strict=True):
        usage = tenants[name].get("/v1/usage").json
        counts = {kind: usage[kind] for kind in ("jobs", "datasets", "models", "bytes")}
        assert f"queued 1  running 0  {'  '.join(f'{kind} {count}' for kind, count in counts.items())}" in line


def test_a_tenant_has_the_limits_that_the_operator_gave_it_and_others_those_of_the_settings(
    tenants: dict[str, Client], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    acme, other = tenants.values()
    operate(settings, "tenants", "limit", "acme", "--queued-jobs", "2", "--stored-bytes", "1000000")
    ours, theirs = (client.get("/v1/limits").json for client in (acme, other))
    assert {name: value for name, value in ours.items() if value != theirs[name]} == {
        "queued_jobs": 2,
        "stored_bytes": 1_000_000,
    }
    dataset = acme.get("/v1/datasets").json["data"][0]["id"]
    job = {"dataset_id": dataset, "target": "y"}
    assert [acme.post("/v1/jobs", json=job).status_code for _ in range(2)] == [202, 429]
    operate(settings, "tenants", "limit", "acme", "--stored-bytes", "5000", "--queued-jobs", "default")
    full = acme.post("/v1/datasets", data=TABLE, headers={"Content-Type": "text/csv"})
    assert full.status_code == 413, full.json
    assert "the limit is 5000 bytes" in full.json["detail"]
    upload(other, TABLE)
    operate(settings, "tenants", "list")
    assert lines(capsys)[0].endswith("  stored_bytes at most 5000")
    for wrong in (("--queued-jobs", "-1"), ("--running-jobs", "0"), ("--queued-jobs", "few"), ()):
        with pytest.raises(errors.Invalid):
            operate(settings, "tenants", "limit", "acme", *wrong)


def test_an_export_has_every_row_and_file_of_the_tenant_and_no_secret(
    tenants: dict[str, Client], settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_export, "PAGE", 2)
    acme = tenants["acme"]
    operate(settings, "tenants", "export", "acme", str(tmp_path / "acme.zip"))
    assert (tmp_path / "acme.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(tmp_path / "acme.zip") as archive:
        names = archive.namelist()
        rows = {name: [json.loads(line) for line in archive.open(name)] for name in names if name.endswith(".jsonl")}
        (model,) = acme.get("/v1/models").json["data"]
        weights = archive.read(f"models/{model['id']}.weights.safetensors")
        dataset = acme.get("/v1/datasets").json["data"][0]["id"]
        assert archive.read(f"datasets/{dataset}.parquet")[:4] == b"PAR1"
    assert sum(array.size for array in load(weights).values()) == model["parameters"]
    assert {row["tenant"] for found in rows.values() for row in found} == {"acme"}
    assert ids(rows["jobs.jsonl"]) == ids(acme.get("/v1/jobs").json["data"])
    assert len(rows["epochs.jsonl"]) == 3
    assert rows["api_keys.jsonl"]
    assert not any("sha256" in name for row in rows["api_keys.jsonl"] for name in row)
    with pytest.raises(errors.Invalid, match="does not exist"):
        operate(settings, "tenants", "export", "acme", str(tmp_path / "acme.zip"))


def test_an_export_that_fails_leaves_no_file(tenants: dict[str, Client], settings: Settings, tmp_path: Path) -> None:
    database = Database(settings.database_url)
    with database.write() as session:
        session.execute(text("ALTER TABLE epochs RENAME TO elsewhere"))
    database.dispose()
    with pytest.raises(errors.BackpropdError):
        operate(settings, "tenants", "export", "acme", str(tmp_path / "acme.zip"))
    assert not list(tmp_path.glob("acme.zip*"))


def test_a_mistyped_tenant_is_neither_exported_nor_deleted_nor_listed(
    tenants: dict[str, Client], settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (("export", "amce", str(tmp_path / "amce.zip")), ("delete", "amce", "--yes")):
        with pytest.raises(errors.NotFound, match="tenants list"):
            operate(settings, "tenants", *command)
    assert not list(tmp_path.glob("amce.zip*"))
    operate(settings, "tenants", "list")
    assert [line.split()[0] for line in lines(capsys)] == ["acme", "other"]


def test_each_erasure_that_deleted_something_stays_in_the_audit_trail(
    tenants: dict[str, Client], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    operate(settings, "tenants", "delete", "acme", "--yes")
    operate(settings, "tenants", "delete", "acme", "--yes")  # which finds nothing
    operate(settings, "audit", "--tenant", "acme")
    first = lines(capsys)
    assert len(first) == 1
    operate(settings, "tenants", "weight", "acme", "2")
    operate(settings, "tenants", "delete", "acme", "--yes")
    operate(settings, "audit", "--tenant", "acme")
    again = lines(capsys)
    assert again[0] == first[0]
    assert [line.split()[3] for line in again] == ["tenants.delete"] * 2


def ids(found: list[dict[str, Any]]) -> set[str]:
    return {each["id"] for each in found}


def test_a_deleted_tenant_leaves_one_audit_entry_and_the_other_tenant_keeps_everything(
    tenants: dict[str, Client], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    acme, other = tenants.values()
    before = other.get("/v1/usage").json
    with pytest.raises(errors.Invalid, match="--yes"):
        operate(settings, "tenants", "delete", "acme")
    assert acme.get("/v1/usage").status_code == 200
    operate(settings, "tenants", "delete", "acme", "--yes")
    assert acme.get("/v1/usage").status_code == 401
    assert other.get("/v1/usage").json == before
    dataset = other.get("/v1/datasets").json["data"][0]["id"]
    assert other.get(f"/v1/datasets/{dataset}/rows").status_code == 200  # the same bytes, which stay
    capsys.readouterr()
    operate(settings, "audit")
    operate(settings, "tenants", "list")
    entry, *listed = lines(capsys)
    assert entry.split()[1:] == ["acme", "operator", "tenants.delete", "acme"]
    assert listed[0].split()[:11] == [
        "acme",
        "weight",
        "1",
        "queued",
        "0",
        "running",
        "0",
        "jobs",
        "0",
        "datasets",
        "0",
    ]
    operate(settings, "tenants", "delete", "other", "--yes")
    assert not [path for path in Path(settings.blobs_url).rglob("*") if path.is_file()]
    assert SECRET_WORD.encode() not in Path(sqlite_path(settings.database_url)).read_bytes()


def test_an_erasure_leaves_nothing_of_what_was_deleted_earlier(locked: Flask, key: Key, settings: Settings) -> None:
    client = with_key(locked, key("admin", tenant="acme"))
    datasets = [upload(client, f"{SECRET_WORD} {n},y\n" + "1,2\n" * 3) for n in range(30)]
    for dataset in datasets:
        assert client.delete(f"/v1/datasets/{dataset}").status_code == 204
    operate(settings, "tenants", "delete", "acme", "--yes")
    database = Path(sqlite_path(settings.database_url))
    for path in database.parent.glob(f"{database.name}*"):
        assert SECRET_WORD.encode() not in path.read_bytes(), path
