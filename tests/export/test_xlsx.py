"""Spreadsheets that are recalculated give what the service gives, for every encoder, activation and kind of network."""

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from python_calamine import load_workbook

from backpropd import errors
from backpropd.export.exported_model import ExportedModel
from backpropd.export.onnx_file import difference, expected
from backpropd.export.probe_rows import ROWS as PROBES
from backpropd.export.probe_rows import probe_rows
from backpropd.export.xlsx_examples import ROWS, example_rows
from backpropd.export.xlsx_file import build, write
from backpropd.tabular import list_samples
from tests.export.recalculation import Recalculated, as_examples, predictions, with_times_of_a_day
from tests.export.trained import NEURONS, OPTIONS, exported, neuron, trained
from tests.learn.learner import Learner

IN_FLOAT64 = {name: {**options, "dtype": "float64"} for name, options in OPTIONS.items()}
# a network of float32 is itself no more exact: its layer normalization divides by a small deviation
TOLERANCE = {"tanh layer": 1e-5}


def check(model: ExportedModel, tolerance: float) -> None:
    """The recalculated predictions are the model's, and so are the results that the file has."""
    probes = with_times_of_a_day(model.model, probe_rows(model.model))
    content, known = build(model, as_examples(model.model, probes)), expected(model.model, probes)
    labels, found = predictions(Recalculated(content), model.model, PROBES)
    assert difference(known, found) < tolerance
    if model.model.target.labels is not None:
        assert labels == [[model.model.target.labels[best]] for best in known.argmax(axis=1)]
    if model.model.spec.is_multi_label:
        assert labels == (known >= 0.5).tolist()
    check_shown(content)


def check_shown(content: bytes) -> None:
    """The results that the file has are those that are computed again."""
    shown, book = load_workbook(io.BytesIO(content)), Recalculated(content)
    for name in shown.sheet_names:
        for row, cells in enumerate(shown.get_sheet_by_name(name).to_python(skip_empty_area=False), 1):
            for column, cell in enumerate(cells, 1):
                now = book.cell(name, row, column)
                if isinstance(cell, float):
                    assert now == pytest.approx(cell, rel=1e-9, abs=1e-9), (name, row, column)
                elif name != "input":
                    assert ("" if now is None else now) == cell, (name, row, column)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_network_is_recalculated_to_the_same(learner: Learner, name: str) -> None:
    check(trained(learner, OPTIONS[name]), TOLERANCE.get(name, 1e-6))


@pytest.mark.parametrize("name", OPTIONS)
def test_a_network_in_float64_is_recalculated_to_the_same(learner: Learner, name: str) -> None:
    check(trained(learner, IN_FLOAT64[name]), 1e-9)


@pytest.mark.parametrize("kind", NEURONS)
def test_a_neuron_is_recalculated_to_the_same(tmp_path: Path, kind: str) -> None:
    check(neuron(tmp_path, kind), 1e-9)


@pytest.mark.parametrize("sample", [each.name for each in list_samples()])
def test_every_sample_is_recalculated_to_the_same(tmp_path: Path, sample: str) -> None:
    learner = Learner(tmp_path, sample=sample)
    plan = learner.plan(learner.info.columns[-1].name, epochs=1, validation_fraction=0.0, dtype="float64")
    check(exported(learner.trained(plan)), 1e-9)


@pytest.mark.parametrize("name", ["classes", "robust", "clipped"])
def test_the_examples_are_typical_rows(learner: Learner, name: str) -> None:
    model = trained(learner, IN_FLOAT64[name])
    content, examples = write(model), example_rows(model.model)
    known = model.model.outputs(model.model.encoder.transform(examples.table))
    _, found = predictions(Recalculated(content), model.model, ROWS)
    assert found == pytest.approx(np.column_stack([each.values.to_numpy(False) for each in known[-found.shape[1] :]]))
    for column, unlike in model.model.encoder.findings(examples.table).items():
        assert not any(mask.any() for mask in unlike), column
    check_shown(content)


