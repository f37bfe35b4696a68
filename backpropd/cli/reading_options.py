"""The options of commands that correct how a file is read."""

import json
from typing import Annotated, Any

import typer

Encoding = Annotated[str | None, typer.Option(help="The text's encoding, such as windows-1252.")]
Delimiter = Annotated[str | None, typer.Option(help=r"The character between two cells; \t for a tab.")]
Quote = Annotated[str | None, typer.Option(help="The character around a cell; '' for none.")]
Decimal = Annotated[str | None, typer.Option(help="The decimal mark: . or ,")]
Thousands = Annotated[str | None, typer.Option(help="The character between thousands; '' for none.")]
Header = Annotated[bool | None, typer.Option("--header/--no-header", help="Whether the first row has the names.")]
SkipLines = Annotated[int | None, typer.Option(help="Lines before the table.")]
Comment = Annotated[str | None, typer.Option(help="What a line to be skipped begins with.")]
Missing = Annotated[list[str] | None, typer.Option(help="A marker of a missing value; may be repeated.")]
Kinds = Annotated[str | None, typer.Option(help="Kinds of columns: zip=category,size=number, or a JSON object.")]
Sheet = Annotated[str | None, typer.Option(help="The sheet of a spreadsheet.")]
Strict = Annotated[bool | None, typer.Option("--strict", help="Refuse a file with a row that does not fit.")]


def reading_options(**given: Any) -> dict[str, Any]:
    """The options as the client takes them, without those that were left out."""
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
