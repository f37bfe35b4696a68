"""Spreadsheets compute extreme numbers as the service does; what one cannot hold is refused with advice."""

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formualizer import Workbook
from python_calamine import load_workbook
from xlsxwriter.worksheet import Worksheet

from backpropd import errors
from backpropd.export import xlsx_file, xlsx_sheet
from backpropd.export.exported_model import ExportedModel
from backpropd.export.network_layers import FIRE, STEP, PlainLayer
from backpropd.export.xlsx_file import write
from backpropd.export.xlsx_network import FORMULAS
from backpropd.export.xlsx_sheet import _PlainWorksheet
from backpropd.nn import ACTIVATIONS
from backpropd.tabular import FeatureEncoder
from backpropd.tabular.column_encoders import Scaled
from tests.export.recalculation import Recalculated, predictions
from tests.export.trained import OPTIONS, exported, trained
from tests.learn.learner import Learner

EXTREMES = (-1e30, -1000.0, -745.0, -100.0, -5.0, -1e-9, 0.0, 1e-9, 0.3, 5.0, 100.0, 708.0, 1000.0, 1e30)


def changed(model: ExportedModel, **fields: Any) -> ExportedModel:
    """The exported model with other fields of its `Model`."""
    return model._replace(model=replace(model.model, **fields))


def with_column(model: ExportedModel, *, encoder: dict[str, Any] | None = None, **info: Any) -> ExportedModel:
    """The model whose first column, and its encoder, have these fields."""
    before = model.model.encoder
    infos = [replace(before.infos[0], **info), *before.infos[1:]]
    encoders = [replace(before.column_encoders[0], **(encoder or {})), *before.column_encoders[1:]]
    return changed(model, encoder=FeatureEncoder(infos, encoders, before.dtype))


@pytest.fixture(scope="module")
def model(learner: Learner) -> ExportedModel:
    """A classifier."""
    return trained(learner, OPTIONS["classes"])


def test_every_activation_has_a_formula() -> None:
    assert FORMULAS.keys() | {"softmax", FIRE} == ACTIVATIONS.keys() | {STEP, FIRE}


@pytest.mark.parametrize("name", [name for name in FORMULAS if name != STEP])
def test_an_activation_is_finite_and_the_same_for_extreme_numbers(name: str) -> None:
    book: Any = Workbook()
    sheet = book.sheet("s")
    for row, a in enumerate(EXTREMES, 1):
        sheet.set_value(row, 1, a)
        sheet.set_formula(row, 2, "=" + FORMULAS[name].replace("#", f"A{row}").replace("LARGEST", "709"))
    book.evaluate_all()
    a = np.array([EXTREMES])
    known = np.empty_like(a)
    ACTIVATIONS[name].forward(a, known)
    found = [book.get_value("s", row, 2) for row in range(1, 1 + len(EXTREMES))]
    assert found == pytest.approx(known[0].tolist(), rel=1e-9, abs=1e-12)


def test_softmax_of_large_numbers_is_finite(model: ExportedModel) -> None:
    theta = {name: each * 1e4 for name, each in model.model.theta.items()}
    book = Recalculated(write(changed(model, theta=theta)))
    rows = [[book.cell("output", row, column) for column in (3, 4, 5)] for row in range(3, 11)]
    assert np.sum(rows, axis=1) == pytest.approx(1)
    assert np.min(rows) >= 0


def test_markers_of_an_upload_are_missing(model: ExportedModel) -> None:
    marked = with_column(model, statistics={"markers": ["-999", "Unbekannt"]})
    book = Recalculated(write(marked))
    assert book.cell("input", 1, 2) == marked.model.encoder.infos[0].name
    book.change("input", 2, 2, None)
    missing = [book.cell("output", 3, column) for column in (3, 4, 5)]
    for marker in (-999, "-999", " Unbekannt"):
        book.change("input", 2, 2, marker)
        assert [book.cell("output", 3, column) for column in (3, 4, 5)] == missing
    book.change("input", 2, 2, -998)
    assert [book.cell("output", 3, column) for column in (3, 4, 5)] != missing
    book.change("input", 2, 2, "unbekannt")
    assert isinstance(book.cell("output", 3, 3), dict)


def test_words_that_differ_in_case_or_have_wildcards_are_different_words(tmp_path: Path) -> None:
    words = ("a", "A", "a*", "?", "~a")
    table = "word,y\n" + "".join(f"{words[n % 5]},{n % 5 * 10 + n % 2}\n" for n in range(60))
    learner = Learner(tmp_path, table)
    made = exported(learner.trained(learner.plan("y", epochs=1, dtype="float64", task="regression")))
    book = Recalculated(write(made))
    for word in (*words, "b*", "~"):
        book.change("input", 2, 2, word)
        (known,) = made.model.predict([{"word": word}])
        _, found = predictions(book, made.model, 1)
        assert found[0, 0] == pytest.approx(known["value"], rel=1e-9), word


