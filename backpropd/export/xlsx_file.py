"""A whole model as a spreadsheet of live formulas: raw cells, encoders, a sheet for each layer, predictions."""

import io
from collections.abc import Sequence
from itertools import starmap
from typing import NamedTuple

import numpy as np
from xlsxwriter.workbook import Workbook

from backpropd import errors
from backpropd.export.exported_model import ExportedModel
from backpropd.export.network_layers import PlainLayer, layers_of
from backpropd.export.xlsx_examples import Cell, Examples, example_rows, kind_of
from backpropd.export.xlsx_inputs import FIRST_ROW as FIRST_INPUT
from backpropd.export.xlsx_inputs import PARAMETERS, ExampleBlock, InputSheet
from backpropd.export.xlsx_network import FIRST_UNIT, STATISTICS, LayerSheet
from backpropd.export.xlsx_output import OutputSheet
from backpropd.export.xlsx_sheet import MOST_COLUMNS, MOST_ROWS, Sheet, Styles
from backpropd.export.xlsx_values import MOST_VALUES, ValueReferences, ValueSheet
from backpropd.export.xlsx_words import USUAL_MARKERS, Words, WordSheet, words_of
from backpropd.learn import Model
from backpropd.tabular import FeatureEncoder
from backpropd.tabular.column_encoders import Scaled

FIRST_ROW = 1  # of the examples
MOST_CELLS = 500_000
"""Numbers and formulas of all sheets, with these weights: about 130 MB of memory, and some seconds."""
READING, COMPUTING = 5, 2
"""The weights of a formula that reads a cell, which is long, and of another one."""
MOST_AREA = 4_000_000
"""Rows times columns of all sheets: the writer visits empty cells, too, about a microsecond each."""
SMALLEST = np.finfo(np.float64).tiny
"""What spreadsheets take for 0 is smaller."""


def write(exported: ExportedModel) -> bytes:
    """The file, with typical values as examples. Raises `errors.Invalid` for a model that a spreadsheet cannot hold."""
    return build(exported, example_rows(exported.model))


def build(exported: ExportedModel, examples: Examples) -> bytes:
    """The file with these example rows."""
    model, layers = exported.model, layers_of(exported.model)
    _check(model, layers, examples.table.rows)
    out = io.BytesIO()
    workbook = Workbook(out, {"in_memory": True})
    workbook.set_properties({"title": f"backpropd {exported.record['id']}", "comments": exported.record["sha256"]})
    styles = Styles(workbook)
    names = ["input", "output", "values", "words", "encoded", *(f"layer {n}" for n in range(1, 1 + len(layers)))]
    raw, output, values, words, encoded, *rest = (Sheet(workbook, name) for name in names)
    h = _encoded(model, examples, _Sheets(raw, values, words, encoded), styles)
    inputs: Sequence[str] = model.encoder.names
    for index, (sheet, layer) in enumerate(zip(rest, layers, strict=True), 1):
        units = [f"unit {unit}" for unit in range(1, 1 + len(layer.bias))]
        if index == len(layers):
            units = _output_names(model, len(layer.bias))
        h = LayerSheet(sheet, styles, layer, h, model.spec.training.dtype).write(inputs, units)
        inputs = units
    OutputSheet(output, styles).write(model, h)
    workbook.close()
    return out.getvalue()


class _Sheets(NamedTuple):
    """The sheets up to the network."""

    raw: Sheet
    values: Sheet
    words: Sheet
    encoded: Sheet


