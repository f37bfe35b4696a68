"""What all commands share: options, the client, the output streams, and the exit code of an error."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from backpropd.client import Client, JobDidNotSucceed, ServiceError, ServiceUnreachable
from backpropd.errors import BackpropdError

FAILED, WRONG_INPUT, REJECTED, UNREACHABLE, INTERRUPTED = 1, 2, 3, 4, 130  # exit codes

SHARED = ("--url", "--api-key")  # the shared options that have a value
PIPE_WIDTH = 1000  # columns: in a pipe each row is one line, and nothing is cut


def _console(*, stderr: bool) -> Console:
    """An output stream without markup: names come from files and may contain some."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=None if terminal else PIPE_WIDTH)


out = _console(stderr=False)
err = _console(stderr=True)


@dataclass
class Options:
    """The options that all commands share."""

    url: str | None = None
    api_key: str | None = None
    json: bool = False


def shared_options_first(arguments: Sequence[str]) -> list[str]:
    """The command line with the shared options moved before the command; arguments after `--` stay."""
    shared: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            rest += [argument, *remaining]
        elif argument in SHARED:
            shared += [argument, *([value] if (value := next(remaining, None)) is not None else [])]
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
    """A client of the service that the options name."""
    given = options(context)
    with Client(given.url, given.api_key) as opened:
        yield opened


def show(context: typer.Context, data: Any, table: Table | str) -> None:
    """Print data as JSON with --json, otherwise the table or text."""
    if options(context).json:
        json.dump(data, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        out.print(table, soft_wrap=isinstance(table, str))


def table(columns: list[str], rows: list[list[Any]]) -> Table:
    """A plain table."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column == columns[0])  # ids are copied and stay whole
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


def report(error: BackpropdError | OSError) -> int:
    """Print an error on stderr; returns its exit code."""
    detail = error.detail if isinstance(error, BackpropdError) else str(error)
    err.print("error", style="red", end="")
    err.print(f": {detail}", soft_wrap=True)
    if isinstance(error, BackpropdError):
        for problem in error.problems:
            if problem.detail not in detail:
                err.print(f"  {problem.pointer}: {problem.detail}", soft_wrap=True)
    if isinstance(error, ServiceError) and error.status == 401:
        err.print("  set an API key with --api-key or BACKPROPD_API_KEY", soft_wrap=True)
    if isinstance(error, ServiceError) and error.status == 429 and error.retry_after:
        err.print(f"  try again in {error.retry_after:.0f} s", soft_wrap=True)
    if isinstance(error, JobDidNotSucceed):
        return FAILED
    if isinstance(error, ServiceUnreachable) or (isinstance(error, ServiceError) and error.status >= 500):
        return UNREACHABLE
    return REJECTED if isinstance(error, ServiceError) else WRONG_INPUT
