"""What every command shares: the client, the two output streams, and how an error ends the program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from backpropd.client import Client
from backpropd.errors import BackpropdError, JobDidNotSucceed, ServiceError, ServiceUnreachable

FAILED, REFUSED, UNREACHABLE, INTERRUPTED = 1, 3, 4, 130

out = Console()
err = Console(stderr=True)


@dataclass
class Options:
    """The options before the command."""

    url: str | None = None
    api_key: str | None = None
    json: bool = False


def options(context: typer.Context) -> Options:
    """The options of this run."""
    found: Options = context.obj
    return found


@contextmanager
def client(context: typer.Context) -> Iterator[Client]:
    """A client for the service that the options name."""
    given = options(context)
    with Client(given.url, given.api_key) as opened:
        yield opened


def show(context: typer.Context, data: Any, table: Table | str) -> None:
    """Print data as JSON for machines, or as a table or text for people."""
    if options(context).json:
        json.dump(data, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        out.print(table, soft_wrap=isinstance(table, str), highlight=False)


def table(columns: list[str], rows: list[list[Any]]) -> Table:
    """A plain table."""
    made = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


def ended(error: BackpropdError | OSError) -> int:
    """Say what went wrong on stderr; gives the exit code that means it."""
    detail = error.detail if isinstance(error, BackpropdError) else str(error)
    err.print(f"[red]error[/red]: {_plain(detail)}", highlight=False)
    if isinstance(error, BackpropdError):
        for problem in error.problems:
            if problem.detail not in detail:
                err.print(f"  {_plain(problem.pointer)}: {_plain(problem.detail)}", highlight=False)
    if isinstance(error, JobDidNotSucceed):
        return FAILED
    if isinstance(error, ServiceUnreachable) or (isinstance(error, ServiceError) and error.status >= 500):
        return UNREACHABLE
    return REFUSED if isinstance(error, ServiceError) else 2


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
