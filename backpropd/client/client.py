"""The client: datasets, jobs and models of one service."""

from __future__ import annotations

import json
import math
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from backpropd.client.transport import Transport
from backpropd.client.types import Curve, Dataset, Epoch, Event, Job, Model, Surface, Trace
from backpropd.errors import JobDidNotSucceed, ServiceError, ServiceUnreachable, WaitTimeout

URL = "http://127.0.0.1:8000"
OVER = ("succeeded", "failed", "cancelled")
CHUNK = 1024 * 1024
Rows = list[dict[str, Any]]
LONGEST_WAIT = 30.0  # seconds of one long poll
WATCHED_WAIT = 1.0  # the same, while somebody wants to hear of the epochs
SILENCE_SECONDS = 60.0  # a stream speaks more often than that, or it is dead
RECONNECT_SECONDS = 1.0
RECONNECTS = 60  # in vain, one after another, before a service that was there counts as gone


class Client:
    """Talks to a service: `url` and `api_key` come from BACKPROPD_URL and BACKPROPD_API_KEY where left out.

    Every method raises `ServiceError` for what the service refuses and `ServiceUnreachable` when nothing answers.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, timeout: float = 60.0) -> None:
        url = url or os.environ.get("BACKPROPD_URL") or URL
        self._transport = Transport(url, api_key or os.environ.get("BACKPROPD_API_KEY"), timeout)
        self.datasets = Datasets(self._transport)
        self.jobs = Jobs(self._transport)
        self.models = Models(self._transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.http.close()

    def ready(self) -> bool:
        """Whether the service can train."""
        try:
            self._transport.send("GET", "/readyz", again=False)
        except (ServiceError, ServiceUnreachable):
            return False
        return True

    def samples(self) -> Rows:
        """The bundled samples."""
        return cast(Rows, self._transport.json("GET", "/v1/samples")["data"])


class _Resource:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _pages(self, path: str, **filters: Any) -> Iterator[Any]:
        """Everything in a list, page after page."""
        query = {name: value for name, value in filters.items() if value is not None} | {"limit": 100}
        while True:
            page = self._transport.json("GET", path, params=query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["cursor"] = page["next_cursor"]


class Datasets(_Resource):
    """Tables."""

    def upload(
        self,
        file: str | Path | BinaryIO,
        name: str | None = None,
        *,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Dataset:
        """Upload a CSV or TSV file (`.tsv`), streamed from disk; `on_bytes` hears how many bytes were sent so far.

        A file that can be rewound is sent again if the service was away, under one Idempotency-Key.
        """
        if isinstance(file, str | Path):
            with open(file, "rb") as opened:
                return self._upload(opened, name or Path(file).stem, str(file), on_bytes)
        return self._upload(file, name, "", on_bytes)

    def _upload(self, file: BinaryIO, name: str | None, path: str, on_bytes: Callable[[int], None] | None) -> Dataset:
        start = file.tell() if file.seekable() else None

        def chunks() -> Iterator[bytes]:
            if start is not None:
                file.seek(start)
            sent = 0
            while chunk := file.read(CHUNK):
                yield chunk
                sent += len(chunk)
                if on_bytes is not None:
                    on_bytes(sent)

        tabs = path.endswith((".tsv", ".tab"))
        headers = {"Content-Type": "text/tab-separated-values" if tabs else "text/csv"}
        if start is not None:
            headers |= {"Content-Length": str(file.seek(0, os.SEEK_END) - start), **_key()}
        query = {"name": name[:200]} if name else {}
        made = self._transport.json(
            "POST", "/v1/datasets", params=query, body=chunks, headers=headers, again=start is not None
        )
        return cast(Dataset, made)

    def sample(self, sample: str, /, **parameters: Any) -> Dataset:
        """A bundled sample as a dataset; those that are generated take `noise`, `rows` and `seed`."""
        body = {"sample": sample, **parameters}
        return cast(Dataset, self._transport.json("POST", "/v1/datasets", json=body, headers=_key(), again=True))

    def get(self, dataset_id: str) -> Dataset:
        """One dataset."""
        return cast(Dataset, self._transport.json("GET", f"/v1/datasets/{_step(dataset_id)}"))

    def list(self) -> Iterator[Dataset]:
        """All datasets, newest first."""
        return self._pages("/v1/datasets")

    def rows(self, dataset_id: str, limit: int = 20) -> Rows:
        """The first rows."""
        answer = self._transport.json("GET", f"/v1/datasets/{_step(dataset_id)}/rows", params={"limit": limit})
        return cast(Rows, answer["data"])

    def delete(self, dataset_id: str) -> None:
        """Delete a dataset that no unfinished job needs."""
        self._transport.send("DELETE", f"/v1/datasets/{_step(dataset_id)}")


class Jobs(_Resource):
    """Training jobs."""

    def create(
        self,
        dataset_id: str,
        target: str | Sequence[str],
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
        **spec: Any,
    ) -> Job:
        """Queue a job: `features, task, name, metadata, priority, network, training` as in the API.

        Safe to repeat: it carries an Idempotency-Key, a fresh one unless given.
        """
        body = {"dataset_id": dataset_id, "target": target if isinstance(target, str) else list(target)}
        body |= {name: value for name, value in spec.items() if value is not None}
        made = self._transport.json(
            "POST",
            "/v1/jobs",
            json=body,
            params={"dry_run": "true"} if dry_run else {},
            headers=_key(idempotency_key),
            again=True,
        )
        return cast(Job, made)

    def get(self, job_id: str, wait: float | None = None) -> Job:
        """One job; with `wait`, as soon as it is over, or after so many seconds (60 at most)."""
        query = {} if wait is None else {"wait": wait}
        timeout = self._transport.http.timeout.read or 60.0
        answer = self._transport.json("GET", f"/v1/jobs/{_step(job_id)}", params=query, timeout=timeout + (wait or 0))
        return cast(Job, answer)

    def list(self, *, status: str | None = None, dataset_id: str | None = None) -> Iterator[Job]:
        """All jobs, newest first."""
        return self._pages("/v1/jobs", status=status, dataset_id=dataset_id)

    def epochs(self, job_id: str, after: int = 0) -> Iterator[Epoch]:
        """All epochs after one, oldest first."""
        while True:
            page = self._transport.json(
                "GET", f"/v1/jobs/{_step(job_id)}/epochs", params={"after": after, "limit": 1000}
            )
            yield from page["data"]
            if page["next_after"] is None:
                return
            after = page["next_after"]

    def curve(self, job_id: str, points: int = 200) -> Sequence[Epoch]:
        """The learning curve thinned to about so many epochs: with the first, the last and the lowest."""
        page = self._transport.json("GET", f"/v1/jobs/{_step(job_id)}/epochs", params={"points": points})
        return cast(Sequence[Epoch], page["data"])

    def events(self, job_id: str, last_event_id: str | None = None) -> Iterator[Event]:
        """Every status and epoch as it comes, until the job is over; a stream that breaks off is taken up again."""
        return self._events(job_id, last_event_id, None)

    def _events(self, job_id: str, last_event_id: str | None, until: float | None) -> Iterator[Event]:
        left = 0  # reconnects in vain: none before the service was heard once
        while True:
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            silence = min(SILENCE_SECONDS, _left(until))
            try:
                with self._transport.stream(f"/v1/jobs/{_step(job_id)}/events", headers, silence) as response:
                    left = RECONNECTS
                    for event in _parsed(_timely(response.iter_lines(), until, job_id)):
                        last_event_id = event.id
                        yield event
                        if _ends(event):
                            return
            except ServiceUnreachable:
                _refuse_late(until, job_id)
                if left == 0:
                    raise
                left -= 1
            _refuse_late(until, job_id)
            time.sleep(min(RECONNECT_SECONDS, _left(until)))

    def wait(
        self,
        job_id: str,
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
        on_status: Callable[[Job], None] | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> Job:
        """Wait until a job is over, and hear of its epochs and statuses on the way.

        Raises `JobDidNotSucceed` for another end than `succeeded` (unless `check` is off), and `WaitTimeout` after
        `timeout` seconds (or up to ten later, if a watched job is silent); the job goes on.
        """
        until = None if timeout is None else time.monotonic() + timeout
        watched = on_epoch is not None or on_status is not None
        events = self._watched(job_id, until, on_epoch is not None) if watched else self._polled(job_id, until)
        for event in events:
            if event.kind == "status":
                job = cast(Job, event.data)
                if on_status is not None:
                    on_status(job)
            elif event.kind == "epoch" and on_epoch is not None:
                on_epoch(cast(Epoch, event.data))
        if check and job["status"] != "succeeded":
            raise unsuccessful(job)
        return job

    def _watched(self, job_id: str, until: float | None, epochs: bool) -> Iterator[Event]:
        """The events, and what polling finds after them if the service has no place for one more stream."""
        epoch, status = 0, ""
        try:
            for event in self._events(job_id, None, until):
                if event.kind == "epoch":
                    epoch = event.data["epoch"]
                else:
                    status = event.data.get("status", "")
                yield event
            return
        except ServiceError as error:
            if error.status not in (429, 503):
                raise
        yield from self._polled(job_id, until, epochs, epoch, status)

    def _polled(
        self, job_id: str, until: float | None, epochs: bool = False, epoch: int = 0, status: str = ""
    ) -> Iterator[Event]:
        """The same events by asking again and again: epochs after `epoch` if wanted, and statuses but `status`."""
        while True:
            job = self.get(job_id, wait=min(WATCHED_WAIT if epochs else LONGEST_WAIT, _left(until)))
            for each in self.epochs(job_id, after=epoch) if epochs else ():
                epoch = each["epoch"]
                yield Event("epoch", "", cast(dict[str, Any], each))
            if job["status"] != status:
                status = job["status"]
                yield Event("status", "", cast(dict[str, Any], job))
            if status in OVER:
                return
            _refuse_late(until, job_id)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job that is not over."""
        return self._ask(job_id, "cancel")

    def pause(self, job_id: str) -> Job:
        """Put a job aside."""
        return self._ask(job_id, "pause")

    def resume(self, job_id: str) -> Job:
        """Queue a paused job again."""
        return self._ask(job_id, "resume")

    def _ask(self, job_id: str, what: str) -> Job:
        return cast(Job, self._transport.json("POST", f"/v1/jobs/{_step(job_id)}/{what}"))

    def delete(self, job_id: str) -> None:
        """Delete a job that is over; its model stays."""
        self._transport.send("DELETE", f"/v1/jobs/{_step(job_id)}")


