"""Jobs: create, follow and control them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from backpropd.client import event_stream
from backpropd.client.comparison_types import Comparison
from backpropd.client.errors import JobDidNotSucceed, ServiceError
from backpropd.client.event_stream import TERMINAL, Deadline
from backpropd.client.resources.base import Resource, accept_header, idempotency_header
from backpropd.client.types import Epoch, Event, Job, JobSummary, Snapshot

LONG_POLL_SECONDS = 30.0
EPOCH_POLL_SECONDS = 1.0  # between two polls of a job whose epochs are followed


class SnapshotFile(NamedTuple):
    """A safetensors file of snapshots; if there are more, `next_after` is the epoch after which they begin."""

    content: bytes
    next_after: int | None


class Jobs(Resource):
    """Training jobs, each of a network on a dataset."""

    PATH = "/v1/jobs"

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

        Safe to repeat: it carries an Idempotency-Key, a new one unless given.
        """
        body = {"dataset_id": dataset_id, "target": target if isinstance(target, str) else list(target)}
        body |= {name: value for name, value in spec.items() if value is not None}
        job = self._transport.json(
            "POST",
            self.PATH,
            json=body,
            params={"dry_run": "true"} if dry_run else {},
            headers=idempotency_header(idempotency_key),
            repeatable=True,
        )
        return cast(Job, job)

    def get(self, job_id: str, wait: float | None = None) -> Job:
        """One job. With `wait`, the call returns when the job ends or after `wait` seconds, at most 60."""
        query = {} if wait is None else {"wait": wait}
        timeout = (self._transport.http.timeout.read or 60.0) + (wait or 0)
        return cast(Job, self._transport.json("GET", self._path(job_id), params=query, timeout=timeout))

    def list(self, *, status: str | None = None, dataset_id: str | None = None) -> Iterator[JobSummary]:
        """All jobs, newest first, without their networks."""
        return self._pages(status=status, dataset_id=dataset_id)

    def epochs(self, job_id: str, after: int = 0) -> Iterator[Epoch]:
        """All epochs after the given one, oldest first."""
        while True:
            query = {"after": after, "limit": 1000}
            page = self._transport.json("GET", self._path(job_id, "/epochs"), params=query)
            yield from page["data"]
            if page["next_after"] is None:
                return
            after = page["next_after"]

    def curve(self, job_id: str, points: int = 200) -> Sequence[Epoch]:
        """The learning curve thinned to about `points` epochs, with the first, the last and the lowest."""
        page = self._transport.json("GET", self._path(job_id, "/epochs"), params={"points": points})
        return cast(Sequence[Epoch], page["data"])

    def snapshots(self, job_id: str, after: int = -1) -> Iterator[Snapshot]:
        """The parameters after the epochs whose state was stored, from the start on, or after the given epoch."""
        while True:
            page = self._transport.json("GET", self._path(job_id, "/snapshots"), params={"after": after})
            yield from page["data"]
            if page["next_after"] is None:
                return
            after = page["next_after"]

    def snapshot_file(self, job_id: str, after: int = -1, limit: int = 1000) -> SnapshotFile:
        """The same as a safetensors file: `epoch` (n,), and each parameter (n, …) of n snapshots."""
        path, headers = self._path(job_id, "/snapshots"), {"Accept": "application/octet-stream"}
        content = self._transport.send("GET", path, params={"after": after, "limit": limit}, headers=headers).content
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return SnapshotFile(content, json.loads(header["__metadata__"]["next_after"]))

    def fork(
        self,
        job_id: str,
        epoch: int,
        training: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        **others: Any,
    ) -> Job:
        """Queue a job that continues from the snapshot of an epoch, with these fields of `training` changed.

        `name` and `metadata` are the parent's unless given. Safe to repeat, as `create`.
        """
        body = {"epoch": epoch, "training": dict(training or {}), **others}
        headers = idempotency_header(idempotency_key)
        job = self._transport.json("POST", self._path(job_id, "/fork"), json=body, headers=headers, repeatable=True)
        return cast(Job, job)

    def plot(self, job_id: str, kind: str = "loss", format: str = "svg") -> bytes:
        """A picture of the learning curve, `svg` or `png`."""
        path, headers = self._path(job_id, "/plot"), accept_header(format)
        return self._transport.send("GET", path, params={"kind": kind}, headers=headers).content

    def compare(self, job_ids: Sequence[str], points: int | None = None) -> Comparison:
        """What differs between 2 to 100 jobs, their last and best epochs, and their losses at the same epochs."""
        query: dict[str, Any] = {"ids": ",".join(job_ids), **({} if points is None else {"points": points})}
        return cast(Comparison, self._transport.json("GET", f"{self.PATH}/compare", params=query))

    def events(self, job_id: str, last_event_id: str | None = None) -> Iterator[Event]:
        """Every status and epoch until the job ends; a stream that breaks off is resumed."""
        return self._events(job_id, last_event_id, Deadline(job_id, None))

    def wait(
        self,
        job_id: str,
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
        on_status: Callable[[Job], None] | None = None,
        timeout: float | None = None,
        check: bool = True,
    ) -> Job:
        """Wait until a job ends, with a callback for each epoch and status.

        Raises `JobDidNotSucceed` unless it succeeded (or `check` is off), and `WaitTimeout` after `timeout` seconds
        (with a callback up to ten seconds later, if the job is silent); the job continues.
        """
        deadline = Deadline(job_id, timeout)
        followed = on_epoch is not None or on_status is not None
        events = self._follow(job_id, deadline, on_epoch is not None) if followed else self._poll(job_id, deadline)
        for event in events:
            if event.kind == "status":
                job = cast(Job, event.data)
                if on_status is not None:
                    on_status(job)
            elif event.kind == "epoch" and on_epoch is not None:
                on_epoch(cast(Epoch, event.data))
        if check and job["status"] != "succeeded":
            raise JobDidNotSucceed.from_job(job)
        return job

    def _events(self, job_id: str, last_event_id: str | None, deadline: Deadline) -> Iterator[Event]:
        return event_stream.events(self._transport, self._path(job_id, "/events"), last_event_id, deadline)

    def _follow(self, job_id: str, deadline: Deadline, epochs: bool) -> Iterator[Event]:
        """The events of the stream; if the service has no capacity for it, the rest by polling."""
        epoch, status = 0, ""
        try:
            for event in self._events(job_id, None, deadline):
                if event.kind == "epoch":
                    epoch = event.data["epoch"]
                else:
                    status = event.data.get("status", "")
                yield event
            return
        except ServiceError as error:
            if error.status not in (429, 503):
                raise
        yield from self._poll(job_id, deadline, epochs, epoch, status)

    def _poll(
        self, job_id: str, deadline: Deadline, epochs: bool = False, epoch: int = 0, status: str = ""
    ) -> Iterator[Event]:
        """The same events by polling: statuses other than `status` and, if `epochs`, the epochs after `epoch`."""
        while True:
            job = self.get(job_id, wait=min(EPOCH_POLL_SECONDS if epochs else LONG_POLL_SECONDS, deadline.left()))
            for each in self.epochs(job_id, after=epoch) if epochs else ():
                epoch = each["epoch"]
                yield Event("epoch", "", cast(dict[str, Any], each))
            if job["status"] != status:
                status = job["status"]
                yield Event("status", "", cast(dict[str, Any], job))
            if status in TERMINAL:
                return
            deadline.check()

    def cancel(self, job_id: str) -> Job:
        """Cancel a job that has not ended."""
        return self._post(job_id, "/cancel")

    def pause(self, job_id: str) -> Job:
        """Pause a queued or running job."""
        return self._post(job_id, "/pause")

    def resume(self, job_id: str) -> Job:
        """Queue a paused job again."""
        return self._post(job_id, "/resume")

    def _post(self, job_id: str, action: str) -> Job:
        return cast(Job, self._transport.json("POST", self._path(job_id, action)))