def test_a_text_that_xml_cannot_hold_is_escaped(model: ExportedModel) -> None:
    target = model.model.target
    target = type(target)(target.names, ["\x01<&>", "\ufffe", 'a "quote"\n'], target.offset, target.scale)
    named = with_column(changed(model, target=target), name="\x02")
    sheets = load_workbook(io.BytesIO(write(named)))
    assert sheets.get_sheet_by_name("output").to_python()[1][-1] == 'a "quote"\n'
    assert sheets.get_sheet_by_name("output").to_python()[1][2].endswith("<&>")


def test_a_text_that_is_too_long_for_a_cell_is_refused(model: ExportedModel) -> None:
    assert write(with_column(model, name="x" * 32_000))
    with pytest.raises(errors.Invalid, match=r"32767 characters.*request another format"):
        write(with_column(model, name="x" * 32_768))


def test_a_deviation_that_a_spreadsheet_takes_for_0_is_refused(model: ExportedModel) -> None:
    with pytest.raises(errors.Invalid, match="takes for 0: request onnx"):
        write(with_column(model, encoder={"std": 1e-310}))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["layers.0.weight", "layers.1.bias"])
def test_a_weight_that_is_not_finite_is_refused(model: ExportedModel, name: str, number: float) -> None:
    theta = {each: values.copy() for each, values in model.model.theta.items()}
    theta[name].flat[1] = number
    sheet = {"layers.0.weight": "layer 1", "layers.1.bias": "layer 2"}[name]
    with pytest.raises(errors.Invalid, match=f"finite numbers alone.*'{sheet}' would be {number}: request"):
        write(changed(model, theta=theta))


def test_formulas_are_written_as_they_are(monkeypatch: pytest.MonkeyPatch, model: ExportedModel) -> None:
    """Fails where an upgrade of the writer no longer calls the method that `_PlainWorksheet` has, or changes it."""
    calls = []

    def prepare(self: Any, formula: str, *rest: Any, **options: Any) -> str:
        calls.append(formula)
        return _PlainWorksheet._prepare_formula(self, formula, *rest, **options)

    def sheets(kind: type[Worksheet]) -> dict[str, bytes]:
        monkeypatch.setattr(xlsx_sheet, "_PlainWorksheet", kind)
        files = zipfile.ZipFile(io.BytesIO(write(model)))
        return {name: files.read(name) for name in files.namelist() if name.startswith("xl/worksheets/")}

    counted = sheets(type("Counted", (_PlainWorksheet,), {"_prepare_formula": prepare}))
    written = [each for content in counted.values() for each in re.findall(rb"<f>", content)]
    assert len(calls) == len(written) > 0
    assert all(each.startswith("=") for each in calls)
    assert counted == sheets(Worksheet)


def test_numbers_that_are_far_from_each_other_are_written(model: ExportedModel) -> None:
    book = Recalculated(write(with_column(model, encoder={"mean": 1e308, "std": 1e308, "low": None, "high": None})))
    assert isinstance(book.cell("output", 3, 3), float)


@pytest.mark.parametrize(
    ("fan_in", "units", "detail"),
    [
        (16_400, 1, "16384 columns in a sheet"),
        (1, 16_400, "16384 columns in a sheet"),
        (800, 800, "500000 numbers and weighted formulas"),
        (1, 3_000, "4000000 cells, empty ones included"),
    ],
)
def test_a_layer_that_is_too_large_is_refused(
    monkeypatch: pytest.MonkeyPatch, model: ExportedModel, fan_in: int, units: int, detail: str
) -> None:
    layer = PlainLayer(np.zeros((fan_in, units)), np.zeros(units), "tanh")
    monkeypatch.setattr(xlsx_file, "layers_of", lambda _: [layer])
    with pytest.raises(errors.Invalid, match=f"{detail}.*request onnx, python or safetensors"):
        write(model)


def test_formulas_that_read_cells_weigh_more(model: ExportedModel) -> None:
    before = model.model.encoder
    number = Scaled(0.0, 1.0, indicator=False)
    for count, is_refused in ((1500, False), (4500, True)):
        infos = [replace(before.infos[0], name=f"x{n}") for n in range(count)]
        size = xlsx_file._inputs_size(FeatureEncoder(infos, [number] * count, before.dtype), 8)
        assert (size.cells > xlsx_file.MOST_CELLS) == is_refused