class Models(_Resource):
    """Trained models."""

    def get(self, model_id: str) -> Model:
        """One model."""
        return cast(Model, self._transport.json("GET", f"/v1/models/{_step(model_id)}"))

    def list(self) -> Iterator[Model]:
        """All models, newest first."""
        return self._pages("/v1/models")

    def predict(self, model_id: str, rows: Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]]) -> Rows:
        """Predictions for rows: mappings by column name, or sequences in the order of the model's features."""
        answer = self._transport.json(
            "POST", f"/v1/models/{_step(model_id)}/predictions", json={"rows": [*rows]}, again=True
        )
        return cast(Rows, answer["predictions"])

    def curve(
        self,
        model_id: str,
        feature: str | None = None,
        *,
        points: int = 101,
        start: float | None = None,
        stop: float | None = None,
        hold: Mapping[str, Any] | None = None,
    ) -> Curve:
        """The outputs against one feature, from `start` to `stop`; the others are held at `hold`, or as is usual."""
        asked = {"feature": feature, "points": points, "from": start, "to": stop, "hold": json.dumps(dict(hold or {}))}
        params = {name: value for name, value in asked.items() if value is not None}
        return cast(Curve, self._transport.json("GET", f"/v1/models/{model_id}/curve", params=params))

    def weights(self, model_id: str, format: str = "safetensors") -> bytes:
        """The parameters as a `safetensors`, `npz` or `json` file."""
        return self._transport.send("GET", f"/v1/models/{_step(model_id)}/weights", params={"format": format}).content

    def trace(
        self,
        model_id: str,
        rows: Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]],
        targets: Sequence[Any] | None = None,
        learning_rate: float | None = None,
    ) -> Trace:
        """Every number of a forward pass over a few rows and, with a target for each, of the backward pass."""
        body: dict[str, Any] = {"rows": [*rows]}
        if targets is not None:
            body["targets"] = [*targets]
        if learning_rate is not None:
            body["learning_rate"] = learning_rate
        return cast(Trace, self._transport.json("POST", f"/v1/models/{_step(model_id)}/trace", json=body, again=True))

    def surface(self, model_id: str, **query: Any) -> Surface:
        """The loss on a plane through the parameters: `points, span, directions, seed` as in the API."""
        return cast(Surface, self._transport.json("GET", f"/v1/models/{_step(model_id)}/surface", params=query))

    def surface_picture(self, model_id: str, **query: Any) -> bytes:
        """The same as a PNG."""
        query |= {"format": "png"}
        return self._transport.send("GET", f"/v1/models/{_step(model_id)}/surface", params=query).content

    def delete(self, model_id: str) -> None:
        """Delete a model."""
        self._transport.send("DELETE", f"/v1/models/{_step(model_id)}")


