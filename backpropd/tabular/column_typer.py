"""The columns of a staged table in their kinds: those of strings that hold more than words are converted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from backpropd.errors import UnusableColumn, pointer
from backpropd.tabular.cells.candidate import Candidate
from backpropd.tabular.cells.conversions import Conversion, DateCells, NumberCells, WordCells
from backpropd.tabular.cells.date_formats import COMPACT
from backpropd.tabular.cells.decide import Decisions, decide, impossible_kind
from backpropd.tabular.cells.infer_dates import infer_dates
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.numbers import plain_numbers
from backpropd.tabular.cells.profile import CellProfile
from backpropd.tabular.cells.rewrite import Misfits, Rewriter, scan_column
from backpropd.tabular.cells.shapes import tidy
from backpropd.tabular.cells.string_column import StringColumn
from backpropd.tabular.column_statistics import NumberStatistics, StringStatistics
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.lossless_numbers import find_lossy
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.staging import StagedTable, Statistics, new_statistics
from backpropd.tabular.warnings import WarningLog

DATE_NAME = re.compile(r"(?i)(^|[^a-z])(date|day|datum|dt|fecha|jour|data|ymd|yyyymmdd)([^a-z]|$)|date$")
COMPACT_RANGE = (19000101, 21001231)
MISFIT_CODES = {"number": "cells_not_numbers", "date": "cells_not_dates", "boolean": "cells_not_booleans"}


@dataclass(frozen=True)
class ColumnTyper:
    """Decides what the columns of a staged table are, and converts them.

    `log` gets the warnings of the conversion, and `line_of` maps a row, from 0, to its line.
    """

    options: ReadOptions
    log: WarningLog
    line_of: Callable[[int], int]
    delimiter: str | None

    @property
    def _markers(self) -> Markers:
        return Markers.of(self.options.missing)

    def decide(self, table: StagedTable) -> Decisions:
        """What the columns are. Raises `UnusableColumn` for one that cannot be of the kind that the options name."""
        with pq.ParquetFile(table.path) as file:
            candidates = [
                self._candidate(column, name, file)
                for name, column in table.columns.items()
                if isinstance(column, StringColumn) or self._is_other_kind(name, column)
            ]
            floats = [each for each in table.columns.values() if isinstance(each, NumberStatistics)]
            decimals = sum(bool(each.count) and not each.whole for each in floats)
            decisions = decide(
                candidates, self.options, self.line_of, plain_decimals=decimals, delimiter=self.delimiter
            )
            decisions.conversions.update(self._compact_dates(table, file))
        for each in candidates:
            if not isinstance(table.columns[each.name], StringColumn):
                words = WordCells(self.options.kinds[each.name])
                decisions.conversions.setdefault(each.name, words)
        return decisions

    def _is_other_kind(self, name: str, column: object) -> bool:
        """Whether the options make a column of numbers or dates another kind."""
        return self.options.kinds.get(name, _kind(column)) != _kind(column)

    def _candidate(self, column: object, name: str, file: pq.ParquetFile) -> Candidate:
        rows = partial(scan_column, file, name)
        if isinstance(column, StringColumn):
            levels = column.statistics.levels
            scan = partial(_blocks, rows) if levels is None else partial(_different_cells, levels)
            return Candidate(name, column.profile, scan, rows)
        profile = CellProfile(self._markers)
        for cells in rows():
            profile.add(cells)
        return Candidate(name, profile, partial(_blocks, rows), rows)

    def _compact_dates(self, table: StagedTable, file: pq.ParquetFile) -> Iterable[tuple[str, Conversion]]:
        """Columns of numbers like 20201231 whose names say that they hold dates."""
        for name, column in table.columns.items():
            if not isinstance(column, NumberStatistics) or name in self.options.kinds or not DATE_NAME.search(name):
                continue
            low, high = COMPACT_RANGE
            if column.count and column.whole and low <= column.low and column.high <= high:
                scan = partial(_blocks, partial(scan_column, file, name))
                found = infer_dates({"9" * 8: column.count}, column.count, scan, named=True)
                if found and found.form == COMPACT and found.fitting == column.count:
                    yield name, DateCells(COMPACT)

    def convert(self, table: StagedTable, conversions: Mapping[str, Conversion], target: Path) -> list[ColumnInfo]:
        """The descriptions of the columns, after `target` replaced the staged file if there was anything to convert.

        Raises `UnusableColumn` for a column without any cell of the kind that the options name.
        """
        statistics = {name: table.statistics_of(name) for name in table.columns}
        conversions = dict(conversions)
        while conversions:
            fresh = {name: new_statistics(each.type, name, table.max_levels) for name, each in conversions.items()}
            rewriter = Rewriter(table.path, conversions, self._markers)
            rewriter.write(target, lambda name, values, fresh=fresh: fresh[name].update(values))  # type: ignore[misc]
            if not rewriter.lossy:
                self._warn(rewriter, conversions, table)
                statistics.update(fresh)
                target.replace(table.path)
                break
            for name in rewriter.lossy:
                self._warn_of_lossy(name, conversions.pop(name), table)
        infos = [self._info(each, table.rows, conversions.get(name)) for name, each in statistics.items()]
        if self.options.missing is None:
            return infos
        markers = {"markers": list(self.options.missing)}
        return [replace(info, statistics={**info.statistics, **markers}) for info in infos]

    def _info(self, statistics: Statistics, rows: int, conversion: Conversion | None) -> ColumnInfo:
        if isinstance(statistics, StringStatistics):
            info = statistics.info(rows, kind := self.options.kinds.get(statistics.name))
            if kind == "category" and statistics.levels is None:
                detail = f"has more than {statistics.max_levels} different values, or one that is too long"
                detail = f"the column {info.name!r} {detail}: it cannot be of kind category"
                raise UnusableColumn(detail, pointer=pointer("kinds", info.name))
            return info
        info = statistics.info(rows)
        return replace(info, statistics={**info.statistics, **conversion.describe()}) if conversion else info

    def _warn(self, rewriter: Rewriter, conversions: Mapping[str, Conversion], table: StagedTable) -> None:
        for name, misfits in rewriter.misfits.items():
            kind = conversions[name].kind or "text"
            if not misfits.count:
                continue
            is_stated = name in self.options.kinds and name not in self.options.known_kinds
            if misfits.count == rewriter.filled[name] and is_stated:
                with pq.ParquetFile(table.path) as file:
                    raise impossible_kind(name, kind, scan_column(file, name))
            self._add(MISFIT_CODES[kind], name, f"cells are not {kind}s and count as missing", misfits)
        for name, infinite in rewriter.infinite.items():
            if infinite.count:
                self._add("infinite_numbers", name, "infinite numbers count as missing", infinite)

    def _warn_of_lossy(self, name: str, conversion: Conversion, table: StagedTable) -> None:
        """Name the numbers that a float64 would change, unless they are many, as in a column of long identifiers."""
        assert isinstance(conversion, NumberCells)  # noqa: S101 - no other conversion is lossy
        lossy, row, filled = Misfits(), 0, 0
        with pq.ParquetFile(table.path) as file:
            for cells in scan_column(file, name):
                numbers = plain_numbers(tidy(cells), conversion.notation)
                lossy.add(row, cells, find_lossy(numbers))
                filled += len(numbers) - numbers.null_count
                row += len(cells)
        if lossy.count * 10 <= filled:
            detail = (
                f"{lossy.count} of {filled} numbers have more digits than a float64 holds, so all are kept as words: "
                "upload with this column's kind as number to round them"
            )
            self._add("mixed_column", name, detail, lossy)

    def _add(self, code: str, name: str, detail: str, found: Misfits) -> None:
        examples = [(self.line_of(row), value) for row, value in found.examples]
        self.log.add(code, name, detail, examples, found.count)


def _blocks(rows: Callable[[], Iterable[pa.StringArray]]) -> Iterator[tuple[pa.StringArray, None]]:
    """The blocks of a column, as `Scan` yields them."""
    return ((cells, None) for cells in rows())


def _different_cells(levels: Mapping[str, int]) -> Iterator[tuple[pa.StringArray, NDArray[np.int64]]]:
    """The different cells of a column with their counts, as `Scan` yields them."""
    yield pa.array([*levels], pa.string()), np.array([*levels.values()], np.int64)


def _kind(column: object) -> str:
    return "number" if isinstance(column, NumberStatistics) else "date"
