"""Typed columns in memory: read from Parquet to train on, or made of JSON rows to predict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from backpropd.errors import MAX_PROBLEMS, Invalid, Problem, UnknownColumn, pointer
from backpropd.tabular.columns import MISSING, TRUTHS, ColumnInfo
from backpropd.tabular.delimited.number_parsing import NUMBER

VALUES_AT_ONCE = 2**21  # of a file: 16 MiB of numbers
BATCH_ROWS = 2**16  # decoded at a time on the way there
SMALL_BYTES, SMALL_CELLS, SMALL_KEPT = 2**15, 2**14, 64  # of tables that are kept: 8 MiB in all

Rows = NDArray[np.intp] | slice


@dataclass(frozen=True)
class Words:
    """A column of words: `codes` (n,) into `levels`, -1 where the value is missing."""

    codes: NDArray[np.int32]
    levels: list[str]

    def __getitem__(self, rows: Rows) -> Words:
        """The same levels, fewer rows."""
        return Words(self.codes[rows], self.levels)


Column = NDArray[np.float64] | Words


class _OnDisk(Mapping[str, Column]):
    """Columns of a Parquet file, read when they are asked for: a few neighbours at a time, and only those are held."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._file = pq.ParquetFile(pa.OSFile(str(path)))
        self._names = list(dict.fromkeys(names))
        self._held: dict[str, Column] = {}
        self.rows: int = self._file.metadata.num_rows

    def __getitem__(self, name: str) -> Column:
        if name not in self._held:
            self._held = {}  # before others take their place
            self._held = self._read(name)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _read(self, name: str) -> dict[str, Column]:
        place, count = self._names.index(name), max(VALUES_AT_ONCE // max(self.rows, 1), 1)
        names = self._names[place : place + count]
        schema = self._file.schema_arrow
        numbers = {name: np.empty(self.rows) for name in names if pa.types.is_floating(schema.field(name).type)}
        words: dict[str, list[pa.Array]] = {name: [] for name in names if name not in numbers}
        start = 0
        for batch in self._file.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
            for name, column in numbers.items():
                column[start : start + len(batch)] = batch.column(name).to_numpy(zero_copy_only=False)
            for name, parts in words.items():
                parts.append(batch.column(name))
            start += len(batch)
        return {name: numbers[name] if name in numbers else _words(words.pop(name)) for name in names}


@dataclass(frozen=True)
class Table:
    """Columns by name: numbers as float64 with NaN where missing, everything else as `Words`."""

    columns: Mapping[str, Column]
    rows: int

    @classmethod
    def read(cls, path: Path, names: Sequence[str]) -> Table:
        """These columns of a Parquet file that `ingest` wrote: read when they are asked for, best in this order.

        Those of a small one are kept, for many jobs may train on it.
        """
        about = path.stat()
        if about.st_size <= SMALL_BYTES and (kept := _small(path, about.st_ino, about.st_mtime_ns, tuple(names))):
            return kept
        columns = _OnDisk(path, names)
        return cls(columns, columns.rows)

    @classmethod
    def from_rows(cls, rows: Sequence[Any], infos: Sequence[ColumnInfo], known: Sequence[str]) -> Table:
        """JSON rows, as objects by column name or as arrays in the order of `infos`.

        An object may hold every column of the table that was uploaded (`known`); null is a missing value. Numbers may
        come as text, labels as numbers. Raises `errors.Invalid` with a pointer for every cell that is wrong.
        """
        problems: list[Problem] = []
        cells = _cells(rows, [info.name for info in infos], set(known), problems)
        columns: dict[str, Column] = {}
        for info, values in zip(infos, cells, strict=True):
            columns[info.name] = _parsed(values, info, partial(_cell_pointer, rows, infos, info), problems)
        if problems:
            raise Invalid.from_problems(problems)
        return cls(columns, len(rows))

    def present(self, names: Sequence[str]) -> NDArray[np.intp]:
        """The rows that lack a value in none of these columns."""
        present = np.ones(self.rows, bool)
        for name in names:
            column = self.columns[name]
            present &= column.codes >= 0 if isinstance(column, Words) else ~np.isnan(column)
        return np.flatnonzero(present)

    def take(self, rows: NDArray[np.intp], names: Sequence[str]) -> Table:
        """These rows of these columns, in memory."""
        return Table({name: self.columns[name][rows] for name in names}, len(rows))


@lru_cache(maxsize=SMALL_KEPT)
def _small(path: Path, _inode: int, _written: int, names: tuple[str, ...]) -> Table | None:
    """A small table in memory, not to be written to; None for one that only its file makes small."""
    columns = _OnDisk(path, names)
    if columns.rows * len(columns) > SMALL_CELLS:
        return None
    kept = dict(columns)
    for column in kept.values():
        (column.codes if isinstance(column, Words) else column).setflags(write=False)
    return Table(kept, columns.rows)


def _words(parts: list[pa.Array]) -> Words:
    encoded = pa.chunked_array(parts, pa.string()).dictionary_encode().combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return Words(codes, encoded.dictionary.to_pylist())


def first_rows(path: Path, limit: int) -> list[dict[str, Any]]:
    """The first rows of a Parquet file as JSON values; whole numbers show no fraction."""
    file = pq.ParquetFile(path, memory_map=True)
    batch = next(file.iter_batches(batch_size=limit, use_threads=False), None)
    rows = [] if batch is None else batch.slice(0, limit).to_pylist()
    return [{name: _shown(value) for name, value in row.items()} for row in rows]


def _shown(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _cell_pointer(rows: Sequence[Any], infos: Sequence[ColumnInfo], info: ColumnInfo, row: int) -> str:
    return pointer("rows", row, info.name if isinstance(rows[row], dict) else infos.index(info))


def _cells(rows: Sequence[Any], names: list[str], known: set[str], problems: list[Problem]) -> list[list[Any]]:
    """The cells column by column. Raises at once for names that are no columns, and for rows of a wrong length."""
    for index, row in enumerate(rows):
        if isinstance(row, dict):
            _check_names(index, row, names, known, problems)
        elif len(row) != len(names):
            detail = f"the row has {len(row)} values, and the model takes {len(names)}: {', '.join(names[:20])}"
            problems.append(Problem(pointer("rows", index), detail))
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        kind = UnknownColumn if "no column" in problems[0].detail else Invalid
        raise kind.from_problems(problems)
    return [[row[name] if isinstance(row, dict) else row[place] for row in rows] for place, name in enumerate(names)]


def _check_names(index: int, row: dict[str, Any], names: list[str], known: set[str], problems: list[Problem]) -> None:
    for name in row.keys() - known:
        detail = f"there is no column {name!r}; the model takes: {', '.join(names[:20])}"
        problems.append(Problem(pointer("rows", index, name), detail))
    for name in names:
        if name not in row:
            problems.append(Problem(pointer("rows", index, name), "is required: send null for a missing value"))


def _parsed(values: list[Any], info: ColumnInfo, pointer_to: Callable[[int], str], problems: list[Problem]) -> Column:
    parse = {"number": _number, "boolean": _truth}.get(info.kind, _label)
    parsed: list[Any] = []
    for index, value in enumerate(values):
        try:
            parsed.append(None if _is_missing(value) else parse(value))
        except ValueError as error:
            parsed.append(None)
            problems.append(Problem(pointer_to(index), str(error)))
            if len(problems) >= MAX_PROBLEMS:
                break
    if info.kind == "number":
        return np.array([math.nan if value is None else value for value in parsed], np.float64)
    levels = list(dict.fromkeys(value for value in parsed if value is not None))
    codes = {level: code for code, level in enumerate(levels)}
    return Words(np.array([-1 if value is None else codes[value] for value in parsed], np.int32), levels)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value in MISSING)


def _number(value: Any) -> float:
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{str(value)[:50]!r} is not a number, and this column holds numbers")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("this number is too large: send a finite one")
    return number


def _truth(value: Any) -> str:
    if isinstance(value, str) and value.lower() in TRUTHS:
        return "true" if TRUTHS[value.lower()] else "false"
    if isinstance(value, bool | int | float) and value in (0, 1):
        return "true" if value else "false"
    raise ValueError(f"{str(value)[:50]!r} is neither true nor false, and this column holds booleans")


def _label(value: Any) -> str:
    return label_of(value)


def label_of(value: Any) -> str:
    """A value as the label of a class: `3` for 3.0, `true` for True, text as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
