"""The client: datasets, jobs and models of one service."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from backpropd.client.transport import Transport
from backpropd.client.types import Dataset, Epoch, Event, Job, Model
from backpropd.errors import JobDidNotSucceed, ServiceError, ServiceUnreachable, WaitTimeout

URL = "http://127.0.0.1:8000"
OVER = ("succeeded", "failed", "cancelled")
CHUNK = 1024 * 1024
Rows = list[dict[str, Any]]
LONGEST_WAIT = 30.0  # seconds of one long poll
RECONNECT_SECONDS = 1.0


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
        """Upload a CSV or TSV file (`.tsv`), streamed from disk; `on_bytes` hears how many bytes each chunk had."""
        if isinstance(file, str | Path):
            with open(file, "rb") as opened:
                return self._upload(opened, name or Path(file).stem, str(file), on_bytes)
        return self._upload(file, name, "", on_bytes)

    def _upload(self, file: BinaryIO, name: str | None, path: str, on_bytes: Callable[[int], None] | None) -> Dataset:
        def chunks() -> Iterator[bytes]:
            while chunk := file.read(CHUNK):
                yield chunk
                if on_bytes is not None:
                    on_bytes(len(chunk))

        kind = "text/tab-separated-values" if path.endswith((".tsv", ".tab")) else "text/csv"
        query = {"name": name[:200]} if name else {}
        made = self._transport.json(
            "POST", "/v1/datasets", params=query, content=chunks(), headers={"Content-Type": kind}
        )
        return cast(Dataset, made)

    def sample(self, sample: str, /, **parameters: Any) -> Dataset:
        """A bundled sample as a dataset; those that are generated take `noise`, `rows` and `seed`."""
        return cast(Dataset, self._transport.json("POST", "/v1/datasets", json={"sample": sample, **parameters}))

    def get(self, dataset_id: str) -> Dataset:
        """One dataset."""
        return cast(Dataset, self._transport.json("GET", f"/v1/datasets/{dataset_id}"))

    def list(self) -> Iterator[Dataset]:
        """All datasets, newest first."""
        return self._pages("/v1/datasets")

    def rows(self, dataset_id: str, limit: int = 20) -> Rows:
        """The first rows."""
        answer = self._transport.json("GET", f"/v1/datasets/{dataset_id}/rows", params={"limit": limit})
        return cast(Rows, answer["data"])

    def delete(self, dataset_id: str) -> None:
        """Delete a dataset that no unfinished job needs."""
        self._transport.send("DELETE", f"/v1/datasets/{dataset_id}")


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
            headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
            again=True,
        )
        return cast(Job, made)

    def get(self, job_id: str, wait: float | None = None) -> Job:
        """One job; with `wait`, as soon as it is over, or after so many seconds (60 at most)."""
        query = {} if wait is None else {"wait": wait}
        timeout = self._transport.http.timeout.read or 60.0
        answer = self._transport.json("GET", f"/v1/jobs/{job_id}", params=query, timeout=timeout + (wait or 0))
        return cast(Job, answer)

    def list(self, *, status: str | None = None, dataset_id: str | None = None) -> Iterator[Job]:
        """All jobs, newest first."""
        return self._pages("/v1/jobs", status=status, dataset_id=dataset_id)

    def epochs(self, job_id: str, after: int = 0) -> Iterator[Epoch]:
        """All epochs after one, oldest first."""
        while True:
            page = self._transport.json("GET", f"/v1/jobs/{job_id}/epochs", params={"after": after, "limit": 1000})
            yield from page["data"]
            if page["next_after"] is None:
                return
            after = page["next_after"]

    def curve(self, job_id: str, points: int = 200) -> Sequence[Epoch]:
        """The learning curve thinned to about so many epochs: with the first, the last and the lowest."""
        page = self._transport.json("GET", f"/v1/jobs/{job_id}/epochs", params={"points": points})
        return cast(Sequence[Epoch], page["data"])

    def events(self, job_id: str, last_event_id: str | None = None) -> Iterator[Event]:
        """Every status and epoch as it comes, until the job is over; a stream that breaks off is taken up again."""
        while True:
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            try:
                with self._transport.stream(f"/v1/jobs/{job_id}/events", headers) as response:
                    for event in _parsed(response.iter_lines()):
                        last_event_id = event.id
                        yield event
                        if event.kind == "status" and event.data["status"] in OVER:
                            return
            except ServiceUnreachable:
                if last_event_id is None:
                    raise  # it was never there
            time.sleep(RECONNECT_SECONDS)

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
        `timeout` seconds; the job goes on.
        """
        until = None if timeout is None else time.monotonic() + timeout
        watched = self._watch(job_id, on_epoch, on_status, until) if on_epoch or on_status else None
        job = watched or self._poll(job_id, on_epoch, until)
        if check and job["status"] != "succeeded":
            error = job["error"] or {"code": job["status"], "detail": f"the job is {job['status']}"}
            raise JobDidNotSucceed(error["detail"], status=job["status"], code=error["code"])
        return job

    def _watch(
        self,
        job_id: str,
        on_epoch: Callable[[Epoch], None] | None,
        on_status: Callable[[Job], None] | None,
        until: float | None,
    ) -> Job | None:
        """Follow the events; None if the service has no place for one more stream."""
        job: Job | None = None
        try:
            for event in self.events(job_id):
                if event.kind == "epoch" and on_epoch:
                    on_epoch(cast(Epoch, event.data))
                elif event.kind == "status":
                    job = cast(Job, event.data)
                    if on_status:
                        on_status(job)
                _refuse_late(until, job_id)
        except ServiceError as error:
            if error.status not in (429, 503):
                raise
            return None
        return job

    def _poll(self, job_id: str, on_epoch: Callable[[Epoch], None] | None, until: float | None) -> Job:
        seen = 0
        while True:
            left = LONGEST_WAIT if until is None else max(until - time.monotonic(), 0.0)
            job = self.get(job_id, wait=min(left, 1.0 if on_epoch else LONGEST_WAIT))
            for epoch in self.epochs(job_id, after=seen) if on_epoch else ():
                seen = epoch["epoch"]
                on_epoch(epoch)  # type: ignore[misc]  # the loop is empty without it
            if job["status"] in OVER:
                return job
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
        return cast(Job, self._transport.json("POST", f"/v1/jobs/{job_id}/{what}"))

    def delete(self, job_id: str) -> None:
        """Delete a job that is over; its model stays."""
        self._transport.send("DELETE", f"/v1/jobs/{job_id}")


class Models(_Resource):
    """Trained models."""

    def get(self, model_id: str) -> Model:
        """One model."""
        return cast(Model, self._transport.json("GET", f"/v1/models/{model_id}"))

    def list(self) -> Iterator[Model]:
        """All models, newest first."""
        return self._pages("/v1/models")

    def predict(self, model_id: str, rows: Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]]) -> Rows:
        """Predictions for rows: mappings by column name, or sequences in the order of the model's features."""
        answer = self._transport.json("POST", f"/v1/models/{model_id}/predictions", json={"rows": [*rows]}, again=True)
        return cast(Rows, answer["predictions"])

    def weights(self, model_id: str, format: str = "safetensors") -> bytes:
        """The parameters as a `safetensors`, `npz` or `json` file."""
        return self._transport.send("GET", f"/v1/models/{model_id}/weights", params={"format": format}).content

    def delete(self, model_id: str) -> None:
        """Delete a model."""
        self._transport.send("DELETE", f"/v1/models/{model_id}")


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


def _refuse_late(until: float | None, job_id: str) -> None:
    if until is not None and time.monotonic() >= until:
        raise WaitTimeout(f"job {job_id} was not over in time; it goes on")
