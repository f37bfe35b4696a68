"""The options of commands that correct how a file is read."""

import inspect
import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any

import typer

OPTIONS = {
    "encoding": Annotated[str | None, typer.Option(help="The text's encoding, such as windows-1252.")],
    "delimiter": Annotated[str | None, typer.Option(help=r"The character between two cells; \t for a tab.")],
    "quote": Annotated[str | None, typer.Option(help="The character around a cell; '' for none.")],
    "decimal": Annotated[str | None, typer.Option(help="The decimal mark: . or ,")],
    "thousands": Annotated[str | None, typer.Option(help="The character between thousands; '' for none.")],
    "header": Annotated[bool | None, typer.Option("--header/--no-header", help="Whether the first row has the names.")],
    "skip_lines": Annotated[int | None, typer.Option(help="Lines before the table.")],
    "comment": Annotated[str | None, typer.Option(help="What a line to be skipped begins with.")],
    "missing": Annotated[list[str] | None, typer.Option(help="A marker of a missing value; may be repeated.")],
    "kinds": Annotated[str | None, typer.Option(help="Kinds of columns: zip=category,size=number, or a JSON object.")],
    "sheet": Annotated[str | None, typer.Option(help="The sheet of a spreadsheet.")],
    "strict": Annotated[bool | None, typer.Option("--strict", help="Refuse a file with a row that does not fit.")],
}


def with_reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `OPTIONS`, which it gets in its argument `reading` as the client takes them."""

    @wraps(command)
    def wrapped(*arguments: Any, **given: Any) -> None:
        reading = _as_the_client_takes_them({name: given.pop(name) for name in OPTIONS})
        command(*arguments, reading=reading, **given)

    own = inspect.signature(command, eval_str=True)
    parameters = [each for name, each in own.parameters.items() if name != "reading"]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=each)
        for name, each in OPTIONS.items()
    ]
    # typer reads a command's options from its signature, and their types from its annotations
    wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # typer reads it from there
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    del wrapped.__wrapped__
    return wrapped


def _as_the_client_takes_them(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options without those that were left out."""
    options = {name: value for name, value in given.items() if value not in (None, [])}
    if options.get("delimiter") == r"\t":
        options["delimiter"] = "\t"
    if "kinds" in options:
        options["kinds"] = parse_kinds(options["kinds"])
    return options


def parse_kinds(text: str) -> dict[str, str]:
    """Kinds by column, from `a=number,b=text` or JSON. Raises `typer.BadParameter`."""
    if text.lstrip().startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise typer.BadParameter(f"this is no JSON: {error}", param_hint="--kinds") from None
    pairs = [each.rpartition("=") for each in text.split(",")]
    if not all(name and kind for name, _, kind in pairs):
        raise typer.BadParameter("write it as column=kind,column=kind", param_hint="--kinds")
    return {name.strip(): kind.strip() for name, _, kind in pairs}
