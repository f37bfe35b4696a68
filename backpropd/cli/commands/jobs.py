"""`backpropd jobs …`: list, follow and control jobs."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import typer

from backpropd.cli.commands import snapshots
from backpropd.cli.console import client, show, table
from backpropd.cli.job_display import watch
from backpropd.cli.plot_command import Output, format_of, write_plot
from backpropd.client import Job, JobSummary
from backpropd.client.resources.jobs import Jobs

COMPARED = "epoch", "loss", "validation_loss"  # of an epoch, beside its metrics

commands = typer.Typer(help="List, follow and control jobs.", no_args_is_help=True)


@commands.command("list")
def list_(context: typer.Context, status: str | None = None) -> None:
    """List the jobs, newest first."""
    with client(context) as service:
        found = list(service.jobs.list(status=status))
    rows = [[job["id"], job["name"], job["status"], _progress(job), job["created_at"][:19]] for job in found]
    show(context, found, table(["id", "name", "status", "epochs", "created"], rows))


@commands.command("show")
def show_(context: typer.Context, job_id: str) -> None:
    """Show a job."""
    _show(context, lambda jobs: jobs.get(job_id))


@commands.command("compare")
def compare(context: typer.Context, job_ids: list[str]) -> None:
    """Show what differs between jobs, and how they ended."""
    with client(context) as service:
        found = service.jobs.compare(job_ids)
    jobs = found["jobs"]
    rows = [["status", *(job["status"] for job in jobs)]]
    for name in ("final", "best"):
        epochs = [job["final"] if name == "final" else job["best"] for job in jobs]
        rows += [[f"{name} {field}", *(_number(epoch, field) for epoch in epochs)] for field in COMPARED]
        metrics = dict.fromkeys(metric for epoch in epochs if epoch for metric in epoch["metrics"])
        rows += [
            [f"{name} {metric}", *(_number(epoch and epoch["metrics"], metric) for epoch in epochs)]
            for metric in metrics
        ]
    rows += [[pointer, *map(json.dumps, values)] for pointer, values in found["differences"].items()]
    show(context, found, table(["", *(job["id"] for job in jobs)], rows))


@commands.command("watch")
def watch_(context: typer.Context, job_id: str) -> None:
    """Watch a job until it ends."""
    with client(context) as service:
        watch(context, service, service.jobs.get(job_id))


@commands.command("plot")
def plot(context: typer.Context, job_id: str, output: Output = "plot.svg") -> None:
    """Draw the learning curve of a job, as SVG or PNG."""
    format = format_of(output)
    with client(context) as service:
        picture = service.jobs.plot(job_id, format=format)
    write_plot(context, picture, output)


@commands.command("cancel")
def cancel(context: typer.Context, job_id: str) -> None:
    """Cancel a job that has not ended."""
    _show(context, lambda jobs: jobs.cancel(job_id))


@commands.command("pause")
def pause(context: typer.Context, job_id: str) -> None:
    """Pause a job, with a checkpoint."""
    _show(context, lambda jobs: jobs.pause(job_id))


@commands.command("resume")
def resume(context: typer.Context, job_id: str) -> None:
    """Queue a paused job again."""
    _show(context, lambda jobs: jobs.resume(job_id))


commands.command("snapshots")(snapshots.snapshots)
commands.command("fork")(snapshots.fork)


def _number(values: Mapping[str, Any] | None, name: str) -> str:
    value = values and values.get(name)
    return "" if value is None else f"{value:.6g}"


def _progress(job: JobSummary) -> str:
    return f"{job['progress']['epoch']}/{job['progress']['epochs']}"


def _show(context: typer.Context, request: Callable[[Jobs], Job]) -> None:
    """Print the job that a request returns."""
    with client(context) as service:
        job = request(service.jobs)
    lines = [f"{job['id']} is {job['status']}, epoch {_progress(job)}"]
    if job["model_id"]:
        lines.append(f"the model is {job['model_id']}")
    if error := job["error"]:
        lines.append(f"{error['code']}: {error['detail']}")
    show(context, job, "\n".join(lines))