def row_of(model: ExportedModel, changes: dict[str, Any]) -> list[float]:
    """The probabilities that the service gives for the first example with these cells."""
    first = {
        "size": 3, "gap": 2, "word": "b", "flag": "no", "day": "2004-05-06", "moment": "2001-03-11T05:30:05",
        "clock": "13:30", "price": 7, "good": "yes", "old": "no",
    }  # fmt: skip
    (found,) = model.model.predict([{**first, **changes}])
    return list(found["probabilities"].values())


@pytest.fixture(scope="module")
def model(learner: Learner) -> ExportedModel:
    """A classifier with a column of each kind, in float64."""
    return trained(learner, IN_FLOAT64["classes"])


@pytest.fixture
def book(model: ExportedModel) -> Recalculated:
    """Its workbook, with the cells of `row_of` in the first example."""
    made = Recalculated(write(model))
    first = {
        "size": 3, "gap": 2, "word": "b", "flag": "no", "day": 38113, "moment": "2001-03-11T05:30:05",
        "clock": 13.5 / 24, "price": 7, "good": "yes", "old": "no",
    }  # fmt: skip
    for name, value in first.items():
        made.change("input", 2, made.find("input", name), value)
    return made


def result(book: Recalculated) -> list[float]:
    """The probabilities of the first example."""
    return [book.cell("output", 3, column) for column in (3, 4, 5)]


@pytest.mark.parametrize(
    ("name", "typed", "sent"),
    [
        ("size", 3, 3),
        ("size", 1e300, 1e300),
        ("size", " 4.5 ", 4.5),
        ("gap", None, None),
        ("gap", "  ", None),
        ("word", "a", "a"),
        ("word", " c ", "c"),
        ("word", "B", "B"),
        ("word", "b*", "b*"),
        ("word", 7, 7),
        ("word", None, None),
        ("flag", True, True),
        ("flag", "YES", "YES"),
        ("flag", " f", "f"),
        ("flag", 0, 0),
        ("flag", 1, 1),
        ("day", "2004-12-31", "2004-12-31"),
        ("day", "1850-02-28", "1850-02-28"),
        ("day", 38352, "2004-12-31"),
        ("day", 36585, "2000-02-29"),
        ("moment", "2000-02-29T23:59:59", "2000-02-29T23:59:59"),
        ("moment", "2000-02-29 23:59", "2000-02-29T23:59:00"),
        ("moment", "2001-03-11T05:30:05.25", "2001-03-11T05:30:05.250000"),
        ("moment", 37000.75, "2001-04-19T18:00:00"),
        ("clock", 0.25, "06:00"),
        ("clock", "23:15:30", "23:15:30"),
        ("clock", "9:30", "09:30"),
        ("clock", "1:30 PM", "13:30"),
        ("clock", "12:05:07 am", "00:05:07"),
        ("size", "1e2", 100),
        ("size", "-2.5E+1", -25),
        ("size", "5e-1", 0.5),
        ("size", "\u00a04.5\t", 4.5),
        ("word", "\u00a0b", "b"),
        ("word", "\tb\n", "b"),
        ("word", "\u00a0 ", None),
        ("gap", "NA", None),
        ("gap", "null", None),
        ("gap", " N/A\u00a0", None),
        ("gap", "-inf", None),
        ("gap", "?", None),
        ("day", "unknown", None),
        ("clock", "#N/A", None),
        ("flag", "NaN", None),
        ("word", "NA", "NA"),
        ("day", "2004-02-29", "2004-02-29"),
        ("day", "2004-08-31\u00a0", "2004-08-31"),
        ("moment", "9999-12-31T23:59:59", "9999-12-31T23:59:59"),
    ],
)
def test_what_is_typed_is_read_as_by_the_service(
    model: ExportedModel, book: Recalculated, name: str, typed: Any, sent: Any
) -> None:
    before = result(book)
    assert before == pytest.approx(row_of(model, {}), rel=1e-9)
    book.change("input", 2, book.find("input", name), typed)
    assert result(book) == pytest.approx(row_of(model, {name: sent}), rel=1e-9)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("size", "three"),
        ("flag", "maybe"),
        ("day", "06/05/2004"),
        ("day", "2004-05-06T10:00Z"),
        ("day", "2004-05-06T10:00+02:00"),
        ("moment", "yesterday"),
        ("clock", "noon"),
        ("size", "2024-01-05"),
        ("size", "50%"),
        ("size", "13:30"),
        ("size", "1/2"),
        ("size", "5 Dec"),
        ("size", "1e"),
        ("size", "1E5%"),
        ("size", "n*"),  # no wildcard
        ("day", "2004-02-31"),
        ("day", "2003-02-29"),
        ("day", "1900-02-29"),
        ("day", "2004-04-31"),
        ("day", "2004-13-01"),
        ("day", "2004-00-10"),
        ("day", "2004-01-00"),
        ("day", "2004-1 -05"),
        ("day", "2004-05-06X10:00"),
        ("day", "2004-05-06t10:00"),
        ("moment", "2004-05-06T25:00"),
        ("moment", "2004-05-06T24:00"),
        ("moment", "2004-05-06T10:99"),
        ("moment", "2004-05-06T10:00:61"),
        ("moment", "2004-05-06T10:00:30."),
        ("clock", "24:00"),
        ("clock", "10:99"),
        ("clock", "13:30 PM"),
        ("clock", "2004-05-06 10:00"),
        ("clock", 1),
        ("clock", 1.5),
        ("clock", -0.25),
    ],
)
def test_what_cannot_be_read_is_an_error_and_no_prediction(
    model: ExportedModel, book: Recalculated, name: str, typed: Any
) -> None:
    if isinstance(typed, str) and not typed.endswith(("Z", "+02:00", "PM")) and "/" not in typed and name != "day":
        with pytest.raises(errors.Invalid):
            row_of(model, {name: typed})
    book.change("input", 2, book.find("input", name), typed)
    assert all(isinstance(each, dict) and each["type"] == "Error" for each in result(book))
    assert isinstance(book.cell("output", 4, 3), float)


