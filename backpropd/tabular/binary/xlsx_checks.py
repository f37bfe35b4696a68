"""Checks of a spreadsheet before it is loaded: its size, its strings, cells far away, and formulas without values."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from backpropd.errors import NotATable, TableTooLarge
from backpropd.tabular.binary.zip_files import explained_zip_errors
from backpropd.tabular.limits import TableLimits

CHUNK_BYTES = 1024 * 1024
OVERLAP = 256  # bytes; no pattern is longer
PART = re.compile(r"xl/.*\.xml", re.IGNORECASE)
SHEET = re.compile(r"xl/worksheets/.*\.xml", re.IGNORECASE)
ENTITY = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]{0,100}?\br\s*=\s*["']([A-Za-z]{1,30})([0-9]{1,30})["']""")
UNCOMPUTED = re.compile(rb"</(?:\w+:)?f>\s*(?:<v\s*/>|<v>\s*</v>)?\s*</(?:\w+:)?c>")
STRINGS = re.compile(rb"""<(?:\w+:)?sst\s[^>]{0,200}?\buniqueCount\s*=\s*["']([0-9]{1,30})["']""")
STRING_BYTES = 5  # of the shortest string, <si/>
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384  # of a sheet
LARGE_BOX = 4_000_000  # cells or strings
SPARSE = 20  # cells of the rectangle for each one with a value


def check_workbook(path: Path, limits: TableLimits) -> int:
    """Read the parts of a workbook once. Gives the number of formulas without a stored value.

    Raises `NotATable` for a damaged file, entities, more strings than it can hold, or a cell far away from the others;
    and `TableTooLarge`.
    """
    left, uncomputed = limits.upload_bytes, 0
    with explained_zip_errors(), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if PART.fullmatch(member.filename):
                used, found = _check_part(archive, member, left, limits.upload_bytes)
                left, uncomputed = left - used, uncomputed + found
    return uncomputed


def _check_part(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int, limit: int) -> tuple[int, int]:
    """The part's size when unpacked, and its formulas without a value."""
    extent, used, uncomputed, strings = _Extent(), 0, 0, 0
    for chunk, fresh in _chunks(archive, member):
        used += fresh
        if used > left:
            raise TableTooLarge(f"the spreadsheet has more than {limit} bytes when unpacked, the maximum: send less")
        if ENTITY.search(chunk):
            raise NotATable("this spreadsheet declares XML entities, which none needs: save it again")
        strings = max([strings, *map(int, STRINGS.findall(chunk))])  # memory for all of them is taken at once
        if SHEET.fullmatch(member.filename):
            extent.add(chunk)
            uncomputed += len(UNCOMPUTED.findall(chunk))
    if strings > max(used // STRING_BYTES, LARGE_BOX):
        raise NotATable(f"this spreadsheet is damaged: it declares {strings} strings and has fewer: save it again")
    extent.check()
    return used, uncomputed


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[tuple[bytes, int]]:
    """The content in chunks that end at the end of a cell or a tag, each with the bytes that were unpacked for it."""
    rest = b""
    with archive.open(member) as stream:
        while data := stream.read(CHUNK_BYTES):
            chunk = rest + data
            cell_end = chunk.rfind(b"</c>") + len(b"</c>") if b"</c>" in chunk else 0
            end = cell_end or chunk.rfind(b">") + 1 or max(len(chunk) - OVERLAP, 0)
            rest = chunk[end:]
            yield chunk[:end], len(data)
    yield rest, 0


class _Extent:
    """The rectangle of a sheet's cells, and how many there are."""

    def __init__(self) -> None:
        self.cells = self.last_row = 0
        self.columns: set[bytes] = set()

    def add(self, chunk: bytes) -> None:
        """Add the cells in a piece of the sheet."""
        found = CELL.findall(chunk)
        self.cells += len(found)
        if found:
            columns, rows = zip(*found, strict=True)
            self.columns.update(columns)
            self.last_row = max(self.last_row, max(map(int, rows)))

    def check(self) -> None:
        """Raise `NotATable` if the rectangle is large and nearly empty."""
        last = max(self.columns, key=_column_number, default=b"")
        if _column_number(last) > MAX_COLUMNS or self.last_row > MAX_ROWS:
            raise NotATable("this spreadsheet is damaged: it has a cell outside of what a sheet has")
        box = _column_number(last) * self.last_row
        if box > LARGE_BOX and box > SPARSE * self.cells:
            raise NotATable(
                f"a sheet reaches to column {last.decode().upper()} and row {self.last_row}, and nearly all of it is "
                "empty: delete the cells far away from the table"
            )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number
