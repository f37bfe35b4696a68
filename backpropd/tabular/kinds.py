"""Another kind for a column of a stored table: its description and its values are converted without reading the file.

A number becomes a category, whose levels are the numbers as text, or if it holds 0 and 1 a boolean; a boolean becomes a
number, 0 and 1, or a category; a category becomes a number or a boolean if its levels are such. Every column can become
text, which nothing learns from.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backpropd.tabular.columns import BOOLEAN_CELLS, ColumnInfo, are_booleans, merged_spellings
from backpropd.tabular.lossless_numbers import NUMBER
from backpropd.tabular.table import CategoricalColumn, Column, Table, class_label


def with_kind(info: ColumnInfo, kind: str) -> ColumnInfo:
    """The description of a column as if it were of another kind. Raises `ValueError`, which says why it cannot be."""
    if kind in (info.kind, "text"):
        return info if kind == info.kind else replace(info, kind="text", statistics={"example": example_of(info)})
    describe = _DESCRIBE.get((info.kind, kind))
    if describe is None:
        raise ValueError(f"a column of kind {info.kind} cannot become one of kind {kind} here: give its kind at upload")
    return describe(info)


def example_of(info: ColumnInfo) -> str | None:
    """A value of the column as text; None where it has none, or the description shows none."""
    statistics = info.statistics
    if levels := statistics.get("levels"):
        return str(levels[0]["value"])
    found = statistics.get("example", statistics.get("min"))
    return None if found is None else class_label(found)


def with_kinds(table: Table, kinds: Mapping[str, str]) -> Table:
    """The table with these columns converted, when they are used. `with_kind` says what is possible."""
    return Table(_ConvertedColumns(table.columns, kinds), table.rows) if kinds else table


@dataclass(frozen=True)
class _ConvertedColumns(Mapping[str, Column]):
    columns: Mapping[str, Column]
    kinds: Mapping[str, str]

    def __getitem__(self, name: str) -> Column:
        column, kind = self.columns[name], self.kinds.get(name)
        return column if kind is None else _convert(column, kind)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def _convert(column: Column, kind: str) -> Column:
    if kind == "number":
        return _numbers(column) if isinstance(column, CategoricalColumn) else column
    words = column if isinstance(column, CategoricalColumn) else _categories(column)
    return _with_one_spelling(words) if kind == "category" else words


def _with_one_spelling(column: CategoricalColumn) -> CategoricalColumn:
    """A boolean with its most frequent spellings, as its description lists them; another category as it is."""
    if len(column.levels) <= len({level.lower() for level in column.levels}) or not are_booleans(column.levels):
        return column
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    levels = list(merged_spellings(dict(zip(column.levels, counts.tolist(), strict=True))))
    by_value = {BOOLEAN_CELLS[level.lower()]: index for index, level in enumerate(levels)}
    codes = np.array([*(by_value[BOOLEAN_CELLS[level.lower()]] for level in column.levels), -1], np.int32)
    return CategoricalColumn(codes[column.codes], levels)


def _categories(column: np.ndarray) -> CategoricalColumn:
    """Numbers as a category; missing where they are NaN."""
    present = ~np.isnan(column)
    values, codes = np.unique(column[present], return_inverse=True)
    all_codes = np.full(len(column), -1, np.int32)
    all_codes[present] = codes
    return CategoricalColumn(all_codes, [class_label(value) for value in values.tolist()])


def _numbers(column: CategoricalColumn) -> np.ndarray:
    """A category of numbers, or a boolean, as numbers; NaN where it is missing."""
    return np.array([*_numbers_of(column.levels), np.nan])[column.codes]


def _numbers_of(words: Sequence[str]) -> list[float]:
    """The numbers that words are, 0 and 1 if all are booleans. Raises `ValueError`, which names one that is none."""
    if all(word.lower() in BOOLEAN_CELLS for word in words):
        return [float(BOOLEAN_CELLS[word.lower()]) for word in words]
    if strange := [word for word in words if not NUMBER.fullmatch(word) or not np.isfinite(float(word))]:
        raise ValueError(f"it holds {strange[0]!r}, which is not a number")
    return [float(word) for word in words]


def _number_as_category(info: ColumnInfo) -> ColumnInfo:
    if info.distinct is None:
        raise ValueError("it has too many different values for a category: leave it a number")
    values = info.statistics.get("values")
    if values is None:  # the description lists those of few whole numbers alone
        return replace(info, kind="category", statistics={})
    return _category(info, {class_label(each["value"]): each["count"] for each in values})


def _number_as_boolean(info: ColumnInfo) -> ColumnInfo:
    values = {each["value"]: each["count"] for each in info.statistics.get("values", [])}
    if not values or not values.keys() <= {0, 1}:
        raise ValueError("it holds other numbers than 0 and 1, which alone can be false and true")
    return _category(info, {class_label(value): count for value, count in values.items()}, "boolean")


def _words_as_boolean(info: ColumnInfo) -> ColumnInfo:
    levels = {level["value"]: level["count"] for level in info.statistics["levels"]}
    if strange := [word for word in levels if word.lower() not in BOOLEAN_CELLS]:
        raise ValueError(f"it holds {strange[0]!r}, which is neither false nor true")
    return _category(info, merged_spellings(levels), "boolean")


def _words_as_number(info: ColumnInfo) -> ColumnInfo:
    counts: Counter[float] = Counter()
    levels = info.statistics["levels"]
    for value, level in zip(_numbers_of([level["value"] for level in levels]), levels, strict=True):
        counts[value] += level["count"]
    return _number(info, counts)


def _number(info: ColumnInfo, counts: Mapping[float, int]) -> ColumnInfo:
    """The description of numbers with these counts."""
    values = np.array(sorted(counts))
    weights = np.array([counts[value] for value in values.tolist()])
    mean = float(np.average(values, weights=weights))
    std = float(np.average((values - mean) ** 2, weights=weights) ** 0.5)
    whole = bool((np.floor(values) == values).all())
    statistics = {"min": float(values[0]), "max": float(values[-1]), "mean": mean, "std": std, "whole": whole}
    listed = {"values": [{"value": value, "count": counts[value]} for value in values.tolist()]} if whole else {}
    return replace(info, kind="number", distinct=len(values), statistics={**statistics, **listed})


def _category(info: ColumnInfo, counts: Mapping[str, int], kind: str = "category") -> ColumnInfo:
    """The description of words with these counts."""
    ordered = sorted(counts.items(), key=lambda level: (-level[1], level[0]))
    levels = [{"value": level, "count": count} for level, count in ordered]
    return replace(info, kind=kind, distinct=len(levels), statistics={"levels": levels})


def _text_as_category(info: ColumnInfo) -> ColumnInfo:
    if info.distinct is None:
        raise ValueError("it has too many different values for a category")
    return replace(info, kind="category", statistics={})


_DESCRIBE: Mapping[tuple[str, str], Callable[[ColumnInfo], ColumnInfo]] = {
    ("number", "category"): _number_as_category,
    ("number", "boolean"): _number_as_boolean,
    ("boolean", "number"): _words_as_number,
    ("boolean", "category"): lambda info: replace(info, kind="category"),
    ("category", "number"): _words_as_number,
    ("category", "boolean"): _words_as_boolean,
    ("text", "category"): _text_as_category,
}
