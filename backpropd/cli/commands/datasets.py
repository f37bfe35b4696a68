"""`backpropd datasets …`: upload and list tables."""

from pathlib import Path
from typing import Any

import typer

from backpropd.cli.console import client, show, table
from backpropd.cli.notes import show_table_warnings
from backpropd.cli.reading_options import with_reading_options
from backpropd.client import Dataset

commands = typer.Typer(help="Upload and list tables.", no_args_is_help=True)


@commands.command("upload")
@with_reading_options
def upload(context: typer.Context, file: Path, reading: dict[str, Any], name: str | None = None) -> None:
    """Upload a table: CSV, TSV, JSON, JSON lines, Parquet, Arrow, NPY, NPZ or XLSX, also as .gz or .zst."""
    with client(context) as service:
        dataset = service.datasets.upload(file, name, **reading)
    show(context, dataset, _summary(dataset))
    show_table_warnings(context, dataset["warnings"])


@commands.command("preview")
@with_reading_options
def preview(context: typer.Context, file: Path, reading: dict[str, Any]) -> None:
    """Show how a file would be read, with its first rows; nothing is stored."""
    with client(context) as service:
        found = service.datasets.preview(file, **reading)
    names = [column["name"] for column in found["columns"]]
    kinds_of_columns = [column["kind"] for column in found["columns"]]
    rows = [[row[name] for name in names] for row in found["preview"]]
    show(context, found, table(names, [kinds_of_columns, *rows]))
    show_table_warnings(context, found["warnings"])


@commands.command("sample")
def sample(context: typer.Context, name: str) -> None:
    """Create a dataset from a bundled sample."""
    with client(context) as service:
        dataset = service.datasets.sample(name)
    show(context, dataset, _summary(dataset))


@commands.command("list")
def list_(context: typer.Context) -> None:
    """List the datasets, newest first."""
    with client(context) as service:
        found = list(service.datasets.list())
    rows = [[each["id"], each["name"], each["rows"], each["width"], each["created_at"][:19]] for each in found]
    show(context, found, table(["id", "name", "rows", "columns", "created"], rows))


@commands.command("show")
def show_(context: typer.Context, dataset_id: str) -> None:
    """Show a dataset's columns."""
    with client(context) as service:
        dataset = service.datasets.get(dataset_id)
    rows = [[each["name"], each["kind"], each["missing"], each.get("distinct")] for each in dataset["columns"]]
    show(context, dataset, table(["column", "kind", "missing", "distinct"], rows))


def _summary(dataset: Dataset) -> str:
    return f"{dataset['id']}  {dataset['name']}: {dataset['rows']} rows, {len(dataset['columns'])} columns"
