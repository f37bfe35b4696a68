"""The reference agrees with the service: schemathesis reads the one and tries the other."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from backpropd.config import Settings
from backpropd.store import workers
from service.app import create_app
from worker.migrate import run as migrate

CONFIG = {
    "seed": 1,
    "generation": {"max-examples": 15, "deterministic": True},
    # what a schema cannot say, such as which columns a table has, is answered with 422
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "422"]}},
}


def test_every_route_is_in_the_document(app: Flask, http: FlaskClient) -> None:
    document = http.get("/openapi.json").json
    assert document is not None
    assert document["openapi"].startswith("3.1")
    own = {"/openapi.json", "/docs", "/docs/start.js", "/docs/<path:name>"}
    routes = {(rule.rule, method) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    for rule, method in routes:
        if rule not in own and method not in ("HEAD", "OPTIONS"):
            path = re.sub(r"<(\w+)>", r"{\1}", rule)
            assert method.lower() in document["paths"][path]


def test_the_page_takes_everything_from_us(http: FlaskClient) -> None:
    page = http.get("/docs").text
    links = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert links
    for link in links:
        with http.get(f"/{link}") as response:
            assert response.status_code == 200
    assert "://" not in page


def test_schemathesis_finds_no_fault_in_any_phase(tmp_path: Path, broker_url: str) -> None:
    # the one heartbeat of the worker below must count for as long as all phases take, on a busy machine too
    settings = Settings(data_dir=tmp_path, broker_url=broker_url, heartbeat_seconds=600).with_defaults()
    migrate(settings)
    app = create_app(settings)
    with app.extensions["backpropd"].database.write() as session:
        workers.seen(session, "somebody", 2)
    app.test_client().post("/v1/datasets", json={"sample": "iris"})
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG))
    faults, checked = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # schemathesis' own, not ours
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError | events.FatalError):
                faults.append(str(event))
            if isinstance(event, events.ScenarioFinished):
                for checks in event.recorder.checks.values():
                    checked += len(checks)
                    faults += [
                        f"{check.name}: {check.failure_info.failure.message}\n{check.failure_info.code_sample}"
                        for check in checks
                        if check.failure_info
                    ]
    app.extensions["backpropd"].database.dispose()
    assert checked > 1000
    assert faults == []
