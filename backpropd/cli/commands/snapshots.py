"""`backpropd jobs snapshots` and `backpropd jobs fork`: parameters during training, jobs that go on from them."""

import json
import math
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from backpropd.cli.console import client, show, table
from backpropd.cli.job_display import watch
from backpropd.cli.output_file import write_output
from backpropd.client import Snapshot


def snapshots(
    context: typer.Context,
    job_id: str,
    after: Annotated[int, typer.Option(help="Only those after this epoch.")] = -1,
    output: Annotated[str, typer.Option("--output", "-o", help="A safetensors file to write them to, or -.")] = "",
) -> None:
    """Show the stored snapshots of a job: the epochs, and how large the parameters are."""
    with client(context) as service:
        if output:
            file = service.jobs.snapshot_file(job_id, after)
            write_output(iter([file.content]), output)
            more = "" if file.next_after is None else f"; there are more: --after {file.next_after}"
            if output != "-":
                written = {"output": output, "next_after": file.next_after}
                show(context, written, f"the snapshots are in {output}{more}")
            return
        found = list(service.jobs.snapshots(job_id, after))
    names = [*found[0]["parameters"]] if found else []
    rows = [[each["epoch"], *(f"{_norm(each, name):.6g}" for name in names)] for each in found]
    show(context, found, table(["epoch", *(f"|{name}|" for name in names)], rows))


def fork(
    context: typer.Context,
    job_id: str,
    epoch: Annotated[int, typer.Argument(help="The epoch of a snapshot.")],
    epochs: Annotated[int | None, typer.Option(help="The epochs in all, those of the parent included.")] = None,
    training: Annotated[str, typer.Option("--training", help="Fields of the API's `training`, as JSON.")] = "{}",
    name: Annotated[str | None, typer.Option(help="The parent's unless given.")] = None,
    wait: Annotated[bool, typer.Option(help="Watch the job until it ends.")] = True,
) -> None:
    """Continue from a snapshot of a job, with other settings of its training."""
    changes = {**({} if epochs is None else {"epochs": epochs}), **_object(training)}
    with client(context) as service:
        job = service.jobs.fork(job_id, epoch, changes, **({} if name is None else {"name": name}))
        if wait:
            watch(context, service, job)
        else:
            show(context, job, f"{job['id']} is {job['status']}: backpropd jobs watch {job['id']}")


def _object(text: str) -> dict[str, Any]:
    try:
        return {**json.loads(text)}
    except (ValueError, TypeError):
        example = '{"optimizer": {"name": "sgd", "learning_rate": 0.01}}'
        raise typer.BadParameter(f"not a JSON object, such as '{example}'", param_hint="--training") from None


def _norm(snapshot: Snapshot, name: str) -> float:
    """The length of a parameter as a vector."""
    return math.sqrt(math.fsum(value**2 for value in _numbers(snapshot["parameters"][name])))


def _numbers(values: list[Any]) -> Iterator[float]:
    for value in values:
        yield from _numbers(value) if isinstance(value, list) else [value]
