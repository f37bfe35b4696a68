"""Watching a job: a live bar with loss and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from backpropd.cli.console import err
from backpropd.client import Client, Epoch, Job

PLAIN_SECONDS = 5.0


class Watch:
    """Shows a job's epochs as they come, on stderr."""

    def __init__(self, job: Job) -> None:
        self._plain_at = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task(job["status"], total=job["progress"]["epochs"], figures="")

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def status(self, job: Job) -> None:
        """The job took a status."""
        self._bar.update(self._task, description=job["status"])

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is done."""
        self._bar.update(self._task, completed=epoch["epoch"], figures=figures(epoch))
        if not err.is_terminal and time.monotonic() - self._plain_at > PLAIN_SECONDS:
            self._plain_at = time.monotonic()
            err.print(f"epoch {epoch['epoch']}: {figures(epoch)}", soft_wrap=True)


def figures(epoch: Epoch) -> str:
    """An epoch's losses in a few words."""
    validation = epoch["validation_loss"]
    return f"loss {epoch['loss']:.4f}" + ("" if validation is None else f", validation {validation:.4f}")


def watch(client: Client, job: Job) -> Job:
    """Show a job until it is over, however it ends."""
    with Watch(job) as shown:
        return client.jobs.wait(job["id"], on_epoch=shown.epoch, on_status=shown.status, check=False)
