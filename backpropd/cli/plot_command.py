"""The options of the commands that write a plot to a file."""

from pathlib import Path
from typing import Annotated

import typer

from backpropd.cli.console import show
from backpropd.cli.output_file import write_output

Output = Annotated[str, typer.Option("--output", "-o", help="The file to write: .svg, .png, or - for SVG.")]


def format_of(output: str) -> str:
    """The format of a plot in this file. Raises `typer.BadParameter` for an end that is none."""
    ending = "svg" if output == "-" else Path(output).suffix.lower().removeprefix(".")
    if ending not in ("svg", "png"):
        raise typer.BadParameter(f"{output!r} ends neither in .svg nor in .png", param_hint="--output")
    return ending


def write_plot(context: typer.Context, picture: bytes, output: str) -> None:
    """Write a plot, and say where it is."""
    write_output(iter([picture]), output)
    if output != "-":
        show(context, {"output": output}, f"the plot is in {output}")
