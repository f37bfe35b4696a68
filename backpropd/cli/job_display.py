"""Watching a job until it ends: its progress, its learning curve and its model."""

import sys

import typer

from backpropd.cli import console
from backpropd.cli.console import err, options, out, show
from backpropd.client import Client, Job, JobDidNotSucceed, Model


def watch(context: typer.Context, service: Client, job: Job) -> None:
    """Show a job until it ends, then its learning curve and its model. Raises `JobDidNotSucceed`."""
    from backpropd.cli import loss_plot, progress  # slow to import

    try:
        job = progress.follow(service, job)
    except KeyboardInterrupt:
        commands = f"backpropd jobs watch {job['id']}, or: backpropd jobs cancel {job['id']}"
        err.print(f"\nthe job continues; to watch it again: {commands}", soft_wrap=True)
        raise typer.Exit(console.INTERRUPTED) from None
    epochs = [] if options(context).json else service.jobs.curve(job["id"])
    if epochs:
        sys.stdout.write(loss_plot.draw(epochs, out.width, colour=out.is_terminal) + "\n")
    if job["status"] != "succeeded":
        if options(context).json:
            show(context, {"job": job, "model": None}, "")
        raise JobDidNotSucceed.from_job(job)
    model = service.models.get(job["model_id"] or "")
    show(context, {"job": job, "model": model}, _summary(job, model))


def _summary(job: Job, model: Model) -> str:
    validation = _metrics(model["validation_metrics"] or {})
    lines = [
        f"{job['id']} {job['status']} after {job['progress']['epoch']} epochs ({job['stop_reason']})",
        f"training:   {_metrics(model['metrics'])}",
        *([f"validation: {validation}"] if validation else []),
        f"the model is {model['id']}: backpropd predict {model['id']} FILE.csv",
    ]
    return "\n".join(lines)


def _metrics(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
