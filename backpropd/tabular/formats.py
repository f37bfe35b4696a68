"""The file formats that can be uploaded: their names, media types, file extensions and readers.

A new format is a module with a `TableReader` and an entry in `FORMATS`.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from backpropd.tabular.delimited.reader import open_delimited
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.warnings import WarningLog


class TableReader(Protocol):
    """An opened file, which can be read several times."""

    format: str
    """The format found, which may differ from the declared one."""
    names: Sequence[str]
    """The columns' names."""
    text_columns: set[str]
    """The columns that hold strings; the others hold finite float64. Names may be added while the file is read."""

    dialect: Mapping[str, Any] | None
    """What was recognized in text: `encoding, delimiter, quote, decimal, thousands, header, skipped_lines`."""
    warnings: WarningLog
    """What was read otherwise than it stands in the file; complete once the file was read."""

    def line_of(self, row: int) -> int:
        """The line on which a row (from 0) begins, from 1; in a format without lines, the number of the row."""

    def __iter__(self) -> Generator[list[pa.Array], None, None]:
        """Blocks of rows, each a list of the columns' values. Raises `errors.NotATable`."""


@dataclass(frozen=True)
class FileFormat:
    """A format: how a request or a file name declares it, and what opens a file.

    `open` takes the path, the options, and the maximum number of columns.
    """

    name: str
    media_types: tuple[str, ...]
    extensions: tuple[str, ...]
    open: Callable[[Path, ReadOptions, int], TableReader]


CSV_TYPES = ("text/csv", "application/csv", "text/plain", "application/octet-stream")
_ALL = (
    FileFormat("csv", CSV_TYPES, (".csv", ".txt"), open_delimited),  # detects the delimiter, so it reads TSV too
    FileFormat("tsv", ("text/tab-separated-values",), (".tsv", ".tab"), partial(open_delimited, declared="\t")),
)
FORMATS = {each.name: each for each in _ALL}
DEFAULT_FORMAT = "csv"
FORMAT_OF_MEDIA_TYPE = {media_type: each.name for each in _ALL for media_type in each.media_types}
