"""What every command shares: the client, the two output streams, and how an error ends the program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from backpropd.client import Client
from backpropd.errors import BackpropdError, JobDidNotSucceed, ServiceError, ServiceUnreachable

FAILED, REFUSED, UNREACHABLE, INTERRUPTED = 1, 3, 4, 130

SHARED = ("--url", "--api-key")  # the options with a value that may stand before the command or after it
PIPE_WIDTH = 1000  # where nobody looks, a row is a line and nothing is cut


def _console(*, stderr: bool) -> Console:
    """A stream that shows text as it is: names come from files, and may look like markup."""
    shown = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=None if shown else PIPE_WIDTH)


out = _console(stderr=False)
err = _console(stderr=True)


@dataclass
class Options:
    """The options before the command."""

    url: str | None = None
    api_key: str | None = None
    json: bool = False


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The command line with the options that every command shares in front, wherever they stood before `--`."""
    shared: list[str] = []
    rest: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            rest += [argument, *left]
        elif argument in SHARED:
            shared += [argument, *([value] if (value := next(left, None)) is not None else [])]
        elif argument == "--json" or argument.startswith(tuple(f"{name}=" for name in SHARED)):
            shared.append(argument)
        else:
            rest.append(argument)
    return shared + rest


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
        out.print(table, soft_wrap=isinstance(table, str))


def table(columns: list[str], rows: list[list[Any]]) -> Table:
    """A plain table."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column == columns[0])  # an id is copied, and so whole
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


def ended(error: BackpropdError | OSError) -> int:
    """Say what went wrong on stderr; gives the exit code that means it."""
    detail = error.detail if isinstance(error, BackpropdError) else str(error)
    err.print("error", style="red", end="")
    err.print(f": {detail}", soft_wrap=True)
    if isinstance(error, BackpropdError):
        for problem in error.problems:
            if problem.detail not in detail:
                err.print(f"  {problem.pointer}: {problem.detail}", soft_wrap=True)
    if isinstance(error, ServiceError) and error.status == 401:
        err.print("  give a key with --api-key, or in BACKPROPD_API_KEY", soft_wrap=True)
    if isinstance(error, ServiceError) and error.status == 429 and error.retry_after:
        err.print(f"  try again in {error.retry_after:.0f} s", soft_wrap=True)
    if isinstance(error, JobDidNotSucceed):
        return FAILED
    if isinstance(error, ServiceUnreachable) or (isinstance(error, ServiceError) and error.status >= 500):
        return UNREACHABLE
    return REFUSED if isinstance(error, ServiceError) else 2
