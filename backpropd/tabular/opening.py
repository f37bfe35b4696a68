"""From an uploaded file to a reader of its table: decompression, then recognition by content."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from backpropd.tabular.binary.zip_files import reject_other_archives
from backpropd.tabular.compression import compression_of, decompress
from backpropd.tabular.file_signatures import reject_other_formats
from backpropd.tabular.formats import DEFAULT_FORMAT, FORMATS, HEAD_BYTES, FileFormat, TableReader
from backpropd.tabular.json_files.recognition import reject_non_tables
from backpropd.tabular.limits import TableLimits
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.scratch_folder import scratch_folder

JSON_FORMATS = ("json", "jsonl")


@contextmanager
def open_table(
    source: Path, declared: str, options: ReadOptions, limits: TableLimits, folder: Path, beginning: int | None = None
) -> Iterator[TableReader]:
    """A reader of the table at `source`; the `declared` format counts where the content tells nothing.

    Of text and JSON only the lines or rows within the first `beginning` bytes are read, where that is given. Temporary
    files are written to `folder`, and removed at the end. Raises what a format's reader raises.
    """
    with scratch_folder(folder) as scratch:
        if compression_of(source):
            unpacked = scratch() / "unpacked"
            decompress(source, unpacked, limits.upload_bytes)
            source = unpacked
        with source.open("rb") as file:
            head = file.read(HEAD_BYTES)
        found = _recognize(source, head, declared)
        if beginning is not None and found.shorten:
            short = scratch() / "beginning"
            if found.shorten(source, short, beginning, options.encoding):
                source, options = short, replace(options, is_cut=True)
        yield found.open(source, options, limits, scratch)


def _recognize(source: Path, head: bytes, declared: str) -> FileFormat:
    """The format found, or else the declared one if it is text, or else CSV. Raises `NotATable` for other files."""
    for each in FORMATS.values():
        if each.recognizes is not None and each.recognizes(source, head):
            return each
    reject_other_formats(head)
    reject_other_archives(source, head)
    if declared in JSON_FORMATS:
        reject_non_tables(head, is_whole=len(head) < HEAD_BYTES)
    return FORMATS[declared if FORMATS[declared].recognizes is None else DEFAULT_FORMAT]
