"""The OpenAPI document agrees with the service, as schemathesis finds out."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from backpropd.config import Settings
from backpropd.store import keys
from backpropd.store.scheduling import workers
from tests.service.fuzzing import failures
from tests.service.requests import open_app
from tests.service.validation import Client


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve the app on a real socket; gives its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_route_is_in_the_document(app: Flask, http: Client) -> None:
    document = http.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    own = {"/openapi.json", "/docs", "/docs/start.js", "/docs/<path:name>"}
    routes = {(rule.rule, method) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    for rule, method in routes:
        if rule not in own and method not in ("HEAD", "OPTIONS"):
            path = re.sub(r"<(\w+)>", r"{\1}", rule)
            assert method.lower() in document["paths"][path]


def test_the_docs_page_loads_nothing_from_another_site(http: Client) -> None:
    page = http.get("/docs").text
    links = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert links
    for link in links:
        with http.get(f"/{link}") as response:
            assert response.status_code == 200
    assert "://" not in page


@pytest.mark.timeout(1000)  # thousands of requests
def test_schemathesis_finds_no_fault_in_any_phase(tmp_path: Path, broker_url: str) -> None:
    # the worker below sends one heartbeat, and on a busy machine this test takes minutes
    settings = Settings(data_dir=tmp_path, broker_url=broker_url, mode="keys", heartbeat_seconds=3600).with_defaults()
    with open_app(settings) as app, served(app) as url:
        with app.extensions["backpropd"].database.write() as session:
            workers.record_heartbeat(session, "worker", 2)
            _, key = keys.create(session, "us", None, ["admin"], None)
        app.test_client().post("/v1/datasets", json={"sample": "iris"}, headers={"Authorization": f"Bearer {key}"})
        made, found = failures(f"{url}/openapi.json", key, 6)
    assert made.total() > 1000
    assert made["ignored_auth"] > 10
    assert found == []


def test_bounds_are_written_in_the_words_of_json_schema(http: Client) -> None:
    names = re.findall(r'"(ge|gt|le|lt)":', http.get("/openapi.json").text)
    assert not names


def test_a_query_parameter_without_a_default_is_required(http: Client) -> None:
    parameters = http.get("/openapi.json").json["paths"]["/v1/models/{model_id}/export"]["get"]["parameters"]
    assert [each["required"] for each in parameters if each["name"] == "format"] == [True]
