"""Signatures of file formats that cannot be uploaded, so that such a file is rejected by name before it is parsed."""

from __future__ import annotations

from pathlib import Path

from backpropd.errors import NotATable
from backpropd.tabular.formats import FORMATS

SIGNATURES = {
    b"PK\x03\x04": "a zip archive, a spreadsheet or a NumPy archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"%PDF": "a PDF",
    b"PAR1": "Parquet",
    b"\x93NUMPY": "a NumPy file",
    b"ARROW1": "an Arrow file",
    b"FEA1": "a Feather file",
    b"\xff\xff\xff\xff": "an Arrow stream",
    b"\x89HDF": "HDF5",
    b"SQLite format 3": "a database",
    b"\xd0\xcf\x11\xe0": "an old office document",
    b"\x7fELF": "a program",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"<?xml": "XML",
}
MAX_SIGNATURE_BYTES = max(map(len, SIGNATURES))


def reject_other_formats(path: Path) -> None:
    """Raise `NotATable` for a file that begins with the signature of another format."""
    with path.open("rb") as file:
        head = file.read(MAX_SIGNATURE_BYTES)
    for signature, name in SIGNATURES.items():
        if head.startswith(signature):
            formats = " or ".join(FORMATS).upper()
            raise NotATable(f"this is {name}, which is not supported: send the table as {formats}")
