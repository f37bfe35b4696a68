"""`backpropd datasets …`: upload and list tables."""

from pathlib import Path

import typer

from backpropd.cli.console import client, show, table
from backpropd.cli.notes import show_table_warnings
from backpropd.cli.reading_options import (
    Comment,
    Decimal,
    Delimiter,
    Encoding,
    Header,
    Kinds,
    Missing,
    Quote,
    Sheet,
    SkipLines,
    Strict,
    Thousands,
    reading_options,
)
from backpropd.client import Dataset

commands = typer.Typer(help="Upload and list tables.", no_args_is_help=True)


@commands.command("upload")
def upload(
    context: typer.Context,
    file: Path,
    name: str | None = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    quote: Quote = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    header: Header = None,
    skip_lines: SkipLines = None,
    comment: Comment = None,
    missing: Missing = None,
    kinds: Kinds = None,
    sheet: Sheet = None,
    strict: Strict = None,
) -> None:
    """Upload a table: CSV, TSV, JSON, JSON lines, Parquet, Arrow, NPY, NPZ or XLSX, also as .gz or .zst."""
    options = reading_options(
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        decimal=decimal,
        thousands=thousands,
        header=header,
        skip_lines=skip_lines,
        comment=comment,
        missing=missing,
        kinds=kinds,
        sheet=sheet,
        strict=strict,
    )
    with client(context) as service:
        dataset = service.datasets.upload(file, name, **options)
    show(context, dataset, _summary(dataset))
    show_table_warnings(context, dataset["warnings"])


@commands.command("preview")
def preview(
    context: typer.Context,
    file: Path,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    quote: Quote = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    header: Header = None,
    skip_lines: SkipLines = None,
    comment: Comment = None,
    missing: Missing = None,
    kinds: Kinds = None,
    sheet: Sheet = None,
    strict: Strict = None,
) -> None:
    """Show how a file would be read, with its first rows; nothing is stored."""
    options = reading_options(
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        decimal=decimal,
        thousands=thousands,
        header=header,
        skip_lines=skip_lines,
        comment=comment,
        missing=missing,
        kinds=kinds,
        sheet=sheet,
        strict=strict,
    )
    with client(context) as service:
        found = service.datasets.preview(file, **options)
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
