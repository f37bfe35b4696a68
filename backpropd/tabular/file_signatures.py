"""Signatures of file formats that cannot be uploaded, so that such a file is rejected by name before it is parsed."""

from pathlib import Path

from backpropd.errors import NotATable
from backpropd.tabular.formats import FORMATS

SIGNATURES = {
    "a zip archive, a spreadsheet or a NumPy archive": (b"PK\x03\x04",),
    "an empty zip archive": (b"PK\x05\x06",),
    "gzip": (b"\x1f\x8b",),
    "bzip2": (b"BZh",),
    "xz": (b"\xfd7zXZ",),
    "a 7z archive": (b"7z\xbc\xaf",),
    "zstd": (b"\x28\xb5\x2f\xfd",),
    "lz4": (b"\x04\x22\x4d\x18",),
    "an image": (b"\x89PNG", b"\xff\xd8\xff"),
    "a PDF": (b"%PDF",),
    "Parquet": (b"PAR1",),
    "a NumPy file": (b"\x93NUMPY",),
    "an Arrow file": (b"ARROW1",),
    "a Feather file": (b"FEA1",),
    "an Arrow stream": (b"\xff\xff\xff\xff",),
    "HDF5": (b"\x89HDF",),
    "a database": (b"SQLite format 3",),
    "an old office document": (b"\xd0\xcf\x11\xe0",),
    "a program": (b"\x7fELF",),
    "a pickle": (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
    "a web page": (b"<!DOCTYPE", b"<html"),
    "XML": (b"<?xml",),
}


def reject_other_formats(path: Path) -> None:
    """Raise `NotATable` for a file that begins with the signature of another format."""
    with path.open("rb") as file:
        head = file.read(max(len(each) for signatures in SIGNATURES.values() for each in signatures))
    for name, signatures in SIGNATURES.items():
        if head.startswith(signatures):
            formats = " or ".join(name.upper() for name in FORMATS)
            raise NotATable(f"this is {name}, which is not supported: send the table as {formats}")