def unsuccessful(job: Job) -> JobDidNotSucceed:
    """The exception for a job that ended `failed` or `cancelled`."""
    error = job["error"] or {"code": job["status"], "detail": f"the job is {job['status']}"}
    return JobDidNotSucceed(error["detail"], status=job["status"], code=error["code"])


def _parsed(lines: Iterator[str]) -> Iterator[Event]:
    """Server-Sent Events out of lines; comments are passed over, and an event that was cut off."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "data" in fields:
                yield Event(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]))
            fields = {}


def _ends(event: Event) -> bool:
    return event.kind == "status" and event.data["status"] in OVER


def _step(identifier: str) -> str:
    """An id as one step of a path, whatever is in it."""
    return quote(identifier, safe="")


def _key(given: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": given or str(uuid.uuid4())}


def _left(until: float | None) -> float:
    """The seconds that are left: at least a few thousandths, for a timeout of none is not allowed."""
    return math.inf if until is None else max(until - time.monotonic(), 0.005)


def _timely(lines: Iterator[str], until: float | None, job_id: str) -> Iterator[str]:
    for line in lines:
        _refuse_late(until, job_id)
        yield line


def _refuse_late(until: float | None, job_id: str) -> None:
    if until is not None and time.monotonic() >= until:
        raise WaitTimeout(f"job {job_id} was not over in time; it goes on")
