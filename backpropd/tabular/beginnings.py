"""The beginning of a text file, for a look at its table without reading all of it."""

from pathlib import Path

LINE_FEED, CARRIAGE_RETURN = b"\n", b"\r"
WIDEST_CHARACTER = 4  # bytes of a character in UTF-32; NUL bytes after a line break are the rest of it


def copy_beginning(source: Path, target: Path, size: int) -> None:
    """Copy the lines within the first `size` bytes of a text file; a first line that is longer is cut."""
    with source.open("rb") as file:
        head = file.read(size)
        whole = not file.read(1)
    target.write_bytes(head if whole else head[: _end_of_lines(head)])


def _end_of_lines(head: bytes) -> int:
    """Where the last whole line ends, in any encoding."""
    last = head.rfind(LINE_FEED)
    if last < 0:
        last = head.rfind(CARRIAGE_RETURN)
    if last < 0:
        return len(head) - len(head) % WIDEST_CHARACTER
    end = last + 1
    while end < len(head) and end % WIDEST_CHARACTER and head[end] == 0:
        end += 1
    return end
