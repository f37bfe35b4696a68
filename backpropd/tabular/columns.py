"""A column's kind, and the description of a column that the API shows.

The kind follows from the values that are not missing. An empty cell, NA, N/A, NaN, null, None and ? are missing, with
or without a space around them.

- `number`: every value is a finite decimal (`3`, `-0.5`, `1e-3`) that a float64 represents without loss, anywhere in
  the file; spaces around it are ignored. Not numbers, because a float64 would lose something: leading zeros (`007`),
  whole numbers of 2^53 and beyond (`9007199254740993`, also among decimals; `6.02e23` is a number), `1e400`, `1e-400`,
  `0x10`, digits other than 0-9. A column of 0 and 1 holds numbers.
- `boolean`: true and false, yes and no, t and f, or y and n, in any case.
- `category`: at most max(20, 5% of the rows) different values, none longer than 1000 characters, and no more than the
  limit: 1000 by default, and in a table of more than 1000 columns 1,000,000 divided by their number.
- `text`: everything else. A column without any value is a `number` that is missing in every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MISSING_VALUES = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?")
BOOLEAN_PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
BOOLEAN_WORDS = {word: word == pair[0] for pair in BOOLEAN_PAIRS for word in pair}


@dataclass(frozen=True)
class ColumnInfo:
    """A column: `distinct` counts its different values and is None beyond the limit.

    `statistics`: for numbers `min, max, mean, std, whole, increasing`, and of few whole numbers `values` with their
    counts in order; for categories and booleans `levels`, the values with their counts, most frequent first; for text
    `shortest, longest` in characters, and an `example`.
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

    @property
    def level_count(self) -> int:
        """The number of different values of a category."""
        return self.distinct or 0


def kind_of_strings(levels: Mapping[str, int] | None, rows: int) -> str:
    """The kind of a column of strings from its values with their counts, or None if there are too many."""
    if levels is None:
        return "text"
    if levels and any({level.lower() for level in levels} <= {*pair} for pair in BOOLEAN_PAIRS):
        return "boolean"
    return "category" if len(levels) <= max(20, rows // 20) else "text"


def boolean_label(word: str) -> str:
    """`true` or `false` for a boolean in any of its spellings."""
    return "true" if BOOLEAN_WORDS[word.lower()] else "false"
