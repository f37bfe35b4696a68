"""The operator's metrics: the whole service at a port of their own, and nothing of it for tenants."""

import httpx
import pytest
from flask import Flask

from backpropd.config import Settings
from backpropd.store.sql.column_types import CLOCKS
from service import operator_metrics
from tests.servers import free_port
from tests.service.requests import open_app, sample, submit


def test_they_show_the_queue_of_all_tenants_and_the_components(settings: Settings) -> None:
    with open_app(settings, metrics_port=free_port()) as app:
        http = app.test_client()
        submit(http, sample(http, "iris"))
        text = scrape(app)
        shown = http.get("/metrics").text
    assert "backpropd_queued_jobs 1.0" in text
    assert "backpropd_workers 0.0" in text
    assert 'backpropd_component_ready{component="database"} 1.0' in text
    assert 'backpropd_component_ready{component="workers"} 0.0' in text
    assert 'backpropd_request_seconds_count{method="POST",route="/v1/jobs",status="202"} 1.0' in text
    assert "backpropd_queued_jobs" not in shown


@pytest.mark.parametrize("hours", [-1, 1])
def test_how_long_a_job_has_waited_does_not_depend_on_this_machines_clock(
    settings: Settings, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = CLOCKS["sqlite"]["now"].replace("'now'", f"'now', '{hours:+d} hours'")
    monkeypatch.setitem(CLOCKS["sqlite"], "now", clock)
    with open_app(settings, metrics_port=free_port()) as app:
        http = app.test_client()
        submit(http, sample(http, "iris"))
        (line,) = [line for line in scrape(app).splitlines() if line.startswith("backpropd_oldest_queued_seconds ")]
    assert 0 <= float(line.split()[1]) < 60


def scrape(app: Flask) -> str:
    services = app.extensions["backpropd"]
    server = operator_metrics.serve(services)
    assert server
    try:
        return httpx.get(f"http://127.0.0.1:{services.settings.metrics_port}/metrics").text
    finally:
        server.shutdown()
        server.server_close()
