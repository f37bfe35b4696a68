"""Tables drawn as text are read: with rulers and frames, as databases have them, and in aligned columns."""

from pathlib import Path

import pytest

from backpropd.tabular import preview_rows
from tests.tabular.reading import kinds, read

PEOPLE = [{"id": 1, "name": "Ann", "score": 2.5}, {"id": 2, "name": "Bob", "score": 3.5}]
PEOPLE += [{"id": 3, "name": "Cid", "score": None}]
DRAWN = {
    "Markdown": "| id | name | score |\n|---:|:-----|:-----:|\n| 1 | Ann | 2.5 |\n| 2 | Bob | 3.5 |\n| 3 | Cid | |\n",
    "Markdown without a frame": "id | name | score\n---|---|---\n1 | Ann | 2.5\n2 | Bob | 3.5\n3 | Cid |\n",
    "MySQL": (
        "+----+------+-------+\n| id | name | score |\n+----+------+-------+\n|  1 | Ann  |   2.5 |\n"
        "|  2 | Bob  |   3.5 |\n|  3 | Cid  |  NULL |\n+----+------+-------+\n3 rows in set (0.00 sec)\n"
    ),
    "PostgreSQL": (
        " id | name | score \n----+------+-------\n  1 | Ann  |   2.5\n  2 | Bob  |   3.5\n"
        "  3 | Cid  |      \n(3 rows)\n"
    ),
    "grid": (
        "+----+------+-------+\n| id | name | score |\n+====+======+=======+\n| 1  | Ann  | 2.5   |\n"
        "+----+------+-------+\n| 2  | Bob  | 3.5   |\n+----+------+-------+\n| 3  | Cid  |       |\n"
        "+----+------+-------+\n"
    ),
    "box drawing": (
        "┌─────┬──────┬───────┐\n│ id  ┆ name ┆ score │\n│ --- ┆ ---  ┆ ---   │\n│ i64 ┆ str  ┆ f64   │\n"
        "╞═════╪══════╪═══════╡\n│ 1   ┆ Ann  ┆ 2.5   │\n│ 2   ┆ Bob  ┆ 3.5   │\n│ 3   ┆ Cid  ┆ null  │\n"
        "└─────┴──────┴───────┘\n"
    ),
    "sqlcmd": "id,name,score\n--,----,-----\n1,Ann,2.5\n2,Bob,3.5\n3,Cid,\n",
    "rulers over aligned columns": (
        "id          name        score     \n----------  ----------  ----------\n1           Ann         2.5       \n"
        "2           Bob         3.5       \n3           Cid                   \n"
    ),
}


@pytest.mark.parametrize("drawn", DRAWN)
def test_a_drawn_table_is_read_with_its_rulers_left_out(tmp_path: Path, drawn: str) -> None:
    info, path = read(tmp_path, DRAWN[drawn])
    names = [*kinds(info)]
    assert [dict(zip(PEOPLE[0], row.values(), strict=True)) for row in preview_rows(path, 9)] == PEOPLE
    assert [name.split()[0] for name in names] == ["id", "name", "score"]
    (skipped,) = (each for each in info.warnings if each.code == "lines_skipped")
    assert "rulers" in skipped.detail


def test_bars_within_the_cells_of_a_framed_table_are_escaped(tmp_path: Path) -> None:
    _, path = read(tmp_path, "| a | b |\n|---|---|\n| x\\|y | 1 |\n| z | 2 |\n")
    assert preview_rows(path, 9) == [{"a": "x|y", "b": 1}, {"a": "z", "b": 2}]


def test_dashes_in_a_row_far_below_the_header_are_missing_values(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n}\n" for n in range(20))
    info, _ = read(tmp_path, f"a,b\n{rows}--,--\n1,2\n")
    assert (info.rows, info.columns[0].missing) == (22, 1)


ALIGNED = (
    "Name      Age  City        Income\n"
    "Ann        31  New York     45000\n"
    "Bob            Paris        32000\n"
    "Cid        45                    \n"
    "Dora       28  Los Angeles  51000\n"
    "Eve        39  Rome\n"
)


def test_blank_cells_of_aligned_columns_are_missing_where_they_stand(tmp_path: Path) -> None:
    info, path = read(tmp_path, ALIGNED)
    rows = [[*row.values()] for row in preview_rows(path, 9)]
    assert rows == [
        ["Ann", 31, "New York", 45000],
        ["Bob", None, "Paris", 32000],
        ["Cid", 45, None, None],
        ["Dora", 28, "Los Angeles", 51000],
        ["Eve", 39, "Rome", None],
    ]
    assert [*kinds(info)] == ["Name", "Age", "City", "Income"]
    assert "aligned_columns" in [each.code for each in info.warnings]


def test_titles_and_notes_around_aligned_columns_are_left_out(tmp_path: Path) -> None:
    info, path = read(
        tmp_path, f"Some people of the world and what they earn\n\n{ALIGNED}\nSource: an invented table\n"
    )
    assert info.rows == 5
    assert preview_rows(path, 1)[0] == {"Name": "Ann", "Age": 31, "City": "New York", "Income": 45000}


def test_a_word_across_the_edge_of_a_column_stays_whole(tmp_path: Path) -> None:
    long = "".join(f"Name {n:02}    {n:3}  x{n % 3}\n" for n in range(20)) + "Alexandrina 99  x1\n"
    _, path = read(tmp_path, f"name       age  group\n{long}")
    assert [*preview_rows(path, 30)[-1].values()] == ["Alexandrina", 99, "x1"]


def test_a_bar_with_a_backslash_belongs_to_a_cell_of_markdown(tmp_path: Path) -> None:
    rows = "".join(f"| x{n} | a\\|{n} | C:\\temp |\n" for n in range(4))
    info, path = read(tmp_path, f"| name | note | path |\n|---|---|---|\n{rows}")
    assert info.rows == 4
    assert preview_rows(path, 1) == [{"name": "x0", "note": "a|0", "path": "C:\\temp"}]
