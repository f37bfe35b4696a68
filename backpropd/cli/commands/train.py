"""`backpropd train`: upload a table, train a network on it, and watch. Omitted options have the API's defaults."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from backpropd.cli.console import client, show
from backpropd.cli.job_display import watch
from backpropd.cli.notes import show_job_notes, show_table_warnings
from backpropd.cli.reading_options import parse_kinds
from backpropd.client import Client

FEATURES = """The columns to learn from, separated by commas, or a JSON list, as '["x", {"square": "x"}]'."""
EXAMPLES = {"--network": '{"output_activation": "tanh"}', "--training": '{"l2": 0.001}'}


def train(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="A file (CSV, JSON, Parquet, XLSX, …), a dataset's id, or sample:NAME.")],
    target: Annotated[str, typer.Option(help="The column to predict; several separated by commas.")],
    features: Annotated[str | None, typer.Option(help=FEATURES)] = None,
    kinds: Annotated[str | None, typer.Option(help="Kinds of columns in this job: zip=category, or JSON.")] = None,
    task: str | None = None,
    hidden: Annotated[str | None, typer.Option(help="Units of the hidden layers, such as 16,8; '' for none.")] = None,
    activation: str | None = None,
    epochs: int | None = None,
    batch_size: Annotated[str | None, typer.Option(help="Rows per step, or full.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="Its name; adam if only its parameters are given.")] = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    loss: str | None = None,
    preset: Annotated[str | None, typer.Option(help="fast (the default), or best: the strongest network.")] = None,
    validation_fraction: float | None = None,
    patience: Annotated[int | None, typer.Option(help="Stop after this many epochs without improvement.")] = None,
    seed: int | None = None,
    dtype: str | None = None,
    engine: str | None = None,
    network: Annotated[str, typer.Option("--network", help="Other fields of the API's `network`, as JSON.")] = "{}",
    training: Annotated[str, typer.Option("--training", help="Other fields of the API's `training`, as JSON.")] = "{}",
    name: str | None = None,
    wait: Annotated[bool, typer.Option(help="Watch the job until it ends.")] = True,
) -> None:
    """Train a network on a table, watch it, and draw its learning curve."""
    training_fields = _given(
        epochs=epochs,
        batch_size=_batch_size(batch_size),
        optimizer=_optimizer(_given(name=optimizer, learning_rate=learning_rate, momentum=momentum)),
        preset=preset,
        loss=loss,
        validation_fraction=validation_fraction,
        early_stopping=None if patience is None else {"patience": patience},
        seed=seed,
        dtype=dtype,
        engine=engine,
    )
    with client(context) as service:
        job = service.jobs.create(
            _dataset_id(context, service, table),
            target.split(",") if "," in target else target,
            features=None if features is None else _features(features),
            kinds=None if kinds is None else parse_kinds(kinds),
            task=task,
            name=name,
            network=_merge("--network", network, _hidden_layers(hidden, activation)) or None,
            training=_merge("--training", training, training_fields),
        )
        show_job_notes(context, job)
        if wait:
            watch(context, service, job)
        else:
            show(context, job, f"{job['id']} is {job['status']}: backpropd jobs watch {job['id']}")


def _features(text: str) -> list[Any]:
    """Names separated by commas; text that is a JSON list may have derived features, too."""
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else None
    except ValueError:
        found = None
    return found if isinstance(found, list) else text.split(",")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _optimizer(given: dict[str, Any]) -> dict[str, Any] | None:
    return {"name": "adam", **given} if given else None


def _merge(option: str, text: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, overridden by those of a JSON object."""
    try:
        return {**fields, **json.loads(text)}
    except (ValueError, TypeError):
        raise typer.BadParameter(f"not a JSON object, such as '{EXAMPLES[option]}'", param_hint=option) from None


def _batch_size(text: str | None) -> int | str | None:
    if text is None or text == "full":
        return text
    if not text.isdigit():
        raise typer.BadParameter("neither a whole number nor full", param_hint="--batch-size")
    return int(text)


def _hidden_layers(hidden: str | None, activation: str | None) -> dict[str, Any]:
    if hidden is None:
        return {}
    units = [each.strip() for each in hidden.split(",")] if hidden.strip() else []
    if not all(each.isdigit() for each in units):
        raise typer.BadParameter("not whole numbers separated by commas, such as 16,8", param_hint="--hidden")
    return {"hidden": [_given(units=int(each), activation=activation) for each in units]}


def _dataset_id(context: typer.Context, service: Client, table: str) -> str:
    if table.startswith("sample:"):
        return service.datasets.sample(table.removeprefix("sample:"))["id"]
    if table.startswith("ds_") and not Path(table).exists():
        return table
    dataset = service.datasets.upload(table)
    show_table_warnings(context, dataset["warnings"])
    return dataset["id"]
