"""The file formats that can be uploaded: their names, media types, recognition and readers.

A new format is a module with a `TableReader` and an entry in `FORMATS`.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from backpropd.tabular.beginnings import copy_beginning
from backpropd.tabular.binary.arrow_ipc import open_arrow
from backpropd.tabular.binary.numpy_files import open_npy, open_npz
from backpropd.tabular.binary.parquet import open_parquet
from backpropd.tabular.binary.xlsx import open_xlsx
from backpropd.tabular.binary.zip_files import is_npz, is_xlsx
from backpropd.tabular.delimited.reader import open_delimited
from backpropd.tabular.json_files.beginning import copy_beginning_of_json
from backpropd.tabular.json_files.reader import open_json
from backpropd.tabular.json_files.recognition import is_json
from backpropd.tabular.limits import TableLimits
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.scratch_folder import ScratchFolder
from backpropd.tabular.warnings import WarningLog


class TableReader(Protocol):
    """An opened file, which can be read several times."""

    format: str
    """The format found, which may differ from the declared one."""
    names: Sequence[str]
    """The columns' names."""
    text_columns: set[str]
    """The columns that hold strings. Names may be added while the file is read."""
    date_columns: frozenset[str]
    """The columns that hold `timestamp[us]`; those in neither set hold finite float64."""

    dialect: Mapping[str, Any] | None
    """What was recognized in text: `encoding, delimiter, quote, decimal, thousands, header, skipped_lines`."""
    warnings: WarningLog
    """What was read otherwise than it stands in the file; complete once the file was read."""

    def line_of(self, row: int) -> int:
        """The line on which a row (from 0) begins, from 1; in a format without lines, the number of the row."""

    def __iter__(self) -> Generator[list[pa.Array], None, None]:
        """Blocks of rows, each a list of the columns' values. Raises `ReadAgain`, and `errors.NotATable`."""


@dataclass(frozen=True)
class FileFormat:
    """A format: how a request declares it, what recognizes it, and what opens a file.

    `open` takes the path, the options, the limits, and a folder for temporary files. `recognizes` takes the path and
    the first `HEAD_BYTES` bytes; a format without it is read where no other one was recognized. `shorten` writes the
    table within the first bytes of a file to another: it takes both paths, the number of bytes, and the encoding if one
    is named, and gives False where that cannot be.
    """

    name: str
    media_types: tuple[str, ...]
    open: Callable[[Path, ReadOptions, TableLimits, ScratchFolder], TableReader]
    recognizes: Callable[[Path, bytes], bool] | None = None
    shorten: Callable[[Path, Path, int, str | None], bool] | None = None


def open_text(
    path: Path, options: ReadOptions, limits: TableLimits, _: ScratchFolder, *, declared: str | None = None
) -> TableReader:
    return open_delimited(path, options, limits.columns, declared=declared)


def _is_json(_: Path, head: bytes) -> bool:
    return is_json(head)


def _begins_with(*signatures: bytes) -> Callable[[Path, bytes], bool]:
    return lambda _, head: head.startswith(signatures)


HEAD_BYTES = 64 * 1024
CSV_TYPES = ("text/csv", "application/csv", "text/plain", "application/octet-stream")
JSON_LINES_TYPES = ("application/jsonl", "application/x-ndjson", "application/ndjson", "application/x-jsonlines")
PARQUET_TYPES = ("application/vnd.apache.parquet", "application/x-parquet")
ARROW_TYPES = ("application/vnd.apache.arrow.file", "application/vnd.apache.arrow.stream")
XLSX_TYPES = (
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-excel.sheet.macroenabled.12",
)
_ALL = (
    # detects the delimiter, so it reads TSV too
    FileFormat("csv", CSV_TYPES, open_text, shorten=copy_beginning),
    FileFormat("tsv", ("text/tab-separated-values",), partial(open_text, declared="\t"), shorten=copy_beginning),
    FileFormat("json", ("application/json", "text/json"), open_json, _is_json, copy_beginning_of_json),
    FileFormat("jsonl", JSON_LINES_TYPES, open_json, _is_json, copy_beginning_of_json),
    FileFormat("parquet", PARQUET_TYPES, open_parquet, _begins_with(b"PAR1")),
    FileFormat(
        "arrow",
        ARROW_TYPES,
        open_arrow,
        _begins_with(b"ARROW1", b"\xff\xff\xff\xff"),
    ),
    FileFormat("npy", ("application/x-npy",), open_npy, _begins_with(b"\x93NUMPY")),
    FileFormat("npz", ("application/x-npz",), open_npz, is_npz),
    FileFormat("xlsx", XLSX_TYPES, open_xlsx, is_xlsx),
)
FORMATS = {each.name: each for each in _ALL}
DEFAULT_FORMAT = "csv"
FORMAT_OF_MEDIA_TYPE = {media_type: each.name for each in _ALL for media_type in each.media_types}
COMPRESSED_MEDIA_TYPES = ("application/gzip", "application/zstd")
