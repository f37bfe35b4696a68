"""A column's kind, and the description of a column that the API shows.

The kind follows from the cells of the whole column, trimmed. Empty cells are missing; in columns of numbers and dates
the usual spellings of a missing value are, too (`cells.missing`), and in columns of words they are levels.

- `number`: at least nine tenths of the other cells are numbers in one notation (`cells.notation`), and the rest is then
  missing, with a warning; or all are times or durations, which become hours. A float64 represents every number without
  loss, or the column holds words: leading zeros (`007`), phone numbers (`+4917012345`), whole numbers of 2^53 and
  beyond (`9007199254740993`, also among decimals; `6.02e23` is a number), `1e400`, `1e-400`, `0x10`, digits other than
  0-9. A column of 0 and 1 holds numbers.
- `date`: at least nine tenths are dates in one format (`cells.date_formats`).
- `boolean`: true and false, yes and no, t and f, or y and n, in any case.
- `category`: at most max(20, 5% of the rows) different values, or up to 100 if each has ten rows on average; none is
  longer than 1000 characters, and they are no more than the limit: 1000 by default, and in a table of more than 1000
  columns 1,000,000 divided by their number.
- `text`: everything else. A column without any value is a `number` that is missing in every row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# The markers by which a column of plain numbers is read at once, as they are written; `cells.missing` has all.
MISSING_VALUES = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?")
KEPT_AS_TEXT = ("text", "category", "boolean", "date")  # a reader of text keeps the cells of these named kinds
MAX_WHOLE = 2.0**53  # from here on, different whole numbers become the same float64
TIME_OF_DAY = "time of day"  # the format of such a column
BOOLEAN_PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
BOOLEAN_WORDS = {word: word == pair[0] for pair in BOOLEAN_PAIRS for word in pair}
BOOLEAN_CELLS = {**BOOLEAN_WORDS, "1": True, "0": False}  # in a column that is said to be boolean


@dataclass(frozen=True)
class ColumnInfo:
    """A column: `distinct` counts its different values and is None beyond the limit.

    `statistics`: for numbers `min, max, mean, std, whole, increasing`, and of few whole numbers `values` with their
    counts in order; for categories and booleans `levels`, the values with their counts, most frequent first, booleans
    as they are most often written; for text `shortest, longest` in characters, and an `example`; for dates `min, max`
    in ISO 8601 and their `format`. `histogram` counts the values of a column that has any and is no text: of numbers
    and dates between `edges`, of categories and booleans by the most frequent `levels`. Numbers that are not written as
    `-1234.5` have a `notation`: `decimal, thousands, prefix, unit, multipliers, annotated`; times, which are hours, a
    `format`, and dates with years of two digits the `first_year` of the hundred years to which these belong. `markers`
    are the cells that the upload named
    as missing.
    """

    name: str
    kind: str
    missing: int
    distinct: int | None
    statistics: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The column as the API shows it."""
        return {key: value for key, value in vars(self).items() if key != "statistics"} | dict(self.statistics)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ColumnInfo:
        """The column whose `to_json` this is."""
        rest = {key: value for key, value in data.items() if key not in ("name", "kind", "missing", "distinct")}
        return cls(data["name"], data["kind"], data["missing"], data["distinct"], rest)

    def without_histogram(self) -> ColumnInfo:
        """The column as models and wide tables keep it."""
        rest = {name: value for name, value in self.statistics.items() if name != "histogram"}
        return replace(self, statistics=rest)

    @property
    def level_count(self) -> int:
        """The number of different values of a category."""
        return self.distinct or 0


def is_time_of_day(info: ColumnInfo) -> bool:
    """Whether a column of numbers holds hours of the day, which were written as times."""
    return info.kind == "number" and info.statistics.get("format") == TIME_OF_DAY


def kind_of_strings(levels: Mapping[str, int] | None, rows: int) -> str:
    """The kind of a column of strings from its values with their counts, or None if there are too many."""
    if levels is None:
        return "text"
    if levels and are_booleans(levels):
        return "boolean"
    return "category" if len(levels) <= max(20, rows // 20, min(100, rows // 10)) else "text"


def are_booleans(levels: Iterable[str]) -> bool:
    """Whether these are spellings of the two words of a boolean, in any case: `Yes`, `yes` and `NO`."""
    words = {level.lower() for level in levels}
    return any(words <= {*pair} for pair in BOOLEAN_PAIRS)


def merged_spellings(levels: Mapping[str, int]) -> Counter[str]:
    """The counts of booleans by their most frequent spelling: `Yes` for `Yes`, `yes` and `YES`."""
    spellings = sorted(levels, key=lambda level: (-levels[level], level))
    first = {BOOLEAN_CELLS[level.lower()]: level for level in reversed(spellings)}
    merged = Counter[str]()
    for level, count in levels.items():
        merged[first[BOOLEAN_CELLS[level.lower()]]] += count
    return merged
