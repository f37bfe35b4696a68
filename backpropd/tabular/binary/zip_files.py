"""Zip archives: what kind of file one is, and its members as files."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from backpropd.errors import NotATable
from backpropd.tabular.compression import copy_at_most
from backpropd.tabular.messages import brief

SIGNATURE = b"PK\x03\x04"
WORKBOOK = "xl/workbook.xml"
# What another zip archive is, with advice, and a member that it has.
OTHERS = {
    ("a binary spreadsheet (XLSB)", "save it as XLSX"): "xl/workbook.bin",
    ("a text document", "save its table as CSV"): "word/document.xml",
    ("a presentation", "save its table as CSV"): "ppt/presentation.xml",
    ("an OpenDocument file", "save the sheet as XLSX or CSV"): "META-INF/manifest.xml",
}


def is_npz(path: Path, head: bytes) -> bool:
    """Whether this is an archive of NumPy arrays and nothing else."""
    names = _names(path, head)
    return bool(names) and all(name.endswith(".npy") for name in names)


def is_xlsx(path: Path, head: bytes) -> bool:
    """Whether this is a spreadsheet."""
    return WORKBOOK in _names(path, head)


def reject_other_archives(path: Path, head: bytes) -> None:
    """Raise `NotATable` for a zip archive that is no table."""
    if not head.startswith(SIGNATURE):
        return
    names = _names(path, head)
    for (name, advice), member in OTHERS.items():
        if member in names:
            raise NotATable(f"this is {name}, which is not supported: {advice}")
    listed = ", ".join(name[:100] for name in names[:5])
    holds = f" of {listed}" if listed.isprintable() and listed else ""
    raise NotATable(
        f"this is a zip archive{holds}, which is not supported: unpack it and send the table, which may be compressed "
        "with gzip or zstd"
    )


def _names(path: Path, head: bytes) -> Sequence[str]:
    if not head.startswith(SIGNATURE):
        return ()
    with explained_zip_errors(), zipfile.ZipFile(path) as archive:
        return archive.namelist()


def extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, max_bytes: int) -> int:
    """Write a member to a file of our own name. Gives its size. Raises `NotATable`, and `TableTooLarge`."""
    with explained_zip_errors(), archive.open(member) as stream, target.open("wb") as file:
        copy_at_most(stream, file, max_bytes)
    return target.stat().st_size


@contextmanager
def explained_zip_errors() -> Iterator[None]:
    """Raise `NotATable` for the errors about a damaged archive."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, OverflowError) as error:
        raise NotATable(f"this is a zip archive that is damaged or cannot be unpacked: {brief(error)}") from error
