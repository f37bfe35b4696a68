"""The commands.

Exit codes: 0 done; 1 the job failed or was cancelled; 2 the command line or a file is wrong; 3 the service refused;
4 the service cannot be reached or is not available; 130 interrupted.

--url, --api-key and --json may stand before the command or after it.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from backpropd.cli import console
from backpropd.cli.console import Options, client, err, options, out, show, table
from backpropd.client import Client, Dataset, Job, Model, unsuccessful
from backpropd.errors import BackpropdError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
datasets = typer.Typer(help="Upload and look at tables.", no_args_is_help=True)
jobs = typer.Typer(help="Follow and steer training jobs.", no_args_is_help=True)
models = typer.Typer(help="Look at trained models.", no_args_is_help=True)
app.add_typer(datasets, name="datasets")
app.add_typer(jobs, name="jobs")
app.add_typer(models, name="models")

Context = typer.Context


def run() -> None:
    """Run the command line, and end with the exit code that says what happened."""
    try:
        app(console.hoisted(sys.argv[1:]), prog_name="backpropd")
    except (BackpropdError, OSError) as error:
        sys.exit(console.ended(error))


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"backpropd {version('backpropd')}")
        raise typer.Exit


@app.callback()
def main(
    context: Context,
    url: Annotated[str | None, typer.Option(envvar="BACKPROPD_URL", help="The service.")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="BACKPROPD_API_KEY", help="Your key.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for machines.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Take the options that every command shares."""
    context.obj = Options(url, api_key, json)


# ── datasets ─────────────────────────────────────────────────────────────────────────────────────────────────────


@datasets.command("upload")
def datasets_upload(context: Context, file: Path, name: str | None = None) -> None:
    """Upload a CSV or TSV file."""
    with client(context) as service:
        dataset = service.datasets.upload(file, name)
    show(context, dataset, _dataset(dataset))


@datasets.command("sample")
def datasets_sample(context: Context, name: str) -> None:
    """Make a dataset of a bundled sample."""
    with client(context) as service:
        dataset = service.datasets.sample(name)
    show(context, dataset, _dataset(dataset))


@datasets.command("list")
def datasets_list(context: Context) -> None:
    """List the datasets, newest first."""
    with client(context) as service:
        found = list(service.datasets.list())
    rows = [[each["id"], each["name"], each["rows"], len(each["columns"]), each["created_at"][:19]] for each in found]
    show(context, found, table(["id", "name", "rows", "columns", "created"], rows))


@datasets.command("show")
def datasets_show(context: Context, dataset_id: str) -> None:
    """Show a dataset's columns."""
    with client(context) as service:
        dataset = service.datasets.get(dataset_id)
    rows = [[each["name"], each["kind"], each["missing"], each.get("distinct")] for each in dataset["columns"]]
    show(context, dataset, table(["column", "kind", "missing", "distinct"], rows))


def _dataset(dataset: Dataset) -> str:
    return f"{dataset['id']}  {dataset['name']}: {dataset['rows']} rows, {len(dataset['columns'])} columns"


# ── training ─────────────────────────────────────────────────────────────────────────────────────────────────────


