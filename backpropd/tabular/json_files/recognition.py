"""Whether a file is JSON, from its beginning."""

import json
import re

# An object, or a list of objects or lists. A header of a text file such as `[a],[b]` is neither.
JSON = re.compile(r"""(\{\s*("|'|\}|$)|\[\s*(\{|\]|$|\[\s*(["\d\-tfn{\]\[]|$)))""")


def is_json(head: bytes) -> bool:
    """Whether a file that begins with these bytes is JSON, perhaps a broken one."""
    text = head.decode(json.detect_encoding(head), errors="replace").lstrip("\ufeff \t\r\n")
    return bool(JSON.match(text)) or _begins_with_a_list(text)


def _begins_with_a_list(text: str) -> bool:
    """Whether the first value is a list of single values, behind which its line ends."""
    if not text.startswith("["):
        return False
    try:
        _, end = json.JSONDecoder(parse_int=str).raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return text[end:].lstrip(" \t\r")[:1] in ("", "\n")
