"""The beginning of a long JSON text, for a look at its table without reading all of it."""

import codecs
import json
import re
from pathlib import Path

TOKEN = re.compile(r'"(?:[^"\\]+|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
CLOSING = {"{": "}", "[": "]"}


def copy_beginning_of_json(source: Path, target: Path, size: int, encoding: str | None) -> bool:
    """Write the rows that are whole within the first `size` bytes as a whole JSON text; False if that cannot be.

    So it is for a shorter file, and where the text holds columns, a row is longer, the encoding is another, or the
    brackets do not fit. A file of `size` bytes may be the beginning of a longer one.
    """
    with source.open("rb") as file:
        head = file.read(size)
    if len(head) < size:
        return False
    encoding = encoding or json.detect_encoding(head)
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except (LookupError, ValueError):
        return False
    cut = _whole_rows(text)
    if cut is not None:
        target.write_bytes(cut.encode(encoding))
    return cut is not None


def _whole_rows(text: str) -> str | None:
    """The text up to the last value that another follows, or up to the last row of the outermost open list, closed."""
    open_brackets: list[str] = []
    ends: list[int | None] = []  # for each of them the end of its last whole item
    end = None  # of the last whole value
    for token in TOKEN.finditer(text):
        sign = token[0]
        if sign in CLOSING:
            open_brackets.append(sign)
            ends.append(None)
        elif sign == "," and open_brackets:
            ends[-1] = token.start()
        elif sign in CLOSING.values():
            if not open_brackets or CLOSING[open_brackets.pop()] != sign:
                return None
            ends.pop()
            end = end if open_brackets else token.end()
    if end is not None:
        return text[:end]
    if "[" not in open_brackets:
        return None
    depth = open_brackets.index("[")
    item = ends[depth]
    if item is None or not text[:item].rstrip().endswith(("}", "]")):
        return None
    return text[:item] + "".join(CLOSING[each] for each in reversed(open_brackets[: depth + 1]))
