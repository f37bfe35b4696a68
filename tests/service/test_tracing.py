"""Traces reach a collector over OTLP: request, job and epochs are one trace; without an endpoint there are none."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from backpropd import errors, tracing
from backpropd.config import Settings
from tests.deploy.compose import ROOT
from tests.service.requests import open_app, sample, submit
from worker.runner import Runner

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Span]]]:
    """The address of an HTTP server that decodes what it receives, and the received spans."""
    received: list[Span] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = ExportTraceServiceRequest()
            body.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
            received.extend(each for one in body.resource_spans for scope in one.scope_spans for each in scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Settings], None]]:
    """What starts tracing in this process, until the test ends."""
    monkeypatch.setattr(tracing, "_provider", None)
    yield lambda settings: tracing.set_up(settings, "test")
    if tracing._provider:
        tracing._provider.shutdown()


def attributes(span: Span) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def test_a_request_its_job_and_its_epochs_are_one_trace_that_continues_the_clients(
    settings: Settings, collector: tuple[str, list[Span]], tracer: Callable[[Settings], None]
) -> None:
    address, received = collector
    with open_app(settings, otlp_endpoint=address) as app:
        services = app.extensions["backpropd"]
        tracer(services.settings)
        http = app.test_client()
        dataset = sample(http, "xor")
        http.environ_base["HTTP_TRACEPARENT"] = f"00-{TRACE}-{PARENT}-01"
        job = submit(
            http, dataset, http.get(f"/v1/datasets/{dataset}").json["columns"][-1]["name"], training={"epochs": 4}
        )
        assert Runner("test", services.settings, services.database, services.blobs).run_one()
        tracing.flush()
    ours = [span for span in received if span.trace_id.hex() == TRACE]
    (request,) = [span for span in ours if span.name == "POST /v1/jobs"]
    (trained,) = [span for span in ours if span.name == "job"]
    chunks = [span for span in ours if span.name == "epochs"]
    assert request.parent_span_id.hex() == PARENT
    assert attributes(request)["http.response.status_code"] == 202
    assert trained.parent_span_id == request.span_id
    about = {"backpropd.job_id": job["id"], "backpropd.attempt": 1, "backpropd.status": "succeeded"}
    assert attributes(trained) == about
    assert {span.parent_span_id for span in chunks} == {trained.span_id}
    assert attributes(chunks[0])["backpropd.first_epoch"] == 1
    assert attributes(chunks[-1])["backpropd.last_epoch"] == 4
    assert all(trained.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano for span in chunks)
    assert any(span.name == "POST /v1/datasets" and span.trace_id.hex() != TRACE for span in received)


def test_a_collector_that_is_away_and_a_malformed_trace_change_no_answer(
    settings: Settings, tracer: Callable[[Settings], None], caplog: pytest.LogCaptureFixture
) -> None:
    with open_app(settings, otlp_endpoint="http://127.0.0.1:1") as app:
        tracer(app.extensions["backpropd"].settings)
        http = app.test_client()
        http.environ_base["HTTP_TRACEPARENT"] = "nonsense"
        assert http.get("/v1/datasets").status_code == 200
        tracing.flush()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


WITHOUT = """
import sys, service.app, worker.processes
from backpropd import errors, tracing
from backpropd.config import Settings
tracing.set_up(Settings(), "api")
assert tracing.start("x", None) is None
imported = [name for name in sys.modules if name.startswith(("opentelemetry.exporter", "opentelemetry.sdk.trace"))]
assert not imported, imported
"""


def test_without_an_endpoint_no_exporter_is_imported() -> None:
    assert subprocess.run([sys.executable, "-c", WITHOUT], cwd=ROOT, timeout=120).returncode == 0


def test_an_endpoint_without_the_packages_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(errors.Misconfigured, match=r"backpropd\[tracing\]"):
        tracing.set_up(Settings(otlp_endpoint="http://127.0.0.1:1"), "test")
