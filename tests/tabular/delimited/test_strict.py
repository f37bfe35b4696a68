"""With `strict`, the first row that does not fit refuses the file, and its line is named."""

from pathlib import Path

import pytest

from backpropd.errors import NotATable
from backpropd.tabular import ReadOptions
from tests.tabular.reading import read


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n1,2\n3,4,5\n", "line 3 has 3 cells and the other lines have 2"),
        (b"a,b\n" + b"1,2\n" * 200_000 + b"3\n", "line 200002 has 1 cells"),
        (b'a,b\n"x\ny",1\n2\n', "line 4 has 1 cells"),
        (b'a,b\n1,"x\n2,y\n3,z\n', "line 2 opens a quote that is never closed"),
        (b'a\nx\n"', "line 3 opens a quote"),
        (b'a,"b\n1,2\n', "line 1 opens a quote"),
        (b'a,b\n"x"y,2\n3,"z\n', "line 3 opens a quote"),
        (b"Rainfall in 2020\n\na,b\n1,2\n", "line 3 has 2 cells and the other lines have 1"),
        (b"a,b\n1,2\n\nSource: none\n", "line 4 has 1 cells"),
    ],
)
def test_a_strict_reading_refuses_what_does_not_fit(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(NotATable, match=message):
        read(tmp_path, data, ReadOptions(strict=True))


def test_a_strict_reading_takes_blank_lines_and_a_regular_table(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "a,b\n\n1,2\n\n3,4\n", ReadOptions(strict=True))
    assert (info.rows, info.warnings) == (2, ())