def _encoded(model: Model, examples: Examples, sheets: _Sheets, styles: Styles) -> ExampleBlock:
    """Write the raw cells and everything up to the inputs of the network, which it gives."""
    rows, encoder = examples.table.rows, model.encoder
    inputs = encoder.in_float64().transform(examples.table)
    words = WordSheet(sheets.words, styles, rows)
    values = ValueSheet(sheets.values, styles, words, only_booleans=model.spec.network.takes_booleans, rows=rows)
    encoded = InputSheet(sheets.encoded, styles, inputs)
    sheets.raw.freeze(FIRST_ROW, 1)
    sheets.raw.text(0, 0, "example", styles.head)
    for row in range(rows):
        sheets.raw.number(FIRST_ROW + row, 0, row + 1)
    found = dict[str, ValueReferences]()
    for column, (info, each) in enumerate(encoder.columns, 1):
        cells = examples.cells[info.name]
        kind = kind_of(info)
        sheets.raw.text(0, column, info.name, styles.head)
        sheets.raw.widen(column, column, 20 if kind == "date" else 14)
        for row, cell in enumerate(cells, FIRST_ROW):
            _write_raw(sheets.raw, row, column, cell, styles, kind)
        references = [sheets.raw.cell(row, column) for row in range(FIRST_ROW, FIRST_ROW + rows)]
        found[info.name] = values.add(info, each, references, cells, examples.table.columns[info.name])
    for name, feature in encoder.derived.items():
        columns = [found[column].values for column in feature.columns]
        found[name] = values.derive(feature, columns, feature.values(examples.table.columns).tolist())
    for info, each in zip(encoder.infos, encoder.column_encoders, strict=True):
        encoded.add(each.names(info.name), each, found[info.name])
    return encoded.block


def _write_raw(sheet: Sheet, row: int, column: int, cell: Cell, styles: Styles, kind: str) -> None:
    style = styles.inputs[kind]
    if cell is None:
        sheet.blank(row, column, style)
    elif isinstance(cell, str):
        sheet.text(row, column, cell, style)
    else:
        sheet.number(row, column, cell, style)


def _output_names(model: Model, count: int) -> list[str]:
    """What each output is; the one output of two classes is the second."""
    names = model.target.labels or model.target.names or list(model.spec.target)
    return list(names[-count:])


def _check(model: Model, layers: Sequence[PlainLayer], rows: int) -> None:
    """Raise `errors.Invalid` for a model that is too large for a spreadsheet, or has a number that it lacks."""
    pairs = list(zip(model.encoder.infos, model.encoder.column_encoders, strict=True))
    for info, encoder in pairs:
        if isinstance(encoder, Scaled) and encoder.std < SMALLEST:
            _refuse(f"the deviation of {info.name!r} is {encoder.std}, which a spreadsheet takes for 0")
    sizes = [_words_size(list(starmap(words_of, model.encoder.columns)), rows), _inputs_size(model.encoder, rows)]
    sizes += [_layer_size(layer, rows) for layer in layers]
    for name, limit, found in (
        ("columns in a sheet", MOST_COLUMNS, max(each.columns for each in sizes)),
        ("rows in a sheet", MOST_ROWS, max(each.rows for each in sizes)),
        ("numbers and weighted formulas", MOST_CELLS, sum(each.cells for each in sizes)),
        ("cells, empty ones included", MOST_AREA, sum(each.rows * each.columns for each in sizes)),
    ):
        if found > limit:
            _refuse(f"the limit of a spreadsheet is {limit} {name}, and this model needs about {found}")


class _Size(NamedTuple):
    """Upper bounds of what sheets need; `cells` has the weights of formulas."""

    rows: int
    columns: int
    cells: int


def _words_size(words: Sequence[Words], rows: int) -> _Size:
    count = sum(len(each.codes) + len(each.padded_codes) + len(each.numeric_markers) for each in words)
    usual = len(USUAL_MARKERS) if any(each.usual_markers for each in words) else 0
    return _Size(usual + count + 1, 3 + rows, 2 * usual + count * (3 + COMPUTING * rows))


def _inputs_size(encoder: FeatureEncoder, rows: int) -> _Size:
    """The raw cells, their values and the inputs."""
    columns = sum(MOST_VALUES[kind_of(info)] for info in encoder.column_infos) + len(encoder.derived)
    cells = (
        len(encoder.columns) * (1 + rows)
        + columns * (1 + READING * rows)
        + encoder.width * (1 + len(PARAMETERS) + COMPUTING * rows)
    )
    return _Size(FIRST_INPUT + rows, 1 + max(columns, encoder.width), cells)


def _layer_size(layer: PlainLayer, rows: int) -> _Size:
    fan_in, units = layer.weight.shape
    blocks = 2 + (layer.normalization is not None) + (layer.activation == "softmax")
    cells = units * (2 + len(STATISTICS) + fan_in + blocks * COMPUTING * rows)
    return _Size(FIRST_UNIT + units + (blocks + 1) * (rows + 3), 2 + len(STATISTICS) + max(fan_in, units), cells)


def _refuse(detail: str) -> None:
    raise errors.Invalid(f"{detail}: request onnx, python or safetensors", pointer="/format")
