"""Cells of any kind become values, or are listed; none is lost."""

import math

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backpropd.tabular import ColumnInfo, convert_cells
from backpropd.tabular.cells.conversions import LossyNumberError
from backpropd.tabular.cells.convert import convert
from backpropd.tabular.cells.decide import Candidate, decide
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.cells.notation import NumberNotation
from backpropd.tabular.cells.profile import CellProfile
from backpropd.tabular.read_options import ReadOptions

PIECES = st.sampled_from(
    ["0", "1", "12", "345", "2020", "31", ".", ",", " ", "-", "/", ":", "%", "$", "€", "K", "m2", "e5", "Jan", "T",
     "(", ")", "\u2212", "\u00a0", "'", "NA", "nan", "inf", "PM", "Z", "+02:00", "ä", "red", "999999999999999999"]
)  # fmt: skip
CELLS = st.one_of(st.none(), st.lists(PIECES, max_size=6).map("".join), st.text(max_size=8))
KINDS = st.sampled_from([None, "number", "date", "boolean", "category", "text"])


@settings(deadline=None, max_examples=400)
@given(st.lists(CELLS, min_size=1, max_size=30), KINDS)
@example([None, None], None)
@example([""], "date")
def test_every_cell_becomes_a_value_or_is_missing_or_is_listed(cells: list[str | None], kind: str | None) -> None:
    column = pa.array([None if cell is None else cell.strip() for cell in cells], pa.string())
    profile = CellProfile(Markers())
    profile.add(column)
    options = ReadOptions(kinds={} if kind in (None, "number", "date") else {"x": kind})
    conversion = decide(
        [Candidate("x", profile, lambda: [(column, None)], lambda: [column])], options, int
    ).conversions.get("x")
    if conversion is None:
        return
    try:
        values, misfits = convert(conversion, column, Markers())
    except LossyNumberError:
        return
    assert len(values) == len(misfits) == len(column)
    assert values.type == conversion.type
    assert not (misfits & values.is_valid().to_numpy(zero_copy_only=False)).any()
    if conversion.kind in ("number", "date"):
        assert misfits.sum() <= 0.1 * profile.filled
    info = ColumnInfo("x", conversion.kind or "text", 0, None, conversion.describe())
    assert convert_cells(info, column)[0].equals(values)


INFOS = st.sampled_from(
    [
        ColumnInfo("x", "number", 0, None),
        ColumnInfo("x", "number", 0, None, {"markers": ["-999"]}),
        ColumnInfo("x", "number", 0, None, {"notation": NumberNotation(",", ".").to_json()}),
        ColumnInfo("x", "date", 0, None, {"format": "year-month-day"}),
        ColumnInfo("x", "date", 0, None, {"format": "day/month/year", "markers": ["-999"]}),
    ]
)
WRITTEN = st.sampled_from(
    ["1,234", "1,234.5", "0,5", "1.234", "-999", "NA", "1e400", "5 %", "007", "01/02/2020", "31/12/2020", "12/31/2020"]
)


@settings(deadline=None, max_examples=30)
@given(INFOS, st.lists(CELLS | WRITTEN, min_size=2, max_size=5))
@example(ColumnInfo("x", "number", 0, None), ["1,234", "1,234.5"])
@example(ColumnInfo("x", "number", 0, None), ["1,234", "0,5"])
@example(ColumnInfo("x", "number", 0, None, {"markers": ["-999"]}), ["NA", "0,5"])
@example(ColumnInfo("x", "date", 0, None, {"format": "year-month-day"}), ["01/02/2020", "31/12/2020"])
def test_what_a_known_column_makes_of_a_cell_does_not_depend_on_the_others(
    info: ColumnInfo, cells: list[str | None]
) -> None:
    values, misfits = convert_cells(info, pa.array(cells, pa.string()))
    alone = [convert_cells(info, pa.array([cell], pa.string())) for cell in cells]
    assert values.to_pylist() == [each[0][0].as_py() for each in alone]
    assert misfits.tolist() == [bool(each[1][0]) for each in alone]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_float_is_the_same_after_its_shortest_text(numbers: list[float]) -> None:
    values, misfits = convert_cells(ColumnInfo("x", "number", 0, None), pa.array([repr(number) for number in numbers]))
    assert not misfits.any()
    assert all(math.isclose(a, b, rel_tol=0, abs_tol=0) for a, b in zip(values.to_pylist(), numbers, strict=True))
    assert np.array_equal(values.to_numpy(), numbers)
