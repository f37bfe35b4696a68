"""Ingest an uploaded file: write it as Parquet and describe its columns, block by block.

The reader yields numbers, dates and strings, which are staged as Parquet. What the strings are is decided from whole
columns, and if one holds numbers in another notation or dates, the staged table is rewritten: most files are read and
written once. A reader guesses from the first block which columns hold numbers. If a later value does not fit, the rest
is only searched for more such columns and the file is read a second time: a guess never costs a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from backpropd.errors import Problem, UnknownColumn, pointer
from backpropd.tabular.cells.decide import Decisions
from backpropd.tabular.column_statistics import NumberStatistics
from backpropd.tabular.column_typer import ColumnTyper
from backpropd.tabular.column_warnings import warn_of_columns
from backpropd.tabular.columns import KEPT_AS_TEXT, ColumnInfo
from backpropd.tabular.formats import DEFAULT_FORMAT, TableReader
from backpropd.tabular.limits import TableLimits
from backpropd.tabular.opening import open_table
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.staging import StagedTable, stage
from backpropd.tabular.typed_copy import copy_table, copy_text, holds_values, may_hold_values
from backpropd.tabular.warnings import TableWarning

UNLIMITED = TableLimits()
GUESS_ALL = ReadOptions()
MAX_COLUMNS_WITH_HISTOGRAMS = 1000


@dataclass(frozen=True)
class IngestedTable:
    """The description of an ingested file; `format` is the one found in it, `dialect` that of text, as in the API."""

    format: str
    rows: int
    columns: tuple[ColumnInfo, ...]
    dialect: Mapping[str, Any] | None = None
    warnings: tuple[TableWarning, ...] = ()


def ingest(
    source: Path,
    destination: Path,
    *,
    format: str = DEFAULT_FORMAT,
    options: ReadOptions = GUESS_ALL,
    limits: TableLimits = UNLIMITED,
    beginning: int | None = None,
) -> IngestedTable:
    """Read the table at `source`, write it as Parquet to `destination`, and describe it.

    A table that a model is to predict (`options.known_kinds`) is written as an Arrow file, unless text of it may be
    numbers, and its columns are described by their ranges and levels alone.

    Of text and JSON only the lines or rows within the first `beginning` bytes are read, where that is given. Memory is
    bounded by a few blocks. Numbers are stored as float64, dates as timestamps in microseconds, everything else as
    strings.

    Raises:
        NotATable: the file is not a table, or stops being one; the message names the line.
        EmptyDataset: the file is empty; a header without rows is a table.
        TableTooLarge: there are more rows, columns or cells than `limits` allows.
        UnknownColumn: the options name a column that is not in the file.
        UnusableColumn: a column cannot be of the kind that the options name.
    """
    with open_table(source, format, options, limits, destination.parent, beginning) as reader:
        return _ingest(reader, destination, options, limits)


def _ingest(reader: TableReader, destination: Path, options: ReadOptions, limits: TableLimits) -> IngestedTable:
    if holds_values(reader, options):
        rows, copied = copy_table(reader, destination, limits)
        return IngestedTable(reader.format, rows, _shown(copied), None, tuple(reader.warnings.to_list()))
    is_named = reader.dialect is None or reader.dialect["header"] is not False
    options = options.for_columns(reader.text_columns if reader.dialect is None else reader.names, named=is_named)
    _check_kinds(options, reader)
    if may_hold_values(reader, options) and (found := copy_text(reader, options, destination, limits)):
        rows, copied = found
        dialect = _dialect(reader, Decisions())
        return IngestedTable(reader.format, rows, _shown(copied), dialect, tuple(reader.warnings.to_list()))
    table = stage(reader, destination, limits, options)
    typer = ColumnTyper(options, reader.warnings, reader.line_of, (reader.dialect or {}).get("delimiter"))
    decisions = typer.decide(table)
    if again := _perhaps_thousands(reader, table, decisions, options):
        reader.text_columns.update(again)
        table = stage(reader, destination, limits, options)
        decisions = typer.decide(table)
    table.plain.report(reader)
    reader.warnings.extend(decisions.warnings)
    staged = destination.with_name(f"{destination.name}.typed")
    try:
        infos = typer.convert(table, decisions.conversions, staged)
    finally:
        staged.unlink(missing_ok=True)
    warn_of_columns(infos, table.rows, reader.warnings)
    warnings = tuple(reader.warnings.to_list())
    return IngestedTable(reader.format, table.rows, _shown(infos), _dialect(reader, decisions), warnings)


def _shown(infos: Sequence[ColumnInfo]) -> tuple[ColumnInfo, ...]:
    """The columns as they are stored: the histograms of a wide table would take more than all else of it."""
    if len(infos) > MAX_COLUMNS_WITH_HISTOGRAMS:
        return tuple(info.without_histogram() for info in infos)
    return tuple(infos)


def _check_kinds(options: ReadOptions, reader: TableReader) -> None:
    """Keep the cells of columns whose kind is named as strings. Raises `UnknownColumn`."""
    if unknown := options.kinds.keys() - set(reader.names):
        listed = ", ".join(reader.names[:20])
        detail = "there is no column {!r}; the columns are: {}"
        wrong = (name for name in options.kinds if name in unknown)
        raise UnknownColumn.from_problems(
            Problem(pointer("kinds", name), detail.format(name, listed)) for name in wrong
        )
    if reader.dialect is not None:
        reader.text_columns.update(name for name, kind in options.kinds.items() if kind in KEPT_AS_TEXT)


def _perhaps_thousands(reader: TableReader, table: StagedTable, decisions: Decisions, options: ReadOptions) -> set[str]:
    """The columns of plain numbers whose point may separate thousands.

    They are those of a file with decimal commas; or with semicolons, where no number has more or fewer than three
    digits behind its point.
    """
    if reader.dialect is None or options.decimal == ".":
        return set()
    floats = [each for each in table.columns.values() if isinstance(each, NumberStatistics) and each.count]
    fractions = {each.name for each in floats if not each.whole}
    if decisions.decimal == "," or options.thousands == ".":
        return fractions
    if reader.dialect["delimiter"] != ";" or not fractions:
        return set()
    with pq.ParquetFile(table.path) as file:
        whole = {name for name in fractions if _are_thousandths(file, name)}
    return whole if whole == fractions else set()


def _are_thousandths(file: pq.ParquetFile, name: str) -> bool:
    """Whether all numbers of a column are at least 1 and have no more than three digits behind the point."""
    for group in range(file.num_row_groups):
        x = file.read_row_group(group, columns=[name], use_threads=False)[name].drop_null().to_numpy()
        if not ((np.round(x * 1000) / 1000 == x).all() and (np.abs(x) >= 1).all()):
            return False
    return True


def _dialect(reader: TableReader, decisions: Decisions) -> Mapping[str, Any] | None:
    marks = {"decimal": decisions.decimal, "thousands": decisions.thousands}
    return None if reader.dialect is None else {**reader.dialect, **marks}
