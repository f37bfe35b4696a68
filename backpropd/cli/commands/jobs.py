"""`backpropd jobs …`: list, follow and control jobs."""

import typer

from backpropd.cli.console import client, show, table
from backpropd.cli.job_display import watch
from backpropd.client import Job

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
    with client(context) as service:
        _show(context, service.jobs.get(job_id))


@commands.command("watch")
def watch_(context: typer.Context, job_id: str) -> None:
    """Watch a job until it ends."""
    with client(context) as service:
        watch(context, service, service.jobs.get(job_id))


@commands.command("cancel")
def cancel(context: typer.Context, job_id: str) -> None:
    """Cancel a job that has not ended."""
    with client(context) as service:
        _show(context, service.jobs.cancel(job_id))


@commands.command("pause")
def pause(context: typer.Context, job_id: str) -> None:
    """Pause a job, with a checkpoint."""
    with client(context) as service:
        _show(context, service.jobs.pause(job_id))


@commands.command("resume")
def resume(context: typer.Context, job_id: str) -> None:
    """Queue a paused job again."""
    with client(context) as service:
        _show(context, service.jobs.resume(job_id))


def _progress(job: Job) -> str:
    return f"{job['progress']['epoch']}/{job['progress']['epochs']}"


def _show(context: typer.Context, job: Job) -> None:
    lines = [f"{job['id']} is {job['status']}, epoch {_progress(job)}"]
    if job["model_id"]:
        lines.append(f"the model is {job['model_id']}")
    if error := job["error"]:
        lines.append(f"{error['code']}: {error['detail']}")
    show(context, job, "\n".join(lines))
