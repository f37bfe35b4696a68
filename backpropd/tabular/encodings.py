"""The text encodings that a file may have, by any name that Python knows."""

import codecs

from backpropd.errors import NotATable

NOT_TEXT = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7")


def codec_of(encoding: str) -> str:
    """The codec of an encoding, as `utf-8`, `cp1252` or `utf-16-le`. Raises `NotATable` for an unknown one."""
    try:
        name = codecs.lookup(encoding).name.replace("_", "-")
        "".encode(name)
    except (LookupError, ValueError):
        name = ""
    if not name or name.replace("-", "_") in NOT_TEXT:
        raise NotATable(f"there is no encoding {encoding!r}: leave it out, or send for example utf-8 or windows-1252")
    return name if name.startswith("utf") else name.replace("-", "_")
