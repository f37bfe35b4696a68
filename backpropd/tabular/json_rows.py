"""Rows of a JSON request as a table, with a JSON pointer for every cell that is wrong."""

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from backpropd.errors import MAX_PROBLEMS, Invalid, Problem, UnknownColumn, pointer
from backpropd.tabular.columns import BOOLEAN_WORDS, MISSING_VALUES, ColumnInfo, boolean_label
from backpropd.tabular.delimited.lossless_numbers import NUMBER
from backpropd.tabular.table import CategoricalColumn, Column, Table, class_label


def table_from_json_rows(rows: Sequence[Any], infos: Sequence[ColumnInfo], known: Sequence[str]) -> Table:
    """A table of the columns `infos` from rows that are objects by column name or arrays in the order of `infos`.

    An object may also hold other columns of the uploaded table (`known`); null is a missing value. Numbers may be
    strings, and labels numbers. Raises `errors.UnknownColumn` or `errors.Invalid` with a pointer for every wrong cell.
    """
    names = [info.name for info in infos]
    if found := list(islice(_row_problems(rows, names, set(known)), MAX_PROBLEMS + 1)):
        raise found[0][0].from_problems([problem for _, problem in found])
    problems: list[Problem] = []
    columns: dict[str, Column] = {}
    for index, info in enumerate(infos):
        columns[info.name] = _parse_column(rows, index, info, problems)
    if problems:
        raise Invalid.from_problems(problems)
    return Table(columns, len(rows))


def _row_problems(rows: Sequence[Any], names: list[str], known: set[str]) -> Iterator[tuple[type[Invalid], Problem]]:
    listed = ", ".join(names[:20])
    for index, row in enumerate(rows):
        if isinstance(row, dict):
            for name in row.keys() - known:
                detail = f"there is no column {name!r}; the model takes: {listed}"
                yield UnknownColumn, Problem(pointer("rows", index, name), detail)
            for name in names:
                if name not in row:
                    yield Invalid, Problem(pointer("rows", index, name), "is required: send null for a missing value")
        elif len(row) != len(names):
            detail = f"the row has {len(row)} values, and the model takes {len(names)}: {listed}"
            yield Invalid, Problem(pointer("rows", index), detail)


def _parse_column(rows: Sequence[Any], index: int, info: ColumnInfo, problems: list[Problem]) -> Column:
    """The column `info`, at `index` of rows that are arrays; adds a problem for each wrong cell."""
    parse = {"number": _number, "boolean": _boolean}.get(info.kind, class_label)
    values: list[Any] = []
    for n, row in enumerate(rows):
        key = info.name if isinstance(row, dict) else index
        cell = row[key]
        try:
            values.append(None if cell is None or (isinstance(cell, str) and cell in MISSING_VALUES) else parse(cell))
        except ValueError as error:
            problems.append(Problem(pointer("rows", n, key), str(error)))
            if len(problems) > MAX_PROBLEMS:
                break
    if info.kind == "number":
        return np.array([math.nan if value is None else value for value in values], np.float64)
    levels = list(dict.fromkeys(value for value in values if value is not None))
    codes = {level: code for code, level in enumerate(levels)}
    return CategoricalColumn(np.array([-1 if value is None else codes[value] for value in values], np.int32), levels)


def _number(cell: Any) -> float:
    if isinstance(cell, str) and NUMBER.fullmatch(cell):
        cell = float(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise ValueError(f"{str(cell)[:50]!r} is not a number, and this column holds numbers")
    try:
        number = float(cell)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("this number is too large: send a finite one")
    return number


def _boolean(cell: Any) -> str:
    if isinstance(cell, str) and cell.lower() in BOOLEAN_WORDS:
        return boolean_label(cell)
    if isinstance(cell, bool | int | float) and cell in (0, 1):
        return "true" if cell else "false"
    raise ValueError(f"{str(cell)[:50]!r} is neither true nor false, and this column holds booleans")
