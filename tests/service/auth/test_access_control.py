"""Access control: keys and scopes, and in the mode without keys the hosts and origins of requests."""

from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from backpropd import errors
from backpropd.config import Settings
from service.app import ROUTES
from service.auth.access_control import KEY_OPTIONAL, PUBLIC
from tests.service.requests import Key
from tests.service.validation import Client


@pytest.fixture
def settings(tmp_path: Path, broker_url: str) -> Settings:
    """Settings with a broker, so that /readyz does not wait for one."""
    return Settings(data_dir=tmp_path, broker_url=broker_url).with_defaults()


PUBLIC_PATHS = {
    *("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"),
    *("/openapi.json", "/docs", "/docs/start.js", "/docs/<path:name>"),
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def address(rule: Rule) -> str:
    """The path of a rule, with some value for each parameter."""
    _, path = rule.build(dict.fromkeys(rule.arguments, "x")) or ("", "")
    return path


@pytest.mark.parametrize("method", METHODS)
def test_every_route_needs_a_key_except_the_public_ones(locked: Flask, method: str) -> None:
    http, public = locked.test_client(), set()
    for rule in locked.url_map.iter_rules():
        with http.open(address(rule), method=method) as answer:
            if answer.status_code != 401:
                public.add(rule.rule)
            else:
                assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert public <= PUBLIC_PATHS
    if method == "GET":
        assert public == PUBLIC_PATHS


def test_readiness_without_a_key_is_the_status_alone(locked: Flask, key: Key) -> None:
    http = locked.test_client()
    assert set(http.get("/readyz").json) == {"status"}
    assert {"database", "disk", "broker"} < set(http.get("/readyz", headers=key()).json)
    assert http.get("/readyz", headers={"Authorization": "Bearer bp_key_unknown"}).status_code == 401


def test_an_unknown_path_needs_a_key_too(locked: Flask, key: Key) -> None:
    http = locked.test_client()
    assert http.get("/v1/nothing").status_code == 401
    assert http.get("/v1/nothing", headers=key()).status_code == 404
    assert http.post("/healthz").status_code == 401


def test_a_route_without_a_scope_is_for_admins(locked: Flask, key: Key) -> None:
    locked.add_url_rule("/v1/new", view_func=lambda: "in", endpoint="new")
    http = locked.test_client()
    assert http.get("/v1/new").status_code == 401
    assert http.get("/v1/new", headers=key("write")).status_code == 403
    assert http.get("/v1/new", headers=key("admin")).status_code == 200


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
def test_a_key_is_admitted_up_to_its_scope(locked: Flask, key: Key, scope: str) -> None:
    http, headers, ranks = locked.test_client(), key(scope), ("read", "write", "admin")
    for route in ROUTES:
        if route.scope in (PUBLIC, KEY_OPTIONAL):
            continue
        path = route.path.replace("{", "").replace("}", "")
        answer = http.open(path, method=route.method, headers=headers)
        rejected = answer.status_code == 403
        assert rejected == (ranks.index(route.required_scope) > ranks.index(scope)), (route, answer.text)
        if rejected:
            assert answer.json["code"] == "missing_scope"
            assert f'scope="{route.required_scope}"' in answer.headers["WWW-Authenticate"]


def test_get_needs_read_changes_need_write_and_keys_need_admin() -> None:
    for route in ROUTES:
        default = "read" if route.method == "GET" else "write"
        if route.scope not in (PUBLIC, KEY_OPTIONAL):
            for_admins = route.path.startswith(("/v1/keys", "/v1/audit"))
            assert route.required_scope == ("admin" if for_admins else default)


@pytest.mark.parametrize("header", ["", "Basic dXM6dGhlbQ==", "Bearer", "Bearer ", "bp_key_x_y", "Bearer a, Bearer b"])
def test_an_authorization_header_without_a_key_is_rejected(locked: Flask, header: str) -> None:
    answer = locked.test_client().get("/v1/jobs", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json["code"] in ("unauthenticated", "key_mistyped")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "127.8.9.1", "[::1]:80"]
)
def test_the_local_mode_accepts_loopback_hosts(http: Client, host: str) -> None:
    assert http.get("/v1/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost, evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "127.0.0.1:80:80",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/healthz", "/docs", "/nowhere"])
def test_the_local_mode_rejects_other_hosts(http: Client, host: str, path: str) -> None:
    answer = http.get(path, headers={"Host": host})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://localhost:3000", "http://127.0.0.1:8000", "file://", ""]
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/datasets"), ("GET", "/v1/jobs"), ("OPTIONS", "/v1/jobs")])
def test_requests_from_other_origins_are_rejected(http: Client, method: str, path: str, origin: str) -> None:
    answer = http.open(path, method=method, headers={"Host": "localhost:8000", "Origin": origin})
    assert answer.status_code == 403
    assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118


def test_requests_from_the_own_origin_are_accepted(http: Client) -> None:
    own = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
    assert http.post("/v1/datasets", json={"sample": "iris"}, headers=own).status_code == 201


SITES = {"same-origin": 200, "none": 200, "same-site": 403, "cross-site": 403, "anything": 403}


@pytest.mark.parametrize(("site", "status"), SITES.items())
@pytest.mark.parametrize(
    ("path", "mode", "place"),
    [
        ("/v1/jobs", "no-cors", "image"),
        ("/v1/jobs", "navigate", "document"),
        ("/openapi.json", "no-cors", "script"),
        ("/docs", "no-cors", "empty"),
        ("/docs", "navigate", "iframe"),
        ("/healthz", "cors", "empty"),
    ],
)
def test_what_pages_of_other_sites_load_is_rejected(
    http: Client, site: str, status: int, path: str, mode: str, place: str
) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": place}
    with http.get(path, headers=headers) as answer:
        assert answer.status_code == status


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_links_on_other_sites_open_pages(http: Client, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert http.get("/docs", headers=headers).status_code == 200
    assert http.post("/docs", headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "", "0", "backpropd.example", "127.0.0.1.example"])
def test_a_service_without_keys_refuses_to_listen_on_other_interfaces(tmp_path: Path, host: str) -> None:
    with pytest.raises(errors.Misconfigured, match="BACKPROPD_MODE=keys"):
        Settings(data_dir=tmp_path, host=host).check_exposure()
    Settings(data_dir=tmp_path, host=host, mode="keys").check_exposure()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
def test_a_service_without_keys_may_listen_on_loopback(tmp_path: Path, host: str) -> None:
    Settings(data_dir=tmp_path, host=host).check_exposure()
