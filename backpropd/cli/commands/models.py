"""`backpropd models …`: list trained models and their metrics."""

import typer

from backpropd.cli.console import client, show, table

commands = typer.Typer(help="List trained models.", no_args_is_help=True)


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
    show(context, model, table([model["id"], ", ".join(model["features"])[:80]], rows))
