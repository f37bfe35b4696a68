"""The progress of a job on stderr: a live bar on a terminal, otherwise a line from time to time."""

import time

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from backpropd.cli.console import err
from backpropd.client import Client, Epoch, Job

LINE_SECONDS = 5.0  # between two lines


def follow(client: Client, job: Job) -> Job:
    """Show a job's progress until it ends; returns the ended job, whatever its status."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[losses]}"),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )
    task = bar.add_task(job["status"], total=job["progress"]["epochs"], losses="")
    last_line_at = time.monotonic()

    def on_epoch(epoch: Epoch) -> None:
        nonlocal last_line_at
        bar.update(task, completed=epoch["epoch"], losses=_losses(epoch))
        if not err.is_terminal and time.monotonic() - last_line_at > LINE_SECONDS:
            last_line_at = time.monotonic()
            err.print(f"epoch {epoch['epoch']}: {_losses(epoch)}", soft_wrap=True)

    def on_status(job: Job) -> None:
        bar.update(task, description=job["status"])

    with bar:
        return client.jobs.wait(job["id"], on_epoch=on_epoch, on_status=on_status, check=False)


def _losses(epoch: Epoch) -> str:
    validation = epoch["validation_loss"]
    return f"loss {epoch['loss']:.4f}" + ("" if validation is None else f", validation {validation:.4f}")
