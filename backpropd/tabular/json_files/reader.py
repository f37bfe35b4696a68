"""The reader of JSON: blocks of columns, float64 where every value is a number, strings elsewhere."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backpropd.errors import EmptyDataset
from backpropd.tabular.column_names import column_names
from backpropd.tabular.columns import KEPT_AS_TEXT, MISSING_VALUES
from backpropd.tabular.encodings import codec_of
from backpropd.tabular.json_files.cells import check_characters, to_strings
from backpropd.tabular.json_files.layout import Layout, find_layout
from backpropd.tabular.json_files.rows import Columns, ListRows, ObjectRows, Source
from backpropd.tabular.json_files.stream import JsonStream
from backpropd.tabular.limits import TableLimits
from backpropd.tabular.lossless_numbers import parse_numbers
from backpropd.tabular.messages import quoted
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.scratch_folder import ScratchFolder
from backpropd.tabular.warnings import WarningLog

MAX_LISTED = 10


def open_json(path: Path, options: ReadOptions, limits: TableLimits, _: ScratchFolder) -> JsonReader:
    """Open a JSON file, which is read once to find its columns.

    Raises `NotATable`, `EmptyDataset`, and `TableTooLarge` for too many columns or rows.
    """
    encoding = _encoding(path, options)
    layout = find_layout(lambda: JsonStream(path, encoding))

    def values(exact: bool) -> Iterator[tuple[Any, int]]:
        with JsonStream(path, encoding, exact=exact) as stream:
            for row in layout.rows(stream):
                yield row, stream.line

    reader = JsonReader(layout, _source(layout, values, options, limits), options)
    reader.guess_text_columns()
    return reader


def _encoding(path: Path, options: ReadOptions) -> str:
    with path.open("rb") as file:
        detected = json.detect_encoding(file.read(4))
    if options.encoding is None:
        return detected
    name = codec_of(options.encoding)
    if name in ("utf-16", "utf-32"):  # the order of the bytes is detected, too
        return detected if detected.startswith(name) else f"{name}-le"
    return name


def _source(layout: Layout, values: Any, options: ReadOptions, limits: TableLimits) -> Source:
    if layout.columns is not None:
        return Columns(layout.columns, limits)
    first, _ = next(values(False), (None, 0))
    if isinstance(first, list):
        return ListRows(values, limits, options.header, layout.names)
    return ObjectRows(values, limits)


class JsonReader:
    """Iterates over the blocks of a file. A column found to hold words joins `text_columns` and stays text."""

    dialect: Mapping[str, Any] | None = None
    date_columns: frozenset[str] = frozenset()

    def __init__(self, layout: Layout, source: Source, options: ReadOptions) -> None:
        self.format = "jsonl" if layout.lines else "json"
        self._source = source
        if not source.width:
            raise EmptyDataset("no row has a value: send at least one")
        names = [""] * source.width if source.names is None else source.names
        for name in names:
            check_characters(name, [name])
        self.warnings = WarningLog()
        self.names: Sequence[str] = column_names(names, self.warnings)
        self.text_columns = {name for name in self.names if options.kinds.get(name) in KEPT_AS_TEXT}
        self._missing = pa.array(MISSING_VALUES if options.missing is None else options.missing, pa.string())
        self._warn(layout)

    def _warn(self, layout: Layout) -> None:
        if layout.left_out:
            listed = ", ".join(map(quoted, layout.left_out[:MAX_LISTED]))
            detail = f"members of the object that are no part of the table were left out: {listed}"
            self.warnings.add("members_left_out", None, detail, count=len(layout.left_out))
        for n, name in enumerate(self.names):
            if line := self._source.nested.get(n):
                detail = f"lists are kept as JSON text, the first on line {line}"
                self.warnings.add("nested_values", name, detail)
        if short := self._source.short:
            detail = f"rows with fewer than {self._source.width} values: the last ones are missing"
            self.warnings.add("short_rows", None, detail, [(line, "") for line in short], len(short))

    def line_of(self, row: int) -> int:
        """See `TableReader`."""
        return self._source.line_of(row)

    def guess_text_columns(self) -> None:
        """Find `text_columns` in the first block. Raises `NotATable`."""
        next(iter(self), None)

    def __iter__(self) -> Generator[list[pa.Array], None, None]:
        """The columns of each block. Raises `NotATable`."""
        for block in self._source.blocks():
            yield [self._column(name, values) for name, values in zip(self.names, block, strict=True)]

    def _column(self, name: str, values: Sequence[Any]) -> pa.Array:
        cells = to_strings(name, values)
        if name in self.text_columns:
            return cells
        present = pc.if_else(pc.is_in(cells, self._missing), pa.scalar(None, pa.string()), cells)
        numbers = parse_numbers(present)
        if numbers is None:
            self.text_columns.add(name)
            return cells
        return numbers
