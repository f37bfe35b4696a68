"""What there is to say about a table or a job, on stderr: with --json it is in the document."""

from collections.abc import Sequence

import typer

from backpropd.cli.console import err, options
from backpropd.client import Job, TableWarning


def show_table_warnings(context: typer.Context, warnings: Sequence[TableWarning]) -> None:
    """The warnings of a table, a line for each."""
    for each in warnings:
        where = "" if each["column"] is None else f" {each['column']}"
        _show(context, f"warning:{where}: {each['detail']}")


def show_job_notes(context: typer.Context, job: Job) -> None:
    """The warnings of a job, and the columns that it leaves out."""
    for warning in job["warnings"]:
        _show(context, f"warning: {warning['detail']}")
    for column in job["left_out"]:
        _show(context, f"left out: {column['column']} {column['detail']}")


def _show(context: typer.Context, line: str) -> None:
    if not options(context).json:
        err.print(line, soft_wrap=True)
