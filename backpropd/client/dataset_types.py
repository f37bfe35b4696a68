"""The types of what the API sends of datasets, as it documents them."""

from typing import Any, TypedDict


class Dialect(TypedDict):
    """What was recognized in a text file."""

    encoding: str
    delimiter: str
    quote: str | None
    decimal: str
    thousands: str | None
    header: bool
    skipped_lines: int


class Example(TypedDict):
    """A value in a file, and its line."""

    line: int
    value: str


class TableWarning(TypedDict):
    """What was read otherwise than it stands in the file, or is suspicious."""

    code: str
    column: str | None
    count: int
    detail: str
    examples: list[Example]


class NumericHistogram(TypedDict):
    """The `histogram` of a column of numbers or dates: `counts[i]` values are from `edges[i]` on, below the next."""

    edges: list[float] | list[str]
    counts: list[int]


class LevelHistogram(TypedDict):
    """The `histogram` of a category or a boolean: its most frequent levels, and the number of `other` values."""

    levels: list[str]
    counts: list[int]
    other: int


class DatasetSummary(TypedDict):
    """An uploaded table in a list; `width` is the number of its columns."""

    id: str
    name: str
    format: str
    rows: int
    width: int
    bytes: int
    sha256: str
    created_at: str


class Dataset(DatasetSummary):
    """An uploaded table."""

    dialect: Dialect | None
    columns: list[dict[str, Any]]
    warnings: list[TableWarning]


class DatasetPreview(TypedDict):
    """What the dataset of a file would be, and its first rows."""

    name: str
    format: str
    rows: None
    width: int
    dialect: Dialect | None
    columns: list[dict[str, Any]]
    warnings: list[TableWarning]
    preview: list[dict[str, Any]]
