"""API keys over HTTP and with the operator's commands."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from backpropd import errors
from backpropd.config import Settings
from backpropd.store.sql.column_types import CLOCKS
from backpropd.store.sql.schema import ApiKey
from tests.service.requests import Key, operate, rejected_pointers
from tests.service.validation import Client

FORM = r"bp_key_[0-9a-z]{25}_[0-9a-z]{39}"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def make(http: Client, admin: dict[str, str], **body: Any) -> dict[str, Any]:
    answer = http.post("/v1/keys", json={"scopes": ["read"], **body}, headers=admin)
    assert answer.status_code == 201, answer.text
    return answer.json


def test_a_key_is_created_used_listed_and_revoked(locked_http: Client, key: Key) -> None:
    admin = key("admin")
    made = make(locked_http, admin, name="laptop", scopes=["write", "read"])
    assert re.fullmatch(FORM, made["secret"])
    assert made["secret"].startswith(f"bp_{made['id']}_")
    assert made["scopes"] == ["read", "write"]
    assert locked_http.post("/v1/datasets", json={"sample": "iris"}, headers=bearer(made["secret"])).status_code == 201
    listed = locked_http.get("/v1/keys", headers=admin).json["data"]
    assert listed[0]["id"] == made["id"]
    assert listed[0]["name"] == "laptop"
    assert listed[0]["last_used_at"] is not None
    assert locked_http.delete(f"/v1/keys/{made['id']}", headers=admin).status_code == 204
    assert locked_http.get("/v1/jobs", headers=bearer(made["secret"])).status_code == 401
    assert locked_http.delete(f"/v1/keys/{made['id']}", headers=admin).status_code == 404


def test_a_secret_is_returned_once_and_stored_nowhere(
    locked_http: Client, key: Key, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    admin = key("admin")
    made = make(locked_http, admin)
    assert locked_http.get("/v1/jobs", headers=bearer(made["secret"])).status_code == 200
    secret = made["secret"].rpartition("_")[2]
    assert secret not in locked_http.get("/v1/keys", headers=admin).text
    assert secret not in locked_http.get(f"/v1/keys/{made['id']}", headers=admin).text
    assert secret not in locked_http.get("/v1/audit", headers=admin).text
    assert secret not in caplog.text
    for file in settings.data_dir.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes()


@pytest.mark.parametrize("position", [0, 5, 20, 40, -1])
def test_a_mistyped_key_is_recognized_without_the_database(locked: Flask, key: Key, position: int) -> None:
    text = list(key("read")["Authorization"].removeprefix("Bearer "))
    text[position] = "0" if text[position] != "0" else "1"
    with locked.extensions["backpropd"].database.engine.connect() as connection:  # any read would fail
        connection.exec_driver_sql("DROP TABLE api_keys")
        connection.commit()
    answer = locked.test_client().get("/v1/jobs", headers=bearer("".join(text)))
    assert (answer.status_code, answer.json["code"]) == (401, "key_mistyped")


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text + "0", str.upper, lambda text: "bp_"])
def test_a_truncated_or_changed_key_is_recognized(locked_http: Client, key: Key, change: Callable[[str], str]) -> None:
    text = change(key("read")["Authorization"].removeprefix("Bearer "))
    answer = locked_http.get("/v1/jobs", headers=bearer(text))
    assert (answer.status_code, answer.json["code"]) == (401, "key_mistyped")


def test_a_key_of_another_service_is_rejected(locked_http: Client, key: Key) -> None:
    mine = key("read")
    answer = locked_http.get("/v1/jobs", headers=bearer("bp_key_1k892xv0ksapdddv7idguprmx_" + "0" * 32 + "ec7jwe3"))
    assert answer.status_code == 401
    assert locked_http.get("/v1/jobs", headers=mine).status_code == 200


def test_a_key_expires(locked_http: Client, key: Key) -> None:
    soon, over = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(seconds=1)
    assert locked_http.get("/v1/jobs", headers=key("read", expires_at=soon)).status_code == 200
    answer = locked_http.get("/v1/jobs", headers=key("read", expires_at=over))
    assert (answer.status_code, answer.json["code"]) == (401, "key_expired")


def test_a_key_can_have_an_expiry(locked_http: Client, key: Key) -> None:
    made = make(locked_http, key("admin"), expires_at="2130-01-01T00:00:00+02:00")
    assert datetime.fromisoformat(made["expires_at"]) == datetime(2129, 12, 31, 22, tzinfo=UTC)
    assert locked_http.get("/v1/jobs", headers=bearer(made["secret"])).status_code == 200


def test_after_a_rotation_the_old_secret_is_valid_for_the_overlap(locked_http: Client, key: Key) -> None:
    admin = key("admin")
    first = make(locked_http, admin)
    second = locked_http.post(f"/v1/keys/{first['id']}/rotate", json={"overlap_seconds": 60}, headers=admin).json
    assert second["id"] == first["id"]
    for known in (first, second):
        assert locked_http.get("/v1/jobs", headers=bearer(known["secret"])).status_code == 200
    third = locked_http.post(f"/v1/keys/{first['id']}/rotate", json={}, headers=admin).json
    statuses = [
        locked_http.get("/v1/jobs", headers=bearer(each["secret"])).status_code for each in (first, second, third)
    ]
    assert statuses == [401, 401, 200]


def test_an_expired_key_cannot_be_rotated(locked: Flask, locked_http: Client, key: Key) -> None:
    admin = key("admin")
    made = make(locked_http, admin, expires_at="2130-01-01T00:00:00Z")
    with locked.extensions["backpropd"].database.write() as session:
        session.execute(
            update(ApiKey).where(ApiKey.id == made["id"]).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
        )
    answer = locked_http.post(f"/v1/keys/{made['id']}/rotate", json={}, headers=admin)
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert "create a new one" in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["root"]}, "/scopes/0"),
        ({}, "/scopes"),
        ({"scopes": ["read"], "tenant": "other"}, "/tenant"),
        ({"scopes": ["read"], "expires_at": "tomorrow"}, "/expires_at"),
        ({"scopes": ["read"], "expires_at": "2130-01-01T00:00:00"}, "/expires_at"),
        ({"scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"scopes": ["read"], "expires_at": "9999-12-31T23:59:59-23:59"}, "/expires_at"),
        ({"scopes": ["read"], "expires_at": "2130-13-01T00:00:00Z"}, "/expires_at"),
        ({"scopes": ["read"], "name": "a\u202eb"}, "/name"),
    ],
)
def test_an_invalid_key_request_is_rejected_with_its_pointer(
    locked_http: Client, key: Key, body: dict[str, Any], pointer: str
) -> None:
    assert rejected_pointers(locked_http.post("/v1/keys", json=body, headers=key("admin")))[0] == pointer


@pytest.fixture(params=[-1, 1])
def hours(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """By how many hours the database's clock is ahead of this machine's: its database must be opened later."""
    clock = CLOCKS["sqlite"]["now"].replace("'now'", f"'now', '{request.param:+d} hours'")
    monkeypatch.setitem(CLOCKS["sqlite"], "now", clock)
    return int(request.param)


def test_the_databases_clock_decides_whether_a_time_is_in_the_past(hours: int, locked_http: Client, key: Key) -> None:
    admin, there = key("admin"), datetime.now(UTC) + timedelta(hours=hours)
    soon, before = (f"{there + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}" for minutes in (30, -30))
    made = make(locked_http, admin, expires_at=soon)
    assert locked_http.get("/v1/jobs", headers=bearer(made["secret"])).status_code == 200
    refused = locked_http.post("/v1/keys", json={"scopes": ["read"], "expires_at": before}, headers=admin)
    assert rejected_pointers(refused) == ["/expires_at"]
    assert [each["id"] for each in locked_http.get("/v1/keys", headers=admin).json["data"]][:1] == [made["id"]]
    assert [each["action"] for each in locked_http.get("/v1/audit", headers=admin).json["data"]] == ["keys.create"]


def test_the_days_of_an_operators_key_begin_on_the_databases_clock(hours: int, locked: Flask, key: Key) -> None:
    operate(locked.extensions["backpropd"].settings, "keys", "create", "--days", "0.5")
    with locked.extensions["backpropd"].database.read() as session:
        made = session.scalars(select(ApiKey)).one()
    assert made.expires_at - made.created_at == timedelta(hours=12)
    assert abs(made.created_at - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=5)


def test_the_operator_creates_the_first_key(
    locked_http: Client, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    operate(settings, "keys", "list")
    assert capsys.readouterr().out == ""
    operate(settings, "keys", "create", "--name", "first", "--days", "30")
    secret = capsys.readouterr().out.strip()
    assert re.fullmatch(FORM, secret)
    made = make(locked_http, bearer(secret), scopes=["write"])
    operate(settings, "keys", "list")
    assert made["id"] in capsys.readouterr().out


def test_the_operator_rotates_and_revokes_keys_and_reads_the_audit_trail(
    locked_http: Client, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    operate(settings, "keys", "create", "--tenant", "acme", "--scopes", "read,write")
    first = capsys.readouterr().out.strip()
    key_id = first[3:].rpartition("_")[0]
    operate(settings, "keys", "rotate", key_id, "--tenant", "acme")
    second = capsys.readouterr().out.strip()
    assert locked_http.get("/v1/jobs", headers=bearer(first)).status_code == 401
    assert locked_http.get("/v1/jobs", headers=bearer(second)).status_code == 200
    operate(settings, "keys", "revoke", key_id, "--tenant", "acme")
    assert locked_http.get("/v1/jobs", headers=bearer(second)).status_code == 401
    capsys.readouterr()
    operate(settings, "audit")
    entries = [line.split()[2:] for line in capsys.readouterr().out.splitlines()]
    assert entries == [["operator", f"keys.{action}", key_id] for action in ("create", "rotate", "revoke")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--tenant", "A b"),
        ("--tenant", "../x"),
        ("--scopes", "root"),
        ("--scopes", ""),
        ("--days", "0"),
        ("--days", "1e9"),
        ("--days", "nan"),
    ],
)
def test_invalid_arguments_of_the_operator_are_rejected(
    locked: Flask, settings: Settings, arguments: tuple[str, str]
) -> None:
    with pytest.raises(errors.Invalid):
        operate(settings, "keys", "create", *arguments)
