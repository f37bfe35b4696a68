"""A small HTTP server with enough of the API for the client, which can break streams, reject or be unavailable."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.client.stand_in_answers import EPOCHS, NAME, a_dataset, a_job, a_model, an_epoch, summary_of


class StandIn:
    """The requests that the server received, and how it responds: each of `faults` first, once."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[Any] = []
        self.queries: list[dict[str, str]] = []  # of predictions
        self.uploads: list[tuple[int, str]] = []  # (bytes, sha256)
        self.queries: list[dict[str, str]] = []  # of uploads and previews
        self.table_warnings: list[dict[str, Any]] = []
        self.job_notes: dict[str, Any] = {}
        self.faults: list[tuple[str, Response]] = []  # (the path's end, the answer)
        self.final_status = "succeeded"
        self.dataset_names = ["plants"]
        self.break_after: int | None = None  # events, in the first stream
        self.aborts = False  # whether it breaks by an aborted connection, or by its regular end
        self.accepts_streams = True  # or every stream is rejected
        self.silent = False  # streams without events, and jobs that never end
        self.stopped = threading.Event()
        self.app = Flask(__name__)
        self.app.before_request(self._record)
        self._routes()

    def paths(self, method: str = "") -> list[str]:
        """The requested paths."""
        return [path for used, path, _ in self.requests if used.startswith(method)]

    def headers(self, path: str, name: str) -> list[str | None]:
        """The values of a header in all requests to a path."""
        return [headers.get(name) for _, requested, headers in self.requests if requested == path]

    def _record(self) -> Response | None:
        self.requests.append((request.method, request.path, dict(request.headers)))
        for fault in self.faults:
            if request.path.endswith(fault[0]):
                self.faults.remove(fault)
                request.get_data()
                return fault[1]
        return None

    def _routes(self) -> None:
        self._route("/v1/datasets", self._upload, "POST")
        self._route("/v1/datasets/preview", self._preview, "POST")
        self._route("/v1/datasets", self._datasets)
        self._route("/v1/datasets/<id>", lambda id: a_dataset(id=id))
        self._route("/v1/jobs", self._create, "POST")
        self._route("/v1/jobs", lambda: {"data": [a_job()], "has_more": False, "next_cursor": None})
        self._route("/v1/jobs/compare", self._compare)
        self._route("/v1/jobs/<id>", lambda id: a_job("running" if self.silent else self.final_status, EPOCHS))
        self._route("/v1/jobs/<id>/epochs", self._epochs)
        self._route("/v1/jobs/<id>/events", self._events)
        self._route("/v1/jobs/<id>/snapshots", self._snapshots)
        self._route("/v1/jobs/<id>/fork", self._fork, "POST")
        self._route("/v1/jobs/<id>/cancel", lambda id: (a_job("cancelled"), 202), "POST")
        self._route("/v1/models", self._import, "POST")
        self._route("/v1/models/<id>", lambda id: a_model())
        self._route("/v1/models/<id>/export", self._export)
        self._route("/v1/models/<id>/predictions", self._predict, "POST")
        self._route("/v1/models/<id>/curve", self._curve)
        self._route("/v1/models/<id>/trace", self._trace, "POST")
        self._route("/v1/models/<id>/surface", self._surface)
        self._route("/v1/models/<id>/plot", self._plot)
        self._route("/v1/jobs/<id>/plot", self._plot)
        self._route("/v1/models/<id>/explain", self._explain, "POST")
        self._route("/v1/models/<id>/importance", self._importance, "POST")
        self._route("/v1/models/<id>/partial-dependence", self._partial_dependence, "POST")
        self._route("/v1/models/<id>/gradient-check", self._gradient_check, "POST")
        self._route("/v1/models/<id>/homework", self._homework, "POST")

    def _route(self, rule: str, view: Any, method: str = "GET") -> None:
        self.app.add_url_rule(rule, f"{method} {rule}", view, methods=[method])

    def _upload(self) -> Any:
        if request.mimetype == "application/json" and b'"sample"' in request.get_data():
            self.bodies.append(request.json)
            return a_dataset(request.json["sample"]), 201
        digest, size = _digest(request)
        self.uploads.append((size, digest))
        self.queries.append(request.args.to_dict())
        return a_dataset(request.args.get("name", "")) | {"warnings": self.table_warnings}, 201

    def _preview(self) -> Any:
        self.queries.append(request.args.to_dict())
        _digest(request)
        shown = {name: value for name, value in a_dataset().items() if name not in ("id", "sha256", "bytes")}
        return shown | {"rows": None, "preview": [{"height": 1, "width": 2.5, "kind": "fern"}]}

    def _datasets(self) -> Any:
        at = int(request.args.get("cursor", 0))
        more = at + 1 < len(self.dataset_names)
        return {
            "data": [summary_of(a_dataset(self.dataset_names[at]))],
            "has_more": more,
            "next_cursor": str(at + 1) if more else None,
        }

    def _create(self) -> Any:
        self.bodies.append(request.json)
        return a_job(**self.job_notes), 202

    def _epochs(self, id: str) -> Any:
        if "points" in request.args:
            return {"data": [an_epoch(number + 1) for number in range(EPOCHS)], "next_after": None}
        first = int(request.args["after"]) + 1
        last = min(first + 1, EPOCHS)
        data = [an_epoch(number) for number in range(first, last + 1)]
        return {"data": data, "next_after": last if last < EPOCHS else None}

    def _snapshots(self, id: str) -> Any:
        """Those of the epochs 0 and 5, one in each answer."""
        epoch = 0 if int(request.args["after"]) < 0 else 5
        parameters, next_after = {"layers.0.weight": [[3.0], [4.0]], "layers.0.bias": [epoch]}, None if epoch else 0
        if request.headers["Accept"] == "application/octet-stream":
            header = json.dumps({"__metadata__": {"next_after": json.dumps(next_after)}}).encode()
            return Response(len(header).to_bytes(8, "little") + header, content_type="application/octet-stream")
        return {"data": [{"epoch": epoch, "parameters": parameters}], "next_after": next_after}

    def _fork(self, id: str) -> Any:
        self.bodies.append(request.json)
        return a_job(parent={"job_id": id, "epoch": request.json["epoch"]}), 202

    def _events(self, id: str) -> Any:
        if not self.accepts_streams:
            return problem(503, "unavailable", "too many streams", {"Retry-After": "0"})
        last_id = int(request.headers.get("Last-Event-ID", 0))
        broken, self.break_after = self.break_after, None  # the next stream is whole
        headers = {"Connection": "close"}
        return Response(self._event_stream(last_id, broken), headers=headers, content_type="text/event-stream")

    def _event_stream(self, last_id: int, break_after: int | None) -> Iterator[str]:
        yield "retry: 1\n\n"
        events = [("status", a_job("running", name=NAME))]
        events += [("epoch", an_epoch(number + 1)) for number in range(EPOCHS)]
        events += [("status", a_job(self.final_status, EPOCHS))]
        if self.silent:
            self.stopped.wait(5)  # open, without events
            return
        for number, (kind, data) in enumerate(events, start=1):
            if break_after is not None and number > break_after:
                yield f"event: {kind}\nid: {number}\ndata: "  # broken within an event
                if self.aborts:
                    raise ConnectionAbortedError
                return
            if number > last_id:
                yield f": comment\n\nevent: {kind}\nid: {number}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"

    def _curve(self, id: str) -> Any:
        self.bodies.append(request.args.to_dict())
        return {"feature": "height", "x": [0.0, 1.0], "outputs": [{"label": "moss", "h": [0.0, 1.0]}], "held": {}}

    def _predict(self, id: str) -> Any:
        if request.mimetype != "application/json":
            return self._predict_table()
        rows = request.json["rows"]
        self.bodies.append(rows)
        prediction = {"label": "fern", "probabilities": {"fern": 0.75, "moss": 0.25}}
        return {"predictions": [prediction for _ in rows]}

    def _predict_table(self) -> Any:
        """A line for each line of the body, whatever the accepted format is."""
        self.bodies.append(request.get_data(as_text=True))
        self.queries.append(request.args.to_dict())
        warning = {"code": "unseen_category", "column": "kind", "count": 2, "rows": [0, 1], "detail": "not among them"}
        lines = ["height,label\n", *("1,fern\n" for _ in self.bodies[-1].splitlines()[1:])]
        headers = {"Prediction-Warnings": json.dumps([warning])}
        return Response(iter(lines), headers=headers, content_type=request.headers["Accept"])

    def _import(self) -> Any:
        self.bodies.append(request.get_data())
        return a_model(), 201

    def _export(self, id: str) -> Any:
        self.bodies.append(dict(request.args))
        return Response(b"a file", content_type=request.headers["Accept"])

    def _plot(self, id: str) -> Any:
        self.bodies.append(dict(request.args))
        return Response(b"a picture", content_type=request.headers["Accept"])

    def _trace(self, id: str) -> Any:
        self.bodies.append(request.json)
        return {"loss": 0.5, "input": request.json["rows"], "layers": [], "update": {"learning_rate": 0.1}}

    def _gradient_check(self, id: str) -> Any:
        self.bodies.append(request.json)
        checked = {"analytic": [0.5, 0.25], "numeric": [0.5, 0.2], "relative_error": [0.0, 0.2]}
        errors = {"relative_error": 0.1, "largest_relative_error": 0.2}
        return {"loss": 0.5, "epsilon": 1e-5, **errors, "parameters": {"layers.0.bias": checked}}

    def _homework(self, id: str) -> Any:
        self.bodies.append(request.json)
        if request.json["answers"].get("loss") == 1:
            return {"correct": True, "checked": 1, "first_wrong": None}
        wrong = {"step": "loss", "pointer": "/answers/loss", "rule": "the loss is the [mean]", "formula": "L = 1"}
        return {
            "correct": False,
            "checked": 1,
            "first_wrong": {**wrong, "expected": 1.0} if request.json.get("reveal") else wrong,
        }

    def _compare(self) -> Any:
        self.bodies.append(request.args.to_dict())
        ids = request.args["ids"].split(",")
        jobs = [a_job("succeeded", id=id, final=an_epoch(6), best=an_epoch(5) if id == ids[0] else None) for id in ids]
        curves = {"epochs": [1], "loss": {id: [1.0] for id in ids}, "validation_loss": {id: [None] for id in ids}}
        return {"jobs": jobs, "differences": {"/training/seed": [1, None]}, "curves": curves}

    def _surface(self, id: str) -> Any:
        self.bodies.append(dict(request.args))
        if request.args.get("format") == "png":
            return Response(b"a picture", content_type="image/png")
        return {"directions": "random", "x": [-1, 0, 1], "y": [-1, 0, 1], "loss": [[0.5] * 3] * 3}

    def _explain(self, id: str) -> Any:
        self.bodies.append(request.json)
        attributions = {"height": 0.25, "width": -1.5}
        explanation = {"class": "fern", "baseline": 0.5, "output": -0.75, "attributions": attributions, "error": 0.0}
        return {"explanations": [explanation for _ in request.json["rows"]]}

    def _importance(self, id: str) -> Any:
        self.bodies.append(request.json)
        return {"metric": "accuracy", "importance": [{"column": "width", "mean": 0.25, "deviation": 0.125}]}

    def _partial_dependence(self, id: str) -> Any:
        self.bodies.append(request.json)
        return {"class": "moss", "values": [0, 1], "mean": [0.25, 0.75], "curves": [[0.25, 0.75]]}


def _digest(upload: Request) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := upload.stream.read(1 << 16):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """A problem document (RFC 9457)."""
    body = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code, **more}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any, **__: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[StandIn]:
    """A stand-in on a free port of the loopback."""
    stand_in = StandIn()
    server = make_server("127.0.0.1", 0, stand_in.app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()
