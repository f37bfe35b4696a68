"""Signatures of files that cannot be uploaded, so that such a file is rejected by name before it is parsed."""

import re
from itertools import chain

from backpropd.errors import NotATable

# What a file is, with the advice how to send its table, and the bytes with which such a file begins.
SAVE_AS_CSV = "save its table as CSV and send that"
UNPACK = "unpack it and send the table, which may be compressed with gzip or zstd"
SIGNATURES: dict[tuple[str, str], tuple[bytes, ...]] = {
    ("bzip2", UNPACK): (b"BZh",),
    ("xz", UNPACK): (b"\xfd7zXZ",),
    ("a 7z archive", UNPACK): (b"7z\xbc\xaf",),
    ("a RAR archive", UNPACK): (b"Rar!",),
    ("lz4", UNPACK): (b"\x04\x22\x4d\x18",),
    ("snappy", UNPACK): (b"\xff\x06\x00\x00sNaPpY",),
    ("an empty zip archive", "add the table"): (b"PK\x05\x06",),
    ("an image", "send numbers: a row for each image and a column for each pixel"):
        (b"\x89PNG", b"\xff\xd8\xff", b"GIF8"),
    ("a PDF", "copy its table into a spreadsheet and save that"): (b"%PDF",),
    ("a Rich Text document", SAVE_AS_CSV): (b"{\\rtf",),
    ("an old Feather file (version 1)", "write it again with a newer library"): (b"FEA1",),
    ("HDF5", "read it with pandas or h5py, and write Parquet"): (b"\x89HDF",),
    ("a SQLite database", "export one table as CSV"): (b"SQLite format 3",),
    ("an old spreadsheet or office document", "save it as XLSX or CSV"): (b"\xd0\xcf\x11\xe0",),
    ("Avro", "write Parquet instead"): (b"Obj\x01",),
    ("a MATLAB file", "save the matrix as NPY or CSV"): (b"MATLAB 5.0 MAT-file",),
    ("an SPSS file", SAVE_AS_CSV): (b"$FL2", b"$FL3"),
    ("a Stata file", SAVE_AS_CSV): (b"<stata_dta>",),
    ("R data", "write it with write.csv"): (b"RDX2", b"RDX3", b"X\n\x00\x00\x00"),
    ("a program", "send a table"): (b"\x7fELF", b"MZ\x90\x00"),
    ("a pickle, which could run code", "write Parquet or CSV instead"):
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
    ("a pointer of Git LFS and not the file itself", "fetch the file with `git lfs pull`, or download it"):
        (b"version https://git-lfs",),
}  # fmt: skip
# The same for text, in lower case, behind a byte order mark and white space.
TEXT_SIGNATURES: dict[tuple[str, str], tuple[bytes, ...]] = {
    ("a web page", "download the file itself: this may be a page about it, or one that asks to log in"):
        (b"<!doctype html", b"<html", b"<head", b"<body", b"<table", b"<script", b"<!--"),
    ("an SVG image", "send a table"): (b"<svg",),
    ("XML", SAVE_AS_CSV): (b"<?xml", b"<!doctype"),
}  # fmt: skip
# The same for text whose beginning varies.
TEXT_PATTERNS: dict[tuple[str, str], str] = {
    ("a script of SQL", "load it into a database and export one table as CSV"):
        r"\A(?:\s|--.*\n|/\*[^*]*\*/;?)*+(?:insert (?:ignore )?into|replace into|create (?:table|database|schema)"
        r"|drop table|copy \S+ ?\(.*\) from|set \w+ ?=|(?:begin|begin transaction|use \S+);\s*$)",
    ("JSON within a script", "send the JSON alone, from its first [ or { to the last one"):
        r"\A(?:\)\]\}'|(?:(?:var|let|const) )?[a-z_$][\w.$]*(?: ?= ?| ?\()[\[{]\s*[\[{\"]|(?://.*\n|/\*[^*]*\*/\s*)+[\[{]\s*[\[{\"])",
    ("JSON behind a time and a level on each line, as logs are", "remove what stands before each {"):
        r"\A(?:[^{\n,;|\t]{1,80}\{\"\w+\": ?[^\n]*\}\s*\n){2}",
    ("LaTeX", SAVE_AS_CSV):
        r"\A[^&\n]*&.*\\\\(?:[ \t]*\\hline)?\s*$"
        r"|\A(?:\s|%.*\n|\\(?!begin).*\n)*+\\begin\{",
    ("a table of a wiki", SAVE_AS_CSV): r"\A\{\|[^|]*\n[|!]",
    ("a listing of Stata", "write the table with `export delimited`"):
        r"\A\+-+\+\s*$\n[ ]*\|.*\|\s*$\n[ ]*\|-+\|\s*$\n[ ]*1\. \|",
    ("an ARFF file", "save it as CSV in Weka, or read it with scipy.io.arff and write that"):
        r"\A(?:\s|%.*\n)*+@relation\s[^@]*@attribute\s",
    ("sparse data of LIBSVM", "write every column: scikit-learn's load_svmlight_file reads it"):
        r"\A(?:[-+]?\d[\d.,]*(?: +\d+:(?![0-5]\d\b(?!\.))[-+\d.e]+)+[ \r]*\n){2}",
    ("YAML", "write its list as CSV or JSON"): r"\A(?:---\s*$\n)?- ?[\w-]+: .*\n +[\w-]+: ",
}  # fmt: skip
# Text of mainframes: letters, digits, marks and a line end of EBCDIC, where ASCII has hardly any.
EBCDIC = re.compile(
    rb"(?=.{0,200}[\xf0-\xf9])(?=.{0,200}[\x15\x25])"
    rb"[\x05\x0d\x15\x25\x40\x4a-\x50\x5a-\x61\x6b-\x6f\x79-\x7f\x81-\xa9\xc1-\xe9\xf0-\xf9]{30}",
    re.DOTALL,
)


def reject_other_formats(head: bytes) -> None:
    """Raise `NotATable` for a file whose first bytes are the signature of a format that cannot be uploaded."""
    if EBCDIC.match(head):
        raise NotATable("this is text in EBCDIC, which is not supported: convert it with `iconv -f IBM037 -t UTF-8`")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    found = chain(
        (names for names, begins in SIGNATURES.items() if head.startswith(begins)),
        (names for names, begins in TEXT_SIGNATURES.items() if text.startswith(begins)),
        (names for names, pattern in TEXT_PATTERNS.items() if re.search(pattern.encode(), text, re.MULTILINE)),
    )
    for name, advice in found:
        raise NotATable(f"this is {name}, which is not supported: {advice}")
