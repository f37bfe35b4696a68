"""How a line is split into cells: by a delimiter, perhaps within a drawn frame, or at fixed positions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

PLACEHOLDER = "\x1f"  # stands for a delimiter that the `csv` module cannot take
GAP = re.compile(r"[ \t]{2,}|\t")
BARS = str.maketrans(dict.fromkeys("│┃║┆┊", "|"))  # as tables are drawn with
RULER = re.compile(r"(?=.*(?:---|===|[+|]:?[-=]|[─━═╌]{2}))[-=+:|,; \t\u2500-\u257f]+")


@dataclass(frozen=True)
class Syntax:
    """How lines are split. The delimiter may be long; two spaces stand for at least two, or a tab.

    With `runs` a space is any run of spaces and tabs. `quote, escape, comment` are empty where there is none. `rulers`:
    lines of dashes are none of the table. `framed`: lines begin and end with the delimiter, a bar. `wrapped`: quotes
    enclose each line. `edges` are the offsets at which cells begin in aligned columns, instead of a delimiter.
    """

    delimiter: str
    quote: str = '"'
    escape: str = ""
    comment: str = ""
    runs: bool = True
    rulers: bool = False
    framed: bool = False
    wrapped: bool = False
    edges: tuple[int, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether cells are enclosed in quotes, doubled within, and separated by one byte, as Arrow reads them."""
        is_single = len(self.delimiter) == 1 and self.delimiter != " "
        is_drawn = self.rulers or self.framed or self.wrapped or self.edges
        return is_single and (self.delimiter + self.quote).isascii() and not (self.escape or self.comment or is_drawn)

    def leaves_out(self, line: str) -> bool:
        """Whether a line is a comment or a ruler."""
        if self.comment and line.lstrip().startswith(self.comment):
            return True
        return self.rulers and RULER.fullmatch(line.strip()) is not None

    def prepare(self) -> Callable[[str], str] | None:
        """What makes a line readable for the `csv` module with `separator`; None if it is."""
        if self.edges:
            return lambda line: PLACEHOLDER.join(cut(line, self.edges)) + "\n"
        if self.framed or self.wrapped:
            return unframed if self.framed else unwrapped
        if self.delimiter == " " and self.runs:
            return lambda line: line.replace("\t", " ").strip() + "\n"
        if self.delimiter == "  ":
            return lambda line: GAP.sub(PLACEHOLDER, line.strip()) + "\n"
        if len(self.delimiter) > 1:
            return lambda line: line.replace(self.delimiter, PLACEHOLDER)
        return None

    @property
    def separator(self) -> str:
        """The delimiter in a prepared line."""
        return self.delimiter if len(self.delimiter) == 1 and not self.edges else PLACEHOLDER

    def with_delimiter(self, delimiter: str) -> "Syntax":
        """The same with another delimiter."""
        return replace(self, delimiter=delimiter, framed=False, wrapped=False, edges=())


def unframed(line: str) -> str:
    """A line without the bars at its beginning and its end."""
    return line.translate(BARS).strip().removeprefix("|").removesuffix("|") + "\n"


def unwrapped(line: str) -> str:
    """A line without the quotes around it, and with the quotes within it as they were before."""
    text = line.strip()
    return text[1:-1].replace('""', '"') + "\n" if is_wrapped(text) else line


def is_wrapped(line: str) -> bool:
    """Whether quotes enclose a line as a whole."""
    return len(line) > 1 and line[0] == line[-1] == '"' and '"' not in line[1:-1].replace('""', "")


def cut(line: str, edges: Sequence[int]) -> list[str]:
    """The cells of a line at these offsets; a word across an edge stays whole.

    A text across most of the edges that it reaches is a note, and one cell.
    """
    line = line.expandtabs().rstrip()
    reached = [edge for edge in edges[1:] if edge < len(line)]
    crossed = [edge for edge in reached if line[edge - 1] != " "]
    if not line or len(crossed) * 2 > len(reached):
        return [line]
    offsets = [0, *((line.find(" ", edge) if edge in crossed else edge) for edge in reached), len(line)]
    offsets = [len(line) if offset < 0 else offset for offset in offsets]
    cells = [line[start:end].strip() for start, end in pairwise(offsets)]
    return cells + [""] * (len(edges) - len(cells))
