"""Train networks on tables and predict with them.

Exit codes: 0 success; 1 the job failed or was cancelled; 2 wrong command line or file; 3 rejected by the service;
4 the service is unreachable or unavailable; 130 interrupted.

--url, --api-key and --json may be given before or after the command.
"""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from backpropd.cli import console
from backpropd.cli.commands import datasets, jobs, models
from backpropd.cli.commands.predict import predict
from backpropd.cli.commands.train import train
from backpropd.cli.console import Options, out
from backpropd.errors import BackpropdError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(datasets.commands, name="datasets")
app.command()(train)
app.command()(predict)
app.add_typer(jobs.commands, name="jobs")
app.add_typer(models.commands, name="models")


def run() -> None:
    """Run the command line, and exit with the code that the help explains."""
    try:
        app(console.shared_options_first(sys.argv[1:]), prog_name="backpropd")
    except (BackpropdError, OSError) as error:
        sys.exit(console.report(error))


def _version(requested: bool) -> None:
    if requested:
        out.print(f"backpropd {version('backpropd')}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="BACKPROPD_URL", help="The service's address.")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="BACKPROPD_API_KEY", help="Your API key.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Store the options that all commands share."""
    context.obj = Options(url, api_key, json)
