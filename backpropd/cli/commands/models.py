"""`backpropd models …`: list trained models and their metrics, export, import and explain them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from backpropd.cli.commands import explanations, gradients
from backpropd.cli.console import client, show, table
from backpropd.cli.output_file import write_output
from backpropd.cli.plot_command import Output, format_of, write_plot
from backpropd.export.formats import EXPORT_FORMATS

if TYPE_CHECKING:
    Format: TypeAlias = str
else:
    Format = Literal[*EXPORT_FORMATS]

PlotKind = Literal["confusion", "roc", "calibration", "residuals", "importance", "network"]

commands = typer.Typer(help="List, export, import and explain models.", no_args_is_help=True)
commands.command()(gradients.gradient_check)
commands.command()(gradients.homework)


@commands.command("list")
def list_(context: typer.Context) -> None:
    """List the models, newest first."""
    with client(context) as service:
        found = list(service.models.list())
    rows = [[each["id"], each["name"], each["task"], each["parameters"], each["created_at"][:19]] for each in found]
    show(context, found, table(["id", "name", "task", "parameters", "created"], rows))


@commands.command("show")
def show_(context: typer.Context, model_id: str) -> None:
    """Show a model's metrics."""
    with client(context) as service:
        model = service.models.get(model_id)
    rows = [[name, f"{value:.4f}"] for name, value in model["metrics"].items()]
    rows += [[f"validation {name}", f"{value:.4f}"] for name, value in (model["validation_metrics"] or {}).items()]
    show(context, model, table([model["id"], ", ".join(map(_feature_name, model["features"]))[:80]], rows))


def _feature_name(feature: str | Mapping[str, Any]) -> str:
    """A column's name, or a derived feature as `product(x1, x2)`."""
    if isinstance(feature, str):
        return feature
    ((operation, columns),) = feature.items()
    return f"{operation}({columns if isinstance(columns, str) else ', '.join(columns)})"


@commands.command("export")
def export(
    context: typer.Context,
    model_id: str,
    format: Annotated[Format, typer.Option(help="The format of the file.")],
    output: Annotated[str, typer.Option("--output", "-o", help="The file to write, or -.")] = "",
) -> None:
    """Write the whole model, encoders included, to a file that works elsewhere."""
    files = {f".{file.extension}": file for file in EXPORT_FORMATS[format]}
    target = output or f"{model_id}{next(iter(files))}"
    chosen = next((file for end, file in files.items() if target.endswith(end)), next(iter(files.values())))
    with client(context) as service, service.models.export(model_id, format, accept=chosen.media_type) as chunks:
        write_output(chunks, target)
    if target != "-":
        show(context, {"output": target}, f"the model is in {target}")


@commands.command("plot")
def plot(
    context: typer.Context,
    model_id: str,
    kind: Annotated[PlotKind, typer.Option(help="What is drawn.")],
    output: Output = "plot.svg",
) -> None:
    """Draw the report or the network of a model, as SVG or PNG."""
    format = format_of(output)
    with client(context) as service:
        picture = service.models.plot(model_id, kind, format)
    write_plot(context, picture, output)


@commands.command("import")
def import_(context: typer.Context, file: str) -> None:
    """Import a model from a safetensors or JSON file that was exported here or made elsewhere."""
    with client(context) as service:
        model = service.models.import_file(file)
    show(context, model, f"the model is {model['id']}")


commands.command("explain")(explanations.explain)
commands.command("importance")(explanations.importance)
commands.command("partial-dependence")(explanations.partial_dependence)
