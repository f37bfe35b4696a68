"""Spreadsheets find the levels, booleans and markers of a missing value that the service finds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.export.exported_model import ExportedModel
from backpropd.export.xlsx_examples import Cell, Examples, example_rows
from backpropd.export.xlsx_file import build, write
from backpropd.learn.imports import read_model
from backpropd.tabular import Table
from backpropd.tabular.table import CategoricalColumn
from tests.export.recalculation import Recalculated, predictions
from tests.export.test_xlsx import check_shown


def imported(column: dict[str, Any], encoder: dict[str, Any], inputs: int) -> ExportedModel:
    """A regression of one column `x` that gives every input another value."""
    data = {
        "network": {"kind": "feedforward", "hidden": [], "output_activation": "linear"},
        "features": [{"column": {"name": "x", **column}, "encoder": encoder}],
        "target": "y",
        "training": {"dtype": "float64"},
    }
    weights = {"layers.0.weight": [[10.0**index] for index in range(inputs)], "layers.0.bias": [0.5]}
    record = {"id": "model_1", "name": "m", "sha256": "0" * 64, "training_job": None, "dataset": None, "curve": None}
    return ExportedModel(read_model(data, weights, 1000), b"", record)


def of_levels(levels: Sequence[str], **column: Any) -> ExportedModel:
    """The model of a category with these levels, and missing values."""
    encoder = {"levels": [*levels], "missing": True, "frequencies": [1 / len(levels)] * len(levels)}
    return imported({"kind": "category", **column}, encoder, len(levels) + 1)


def served(model: ExportedModel, cell: Any) -> float:
    """The prediction of the service."""
    (found,) = model.model.predict([{"x": cell}])
    return float(found["value"])


LEVELS = [
    ["a  b", "a b", "a"],
    ["a b", "a  b", "a   b"],
    ["a\u00a0b", "a b", "a\tb"],
    [" a", "a", "a "],
    ["a", " a ", "b b "],
    ["x ", " x"],
    ["\U0001f600", "\U0001f600 \U0001f600", "\U0001f600  \U0001f600"],
    ["aa", "a a", "a"],
    ["Yes", "no"],
]


@pytest.mark.parametrize("levels", LEVELS, ids=repr)
def test_every_example_row_has_the_prediction_of_the_service(levels: list[str]) -> None:
    model = of_levels(levels)
    content, examples = write(model), example_rows(model.model)
    _, found = predictions(Recalculated(content), model.model, 8)
    assert found[:, 0] == pytest.approx([served(model, cell) for cell in examples.cells["x"]], rel=1e-12)
    check_shown(content)


@pytest.mark.parametrize("levels", LEVELS, ids=repr)
def test_a_level_is_found_by_what_is_between_its_ends(levels: list[str]) -> None:
    model = of_levels(levels)
    book = Recalculated(write(model))
    for level in levels:
        for cell in (level, f"  {level}", f"{level}\t", f"\u00a0{level}\u00a0 ", f"\n{level}\r\n", f"{level}{level}"):
            book.change("input", 2, 2, cell)
            _, found = predictions(book, model.model, 1)
            assert found[0, 0] == pytest.approx(served(model, cell), rel=1e-12), cell


def test_stored_results_of_padded_cells_are_those_that_are_computed() -> None:
    model = of_levels(["a  b", "a b", "c", " c"])
    cells: list[Cell] = [" a  b", "a b\u00a0", "\tc", " c", "  c ", "d", None, "  "]
    codes = np.array([0, 1, 2, 3, 2, 4, -1, -1], np.int32)
    column = CategoricalColumn(codes, ["a  b", "a b", "c", " c", "d"])
    content = build(model, Examples(Table({"x": column}, 8), {"x": cells}))
    check_shown(content)
    _, found = predictions(Recalculated(content), model.model, 8)
    assert found[:, 0] == pytest.approx([served(model, cell) for cell in cells], rel=1e-12)


def test_markers_that_an_upload_named_are_missing_unless_they_are_levels() -> None:
    model = of_levels(["a", "none"], markers=["none", "no  data"])
    book = Recalculated(write(model))
    for cell in ("none", " no  data ", "no data", "NA", None, "a"):
        book.change("input", 2, 2, cell)
        _, found = predictions(book, model.model, 1)
        assert found[0, 0] == pytest.approx(served(model, cell), rel=1e-12), cell


@pytest.mark.parametrize("markers", [None, ["no", "?"], []], ids=repr)
def test_markers_of_a_boolean_are_missing(markers: list[str] | None) -> None:
    column = {"kind": "boolean"} | ({} if markers is None else {"markers": markers})
    model = imported(column, {"mean": 0.25, "std": 0.5, "indicator": True}, 2)
    book = Recalculated(write(model))
    for cell in ("yes", "no", "FALSE", True, "?", "null", "N/A", "maybe", None):
        book.change("input", 2, 2, cell)
        shown = book.cell("output", 6, 2)
        try:
            known = served(model, cell)
        except errors.Invalid:
            assert isinstance(shown, dict), cell
        else:
            assert shown == pytest.approx(known, rel=1e-12), cell
