"""The scan counts the rows that Python's `csv` module reads, and knows a clean file."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backpropd.tabular.delimited import byte_scan
from backpropd.tabular.delimited.byte_scan import Scan, scan


def scanned(text: str, width: int, folder: Path) -> Scan:
    path = folder / "table"
    path.write_bytes(text.encode())
    with path.open("rb") as file:
        return scan(file, ",", '"', width)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("1,2\n3,4\n", True),
        ("1,2\r\n3,4", True),
        ("1,2\r3,4\n", True),
        ("\n\r\n1,2\n3,4\n\n", True),
        ('"1\n\n2",2\n3,"4"', True),
        ('"a""b",""\n"c"\n', False),
        ('"1\r\n2",2\n', False),
        ("1,2\n\n3,4\n", False),
        ("1,2\n3\n", False),
        ("1,2,\n", False),
        ('5" pipe,1\n', False),
        ('1, "2"\n', False),
        ('"1"x,2\n', False),
        ('1,"2\n', False),
        ("", True),
    ],
)
def test_only_rows_that_fit_and_quoted_cells_are_clean(tmp_path: Path, text: str, clean: bool) -> None:
    assert scanned(text, 2, tmp_path).clean is clean


CELLS = st.text(st.sampled_from('ä1,"\r\n '), max_size=6)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    window=st.integers(1, 40),
)
def test_every_window_size_counts_as_the_csv_module_does(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], end: str, window: int
) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_scan, "WINDOW_BYTES", window)
        found = scanned(out.getvalue(), 2, tmp_path_factory.getbasetemp())
    if any("\r" in cell for row in rows for cell in row):
        assert not found.clean  # and not counted to the end
        return
    assert (found.clean, found.rows) == (True, len(rows))
    assert found.lines == len(list(io.StringIO(out.getvalue(), newline="")))
