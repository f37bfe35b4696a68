"""The benchmark of served predictions: wrk's report, the network as ONNX, and the comparison."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from bench import digits, model_servers, serving, wrk
from bench.digits import Digits
from bench.wrk import Load

CLASSES = ["a", "b", "c"]


class Handler(BaseHTTPRequestHandler):
    """Keeps the bodies, and answers the status that its server has."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.bodies.append((body, self.headers["Content-Type"]))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """A server with a `status` and a list of `bodies`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.status, server.bodies = 200, []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.skipif(wrk.PROGRAM is None, reason="wrk is not installed")
def test_wrk_posts_every_line_and_a_failed_request_is_an_error(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    bodies = tmp_path / "bodies.jsonl"
    bodies.write_text('{"rows": [[1]]}\n{"rows": [[2]]}\n')
    url = f"http://127.0.0.1:{server.server_port}/predictions"
    load = wrk.measure(url, bodies, 1)
    assert load.per_second > 0
    assert 0 < load.p50 <= load.p99
    assert {*server.bodies} == {  # type: ignore[attr-defined]
        ('{"rows": [[1]]}', "application/json"),
        ('{"rows": [[2]]}', "application/json"),
    }
    server.status = 429  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="requests failed"):
        wrk.measure(url, bodies, 1)


def test_the_last_line_of_wrk_is_its_report() -> None:
    report = '{"requests": 30, "seconds": 1.5, "failed": 0, "p50": 2.5, "p99": 4.0}\n'
    assert wrk.parse("Running 1s test\n" + report) == Load(20.0, 2.5, 4.0)
    with pytest.raises(RuntimeError, match="1 requests failed"):
        wrk.parse(report.replace('"failed": 0', '"failed": 1'))
    with pytest.raises(RuntimeError, match="0 were answered"):
        wrk.parse(report.replace('"requests": 30', '"requests": 0'))


def test_a_missing_wrk_ends_the_benchmark_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "PROGRAM", None)
    with pytest.raises(SystemExit, match="apt install wrk"):
        wrk.find()


def network_and_outputs() -> tuple[Digits, list[list[float]], NDArray[np.float64]]:
    """A network of random parameters, rows, and its probabilities by the formulas."""
    rng = np.random.default_rng(0)
    mean, std = np.array([2.0, -1.0]), np.array([0.5, 3.0])
    shapes = {"layers.0.weight": (2, 4), "layers.0.bias": (4,), "layers.1.weight": (4, 3), "layers.1.bias": (3,)}
    parameters = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    encoders = [
        {"mean": each[0], "std": each[1], "indicator": False, "smooth": False} for each in zip(mean, std, strict=True)
    ]
    description = {"features": [{"encoder": encoder} for encoder in encoders], "classes": CLASSES}
    x = rng.normal(size=(5, 2))
    w, b, v, c = parameters.values()
    logits = np.maximum((x - mean) / std @ w + b, 0) @ v + c
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Digits("model", description, parameters, [], []), x.tolist(), expected


def test_the_network_as_onnx_scales_and_computes_what_the_formulas_say() -> None:
    network, rows, expected = network_and_outputs()
    session = onnxruntime.InferenceSession(digits.onnx_file(network))
    (found,) = session.run(None, {"x": np.array(rows, np.float32)})
    assert found == pytest.approx(expected, abs=1e-6)
    assert session.get_modelmeta().custom_metadata_map["classes"] == '["a", "b", "c"]'


@pytest.mark.acceptance
@pytest.mark.skipif(not model_servers.BIN.exists(), reason="the model servers are not installed")
@pytest.mark.parametrize("route", ["predictions", "unvalidated"])
def test_the_server_written_by_hand_answers_as_the_service_and_refuses_rows_of_another_width(
    tmp_path: Path, route: str
) -> None:
    network, rows, expected = network_and_outputs()
    with model_servers.hand_written(network, tmp_path, route) as url:
        predictions = model_servers.post(url, json.dumps({"rows": rows}))["predictions"]
        for body in ('{"rows": [[1]]}', '{"rows": [["x", 1]]}', '{"rows": []}', '{"rows": [[1, 1e999]]}', "{}", "["):
            with pytest.raises(HTTPError, match="422"):
                model_servers.post(url, body)
    assert [each["label"] for each in predictions] == [CLASSES[best] for best in expected.argmax(axis=1)]
    assert [list(each["probabilities"]) for each in predictions] == [CLASSES] * len(rows)
    found = np.array([list(each["probabilities"].values()) for each in predictions])
    assert found == pytest.approx(expected, abs=1e-6)


def test_rates_are_compared_by_medians_of_the_rounds_before_and_after() -> None:
    before, after = ({1: [Load(rate, 1.0, 3.0)] * 3} for rate in (80.0, 120.0))
    theirs = {"MLflow": {1: [Load(20.0, 8.0, 9.0), Load(25.0, 9.0, 9.5), Load(50.0, 10.0, 11.0)]}}
    found = serving.compare(1, before, after, theirs)
    assert found["ours"] == {"per_second": 100.0, "p50": 1.0, "p99": 3.0, "max_p99": 9.0}
    assert found["drift"] == pytest.approx(0.5)
    (mlflow,) = found["servers"]
    assert mlflow == {"name": "MLflow", "per_second": 25.0, "p50": 9.0, "p99": 9.5, "ratio": 4.0, "min_ratio": 5}