def test_a_neuron_takes_nothing_but_0_and_1(tmp_path: Path) -> None:
    book = Recalculated(write(neuron(tmp_path, "mcculloch_pitts")))
    rows = [[book.cell("input", row, column) for column in (2, 3)] for row in range(2, 6)]
    assert sorted(rows) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert [book.cell("output", 3 + row, 2) for row in range(4)] == [str(int(a and b)) for a, b in rows]
    for wrong in (2, None, "x"):
        book.change("input", 2, 2, wrong)
        assert isinstance(book.cell("output", 3, 2), dict)


def test_a_weight_that_is_changed_changes_the_prediction(model: ExportedModel, book: Recalculated) -> None:
    changed = {name: each.copy() for name, each in model.model.theta.items()}
    changed["layers.0.weight"][1, 2] = 0.75
    changed["layers.1.bias"][0] += 1
    book.change("layer 1", 3 + 2, 3 + 1, 0.75)
    book.change("layer 2", 3, 2, changed["layers.1.bias"][0].item())
    other = model._replace(model=replace(model.model, theta=changed))
    assert result(book) == pytest.approx(row_of(other, {}), rel=1e-9)
    assert result(book) != pytest.approx(row_of(model, {}), rel=1e-3)


def test_there_is_no_formula_that_a_name_or_a_level_wrote(tmp_path: Path) -> None:
    table = "=1+1,word,y\n" + "".join(
        f"{n % 9 * 1.5},{('=2+2', '@SUM(A1)', '-77')[n % 3]},{('=4+4', 'no')[n % 2]}\n" for n in range(40)
    )
    learner = Learner(tmp_path, table)
    content = write(exported(learner.trained(learner.plan("y", epochs=1))))
    check_shown(content)
    files = zipfile.ZipFile(io.BytesIO(content))
    formulas = [
        each for name in files.namelist() for each in re.findall(r"<f>(.*?)</f>", files.read(name).decode("utf-8"))
    ]
    assert formulas
    assert not [
        each for each in formulas if re.search(r"1\+1|2\+2|-77|4\+4|@SUM", re.sub(r"\$?[A-Z]+\$?\d+|'.*?'!", "", each))
    ]
    assert not [name for name in files.namelist() if "external" in name.lower() or "vba" in name.lower()]
    book = Recalculated(content)
    assert book.find("input", "=1+1")
    assert {book.cell("output", 3 + row, 2) for row in range(ROWS)} <= {"=4+4", "no"}