@app.command()
def train(
    context: Context,
    table: Annotated[str, typer.Argument(help="A CSV or TSV file, a dataset's id, or sample:NAME.")],
    target: Annotated[str, typer.Option(help="The column to learn; several with commas.")],
    features: Annotated[str | None, typer.Option(help="Columns to learn from, with commas.")] = None,
    task: str = "auto",
    hidden: Annotated[str | None, typer.Option(help="Units of the hidden layers, such as 16,8; '' for none.")] = None,
    activation: str = "tanh",
    epochs: int = 100,
    batch_size: Annotated[str | None, typer.Option(help="Rows a step, or full.")] = None,
    optimizer: str = "adam",
    learning_rate: float | None = None,
    momentum: float | None = None,
    loss: str = "auto",
    validation_fraction: float | None = None,
    patience: Annotated[int | None, typer.Option(help="Stop early after so many epochs without gain.")] = None,
    seed: int | None = None,
    dtype: str = "float32",
    engine: str = "auto",
    more_network: Annotated[
        str, typer.Option("--network", help="More of the network, as JSON in the API's words.")
    ] = "{}",
    more_training: Annotated[str, typer.Option("--training", help="More of the training, likewise.")] = "{}",
    name: str | None = None,
    wait: Annotated[bool, typer.Option(help="Watch until it is over.")] = True,
) -> None:
    """Upload a table and train a network on it, watch it learn, and see the learning curve."""
    training = {
        "epochs": epochs,
        "batch_size": _batch_size(batch_size),
        "optimizer": _given(name=optimizer, learning_rate=learning_rate, momentum=momentum),
        "loss": loss,
        "validation_fraction": validation_fraction,
        "early_stopping": None if patience is None else {"patience": patience},
        "seed": seed,
        "dtype": dtype,
        "engine": engine,
    }
    with client(context) as service:
        dataset_id = _dataset_id(service, table)
        job = service.jobs.create(
            dataset_id,
            _names(target),
            features=None if features is None else features.split(","),
            task=task,
            name=name,
            network=_more("--network", more_network, _network(hidden, activation) or {}) or None,
            training=_more("--training", more_training, _given(**training)),
        )
        if not wait:
            show(context, job, f"{job['id']} is {job['status']}: backpropd jobs watch {job['id']}")
            return
        _watch(context, service, job)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _more(option: str, text: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, and over them what a JSON object says."""
    try:
        return {**fields, **json.loads(text)}
    except (ValueError, TypeError):
        example = "'{\"l2\": 0.001}'"
        raise typer.BadParameter(f"a JSON object, such as {example}", param_hint=option) from None


def _batch_size(text: str | None) -> int | str | None:
    if text is None or text == "full":
        return text
    if not text.isdigit():
        raise typer.BadParameter("a whole number, or full", param_hint="--batch-size")
    return int(text)


def _names(text: str) -> str | list[str]:
    names = text.split(",")
    return names if len(names) > 1 else text


def _network(hidden: str | None, activation: str) -> dict[str, Any] | None:
    if hidden is None:
        return None
    units = [part.strip() for part in hidden.split(",") if part.strip()]
    if not all(part.isdigit() for part in units):
        raise typer.BadParameter("whole numbers with commas, such as 16,8", param_hint="--hidden")
    return {"hidden": [{"units": int(part), "activation": activation} for part in units]}


def _dataset_id(service: Client, given: str) -> str:
    if given.startswith("sample:"):
        return service.datasets.sample(given.removeprefix("sample:"))["id"]
    if given.startswith("ds_") and not Path(given).exists():
        return given
    return service.datasets.upload(given)["id"]


def _watch(context: Context, service: Client, job: Job) -> None:
    """Show a job until it is over, then its curve and its model. Raises `errors.JobDidNotSucceed`."""
    from backpropd.cli import curve, progress

    try:
        done = progress.watch(service, job)
    except KeyboardInterrupt:
        here = f"backpropd jobs watch {job['id']}, or: backpropd jobs cancel {job['id']}"
        err.print(f"\nthe job goes on; to see it again: {here}", soft_wrap=True)
        raise typer.Exit(console.INTERRUPTED) from None
    epochs = [] if options(context).json else service.jobs.curve(job["id"])
    if epochs:
        sys.stdout.write(curve.draw(epochs, out.width, colour=out.is_terminal) + "\n")
    if done["status"] != "succeeded":
        if options(context).json:
            show(context, {"job": done, "model": None}, "")
        raise unsuccessful(done)
    model = service.models.get(done["model_id"] or "")
    show(context, {"job": done, "model": model}, _summary(done, model))


def _summary(job: Job, model: Model) -> str:
    measured = ", ".join(f"{name} {value:.4f}" for name, value in model["metrics"].items())
    held_out = ", ".join(f"{name} {value:.4f}" for name, value in (model["validation_metrics"] or {}).items())
    lines = [
        f"{job['id']} {job['status']} after {job['progress']['epoch']} epochs ({job['stop_reason']})",
        f"training:   {measured}",
        *([f"validation: {held_out}"] if held_out else []),
        f"the model is {model['id']}: backpropd predict {model['id']} FILE.csv",
    ]
    return "\n".join(lines)


@app.command()
def predict(
    context: Context,
    model_id: str,
    file: Annotated[str, typer.Argument(help="A CSV file with the model's columns, or - for stdin.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where to write, or - for stdout.")] = "-",
) -> None:
    """Predict the rows of a CSV file: the same rows come out, with the predictions beside them."""
    from backpropd.cli.prediction import predicted, write_csv

    reading = nullcontext(sys.stdin) if file == "-" else open(file, newline="", encoding="utf-8-sig")  # noqa: SIM115
    with client(context) as service, reading as source:
        answers = predicted(service, model_id, source)
        if output == "-" and options(context).json:
            show(context, {"predictions": [answer for part in answers for answer in part.answers]}, "")
            return
        count = write_csv(answers, output)
    if output != "-":
        show(context, {"rows": count, "output": output}, f"{count} rows predicted, in {output}")


# ── jobs and models ──────────────────────────────────────────────────────────────────────────────────────────────


@jobs.command("list")
def jobs_list(context: Context, status: str | None = None) -> None:
    """List the jobs, newest first."""
    with client(context) as service:
        found = list(service.jobs.list(status=status))
    rows = [[job["id"], job["name"], job["status"], _progress(job), job["created_at"][:19]] for job in found]
    show(context, found, table(["id", "name", "status", "epochs", "created"], rows))


@jobs.command("show")
def jobs_show(context: Context, job_id: str) -> None:
    """Show a job."""
    with client(context) as service:
        job = service.jobs.get(job_id)
    show(context, job, _job(job))


@jobs.command("watch")
def jobs_watch(context: Context, job_id: str) -> None:
    """Watch a job until it is over."""
    with client(context) as service:
        _watch(context, service, service.jobs.get(job_id))


@jobs.command("cancel")
def jobs_cancel(context: Context, job_id: str) -> None:
    """Cancel a job that is not over."""
    with client(context) as service:
        job = service.jobs.cancel(job_id)
    show(context, job, _job(job))


@jobs.command("pause")
def jobs_pause(context: Context, job_id: str) -> None:
    """Put a job aside, with a checkpoint."""
    with client(context) as service:
        job = service.jobs.pause(job_id)
    show(context, job, _job(job))


@jobs.command("resume")
def jobs_resume(context: Context, job_id: str) -> None:
    """Queue a paused job again."""
    with client(context) as service:
        job = service.jobs.resume(job_id)
    show(context, job, _job(job))


def _progress(job: Job) -> str:
    return f"{job['progress']['epoch']}/{job['progress']['epochs']}"


def _job(job: Job) -> str:
    error = job["error"]
    ending = f"\n{error['code']}: {error['detail']}" if error else ""
    model = f"\nthe model is {job['model_id']}" if job["model_id"] else ""
    return f"{job['id']} is {job['status']}, epoch {_progress(job)}{model}{ending}"


@models.command("list")
def models_list(context: Context) -> None:
    """List the models, newest first."""
    with client(context) as service:
        found = list(service.models.list())
    rows = [[each["id"], each["name"], each["task"], each["parameters"], each["created_at"][:19]] for each in found]
    show(context, found, table(["id", "name", "task", "parameters", "created"], rows))


@models.command("show")
def models_show(context: Context, model_id: str) -> None:
    """Show a model."""
    with client(context) as service:
        model = service.models.get(model_id)
    rows = [[name, f"{value:.4f}"] for name, value in model["metrics"].items()]
    rows += [[f"validation {name}", f"{value:.4f}"] for name, value in (model["validation_metrics"] or {}).items()]
    show(context, model, table([model["id"], ", ".join(model["features"])[:80]], rows))
