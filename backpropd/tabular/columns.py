"""A column's kind and statistics: what a table is known by once its cells lie on disk.

The rule, on the values that are not missing (an empty cell, NA, N/A, NaN, null, None, ?, with a space around or none):

- `number`: every value is a finite decimal (`3`, `-0.5`, `1e-3`) that a float64 keeps, wherever in the file it stands;
  spaces around it do not count. Not numbers, because a float would lose something: leading zeros (`007`), whole numbers
  of 2^53 and beyond (`9007199254740993`, beside decimals, too; `6.02e23` is one), `1e400`, `1e-400`, `0x10`, digits
  other than 0-9. 0 and 1 are numbers.
- `boolean`: true and false, yes and no, t and f, or y and n, in any case.
- `category`: at most max(20, a twentieth of the rows) different values, and never more than the limit, which is 1000
  where nobody sets another, and in a table of more than 1000 columns 1,000,000 over their number; none of them longer
  than 1000 characters.
- `text`: everything else. A column without a single value is a `number` that is missing in every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?")
TRUTHS = {"true": True, "yes": True, "t": True, "y": True, "false": False, "no": False, "f": False, "n": False}
PAIRS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})


@dataclass(frozen=True)
class ColumnInfo:
    """A column: `distinct` counts its different values and is None beyond the limit.

    `statistics`: for numbers `min, max, mean, std, whole`; for categories and booleans `levels`, the values with their
    counts, most frequent first; for text `shortest, longest` in characters.
    """

    name: str
    kind: str
    missing: int
    distinct: int | None
    statistics: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The column as the API shows it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "missing": self.missing,
            "distinct": self.distinct,
            **self.statistics,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ColumnInfo:
        """The column whose `to_json` this is."""
        rest = {key: value for key, value in data.items() if key not in ("name", "kind", "missing", "distinct")}
        return cls(data["name"], data["kind"], data["missing"], data["distinct"], rest)

    @property
    def level_count(self) -> int:
        """How many different values a category has."""
        return self.distinct or 0


def kind_of_words(levels: Mapping[str, int] | None, rows: int) -> str:
    """The kind of a column of words: its values with their counts, or None if there were too many."""
    if levels is None:
        return "text"
    if levels and any({level.lower() for level in levels} <= pair for pair in PAIRS):
        return "boolean"
    return "category" if len(levels) <= max(20, rows // 20) else "text"
