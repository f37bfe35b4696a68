"""A coverage-guided fuzzer of `ingest`: `make fuzz`, or `make fuzz SECONDS=600`. It needs atheris.

Any bytes become a table or one of our errors, and a table is the same whether Arrow converts its numbers, each cell
follows the exact rule, or the file is read row by row. Add a test for every finding.
"""

import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import atheris

with atheris.instrument_imports(include=["backpropd.tabular"]):
    from backpropd.errors import Invalid, TooLarge
    from backpropd.tabular import IngestedTable, TableLimits, ingest, preview_rows
    from backpropd.tabular.delimited import lossy_numbers, reader

LIMITS = TableLimits(rows=10_000, columns=200, cells=100_000, category_levels=50)
CORPUS = Path(".fuzz/corpus")
SEEDS = {
    "words": b"a,b\n1,x\n2.5,y\n",
    "quotes": b'a;"b;c"\n"1";"x\ny"\n',
    "tabs": b"a\tb\r\n-1e5\tNA\r\n",
    "utf16": "\ufeffä,b\n1,2\n".encode("utf-16-le"),
    "latin": b"\xe4,b\n007,0x10\n",
    "malformed": b'Title\n\na,b,c\nm,,s\n1,2,3\n4,5\n6,"7,8\n9;1;2\n3,4,5,6\n\nSource: none\n',
    "spaces": b"# c\n# d\na b  c\n1 2  3\n4 5  6\n",
    "small": b"x\n0\n1e-400\n9007199254740993\n",
    "json": b'[{"a": 1}]\n',
}

_folder = Path(tempfile.mkdtemp())


def fuzz_one(data: bytes) -> None:
    """Read the bytes in all ways. Raises any unexpected error."""
    source = _folder / "source"
    source.write_bytes(data)
    default = _read(source)
    with (
        patch.object(lossy_numbers, "code_pattern", lambda _: "^"),
        patch.object(lossy_numbers, "may_begin_with_zeros", lambda *_: True),
    ):
        exact = _read(source)
    assert default == exact, (default, exact)
    with patch.object(reader, "_may_be_clean", lambda _: False):
        row_by_row = _read(source)
    assert default == row_by_row, (default, row_by_row)


def _read(source: Path) -> tuple[IngestedTable | str, list[dict[str, object]]]:
    target = source.with_name("target")
    try:
        return ingest(source, target, limits=LIMITS), preview_rows(target, 100)
    except (Invalid, TooLarge) as error:
        return error.code, []


def main() -> None:
    """Fuzz until an option of libFuzzer ends it."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        (CORPUS / name).write_bytes(seed)
    atheris.Setup(
        [*sys.argv, "-artifact_prefix=.fuzz/", "-max_len=1024", "-len_control=0", "-timeout=20", str(CORPUS)], fuzz_one
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
