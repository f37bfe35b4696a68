"""What was read otherwise than it stands in a text, with lines and counts, and when it is too much to be a table."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

from backpropd.errors import NotATable
from backpropd.tabular.warnings import MAX_EXAMPLES, WarningLog

MAX_GUESSED_SHARE = 10  # a tenth of the rows
EARLY = 10_000  # guessed rows, after which a file is refused before its end


@dataclass
class Finding:
    """Lines with their texts, and how many there are."""

    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, value: str, count: int = 1) -> None:
        """Note a line."""
        self.count += count
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append((line, value.strip("\r\n")))


COMMENTS_AND_RULERS = "comments or rulers"
ROWS_HAVE = "row has", "rows have"
# The beginning for one, that for several, and the rest.
DETAILS = {
    "other_delimiter": (*ROWS_HAVE, "another delimiter than the table"),
    "separator_missing": (*ROWS_HAVE, "a cell too few; the others were put where they look like their columns"),
    "long_rows": (*ROWS_HAVE, "more cells than the header; the surplus was joined to the cell before it, or left out"),
    "faulty_quotes": (*ROWS_HAVE, "a quote that is not closed, or one within a quoted cell"),
    "lines_left_out": (
        "line that cannot be matched to the columns was",
        "lines that cannot be matched to the columns were",
        "left out",
    ),
    "short_rows": (*ROWS_HAVE, "no last cells; these count as missing"),
    "trailing_delimiters": ("row ends", "rows end", "with delimiters behind the last column"),
}
GUESSWORK = ("other_delimiter", "separator_missing", "long_rows", "faulty_quotes", "lines_left_out")


class LineFindings:
    """The findings of one pass over a file."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}
        self._skipped: dict[str, Finding] = {}
        self._guessed_lines: Finding = Finding()

    def copy(self) -> "LineFindings":
        """An independent copy."""
        return deepcopy(self)

    def add(self, code: str, line: int, value: str, *, is_clear: bool = False) -> None:
        """Note a row by one of the codes of `DETAILS`; it is no guesswork if it `is_clear`."""
        self._found.setdefault(code, Finding()).add(line, value)
        if code in GUESSWORK and not is_clear:
            self._guessed_lines.add(line, value)

    def skip(self, reason: str, line: int, value: str, count: int = 1) -> None:
        """Note lines that are not rows of the table, for a reason, as `comments`."""
        self._skipped.setdefault(reason, Finding()).add(line, value, count)

    def skipped(self, reason: str) -> int:
        """The number of lines skipped for a reason."""
        return self._skipped[reason].count if reason in self._skipped else 0

    def check(self, rows: int, *, at_end: bool) -> None:
        """Raise `NotATable` if more than one row and a tenth of the rows are guesswork."""
        guessed = self._guessed_lines
        if guessed.count > 1 and guessed.count * MAX_GUESSED_SHARE > rows and (at_end or guessed.count > EARLY):
            lines = "; ".join(f"line {line}: {value[:60]!r}" for line, value in guessed.examples[:3])
            raise NotATable(
                f"{guessed.count} of {rows} rows do not fit the table ({lines}): mend them, or name the delimiter, the "
                "quote or the lines to skip"
            )

    def report(self, log: WarningLog) -> None:
        """Add the findings to a table's warnings."""
        if self._skipped:
            reasons = ", ".join(f"{found.count} {reason}" for reason, found in self._skipped.items())
            examples = _first(example for found in self._skipped.values() for example in found.examples)
            count = sum(found.count for found in self._skipped.values())
            log.add(
                "lines_skipped", None, f"lines that are no rows of the table were left out: {reasons}", examples, count
            )
        for code, found in self._found.items():
            one, several, what = DETAILS[code]
            log.add(
                code, None, f"{found.count} {one if found.count == 1 else several} {what}", found.examples, found.count
            )


def _first(examples: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted(examples)[:MAX_EXAMPLES]
