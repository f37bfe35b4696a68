"""Columns that identify rows instead of describing them: row numbers, record numbers, UUIDs, and names used once."""

import re
from collections.abc import Sequence

from backpropd.tabular.columns import ColumnInfo

MIN_ROWS = 10  # in a shorter table any column may hold a different value in each row
UUID = re.compile(r"\{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?", re.IGNORECASE)
# The last word of a name, after an underscore, a space, or a lower-case letter before an upper-case one.
NAMED_AS_IDENTIFIER = re.compile(
    r"(?:^|[^a-z])(?:id|uid|uuid|guid|index|idx|row|row_?names?|nr|no|number|serial|key)\.?$"
)
NAMED_AS_TIME = re.compile(r"(?:^|[^a-z])(?:year|jahr|time|date|month|week|day|hour|minute|second|t|period|age)s?$")
UNNAMED = re.compile(r"|Unnamed: 0|column_1|\.\.\.1|X", re.ASCII)
NUMBERED = re.compile(r"column_\d+", re.ASCII)


def find_identifiers(columns: Sequence[ColumnInfo], rows: int) -> dict[str, str]:
    """Why a column of this table of `rows` rows looks like an identifier, by the column's name; the others are absent.

    A whole number that is different in each row is one if it counts up by one, if its name says so (`customer_id`,
    `No.`), or if it is the first column and leaves no number out, or has no name. Years and other times are none.
    """
    if rows < MIN_ROWS:
        return {}
    unnamed = _unnamed_first_column(columns)
    reasons = {
        info.name: _why(info, rows, is_first=index == 0, is_unnamed=info.name == unnamed)
        for index, info in enumerate(columns)
    }
    return {name: why for name, why in reasons.items() if why}


def _unnamed_first_column(columns: Sequence[ColumnInfo]) -> str | None:
    """The name that an unnamed first column was given; None where it has one of its own, or no column has."""
    named = any(not NUMBERED.fullmatch(info.name) for info in columns)
    return columns[0].name if columns and named and UNNAMED.fullmatch(columns[0].name) else None


def _why(info: ColumnInfo, rows: int, *, is_first: bool, is_unnamed: bool) -> str | None:
    if info.kind == "number":
        return _why_number(info, rows, is_first=is_first, is_unnamed=is_unnamed)
    if info.kind not in ("category", "text"):
        return None
    if _holds_uuids(info):
        return "holds UUIDs"
    filled = rows - info.missing
    is_unique = info.distinct == filled
    if info.kind == "category" and is_unique and 2 * filled > rows:
        return "has a different value in each row"
    is_one_word = " " not in str(info.statistics.get("example", " "))
    if info.kind == "text" and is_one_word and (is_unique or info.distinct is None) and _is_named_as_identifier(info):
        return "has the name of an identifier, and words used once"
    return None


def _why_number(info: ColumnInfo, rows: int, *, is_first: bool, is_unnamed: bool) -> str | None:
    if not info.statistics.get("whole"):
        return None
    if is_unnamed and (info.distinct is None or 2 * info.distinct > rows):
        return "is the first column, has no name, and numbers the rows"
    if info.missing:
        return None
    in_order = is_first or info.statistics.get("increasing")
    if in_order and _is_a_range(info, rows) and not NAMED_AS_TIME.search(_lower_words(info.name)):
        return "has the numbers of the rows, each once"
    is_unique = info.distinct == rows or info.statistics.get("increasing")
    if is_unique and _is_named_as_identifier(info):
        return "has the name of an identifier, and a different number in each row"
    return None


def _is_a_range(info: ColumnInfo, rows: int) -> bool:
    """Whether whole numbers are n, n + 1, … in any order, as far as range, mean and deviation tell."""
    low, high, mean, std = (info.statistics.get(name) for name in ("min", "max", "mean", "std"))
    if low is None or high is None or mean is None or std is None or high - low + 1 != rows:
        return False
    expected = ((rows**2 - 1) / 12) ** 0.5
    return bool(abs(mean - (low + high) / 2) <= 1e-6 * rows and abs(std - expected) <= 1e-6 * expected)


def _holds_uuids(info: ColumnInfo) -> bool:
    """Whether every listed value is a UUID, or of many values the example, and all are as long."""
    if levels := info.statistics.get("levels"):
        return all(UUID.fullmatch(level["value"]) for level in levels)
    example, lengths = (
        str(info.statistics.get("example", "")),
        (info.statistics.get("shortest"), info.statistics.get("longest")),
    )
    return lengths == (len(example), len(example)) and bool(UUID.fullmatch(example))


def _is_named_as_identifier(info: ColumnInfo) -> bool:
    return bool(NAMED_AS_IDENTIFIER.search(_lower_words(info.name)))


def _lower_words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
