"""The beginning of a text file, for a look at its table without reading all of it."""

import codecs
from pathlib import Path

from backpropd.tabular.delimited.text_encoding import look_at_text


def copy_beginning(source: Path, target: Path, size: int, encoding: str | None) -> bool:
    """Copy the lines within the first `size` bytes of a text file; a first line that is longer is cut.

    Returns whether anything is left out. Raises `NotATable` for an unknown encoding.
    """
    with source.open("rb") as file:
        head = file.read(size)
        is_cut = bool(file.read(1))
    target.write_bytes(head[: _end_of_lines(head, look_at_text(source, encoding).encoding)] if is_cut else head)
    return is_cut


def _end_of_lines(head: bytes, encoding: str) -> int:
    """Where the last whole line ends, or the last whole character if no line does."""
    return (
        _end_of_last(head, "\n".encode(encoding))
        or _end_of_last(head, "\r".encode(encoding))
        or len(head) - _bytes_of_cut_character(head, encoding)
    )


def _end_of_last(head: bytes, mark: bytes) -> int:
    """The end of the last mark that stands at a multiple of its size; 0 if there is none."""
    at = head.rfind(mark)
    while at > 0 and at % len(mark):
        at = head.rfind(mark, 0, at + len(mark) - 1)
    return at + len(mark) if at >= 0 else 0


def _bytes_of_cut_character(head: bytes, encoding: str) -> int:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    decoder.decode(head)
    return len(decoder.getstate()[0])
