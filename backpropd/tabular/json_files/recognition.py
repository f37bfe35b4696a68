"""Whether a file is JSON, from its beginning."""

import json
import re

from backpropd.errors import NotATable
from backpropd.tabular.messages import brief

# An object, or a list of objects or lists. A header of a text file such as `[a],[b]` is neither.
JSON = re.compile(r"""(\{\s*("|'|\}|$)|\[\s*(\{|\]|$|\[\s*(["\d\-tfn{\]\[]|$)))""")


def is_json(head: bytes) -> bool:
    """Whether a file that begins with these bytes is JSON, perhaps a broken one."""
    text = _decoded(head)
    return bool(JSON.match(text)) or _begins_with_a_list(text)


def reject_non_tables(head: bytes, *, is_whole: bool) -> None:
    """Raise `NotATable` for a file that is declared as JSON and is none, unless it may be a table of text.

    `head` are the first bytes, all if `is_whole`. A table of text has two lines, and does not begin like JSON.
    """
    text = _decoded(head)
    if text.startswith(("{", "[")):
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = f": {brief(error)}" if is_whole else ""
            raise NotATable(f"this is broken JSON{reason}: correct it, or declare the file as text/csv") from error
    if is_whole and len(text.strip().splitlines()) == 1:
        raise NotATable(
            "this is neither a table in JSON nor in text: send a list of objects, an object on each line, or lines "
            "below a header"
        )


def _decoded(head: bytes) -> str:
    return head.decode(json.detect_encoding(head), errors="replace").lstrip("\ufeff \t\r\n")


def _begins_with_a_list(text: str) -> bool:
    """Whether the first value is a list of single values, behind which its line ends."""
    if not text.startswith("["):
        return False
    try:
        _, end = json.JSONDecoder(parse_int=str).raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return text[end:].lstrip(" \t\r")[:1] in ("", "\n")
