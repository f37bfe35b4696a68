"""A whole model as a readable Python script that needs NumPy alone."""

import base64
import math
from collections.abc import Iterator, Mapping
from importlib import resources
from pprint import pformat
from typing import Any

import numpy as np

from backpropd.export.exported_model import ExportedModel
from backpropd.export.network_layers import PlainLayer, layers_of
from backpropd.export.word_inputs import word_inputs
from backpropd.learn import Model
from backpropd.nn.layout import Array
from backpropd.tabular import ColumnInfo
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.column_encoders import ColumnEncoder, Cyclic, Scaled
from backpropd.tabular.derived import DerivedFeature

WRITTEN_OUT = 200  # numbers of an array that are written as such; of more the bytes are
MARKER = "# <functions>\n"


def write(exported: ExportedModel) -> bytes:
    """The script, in UTF-8."""
    model, record = exported.model, exported.record
    template = resources.files("backpropd.export").joinpath("script_template.txt").read_text("utf-8")
    head, _, functions = template.partition(MARKER)
    title = f"The model {record['id']}, exported from backpropd; the sha256 of its weights is {record['sha256']}."
    pairs = zip(model.encoder.infos, model.encoder.column_encoders, strict=True)
    sources = {info.name: info for info in model.encoder.column_infos}
    derived = {name: _derived(each, sources) for name, each in model.encoder.derived.items()}
    columns = [_column(*each) | derived.get(each[0].name, {}) for each in pairs]
    filled = head.format(
        title=title,
        file="model.py",
        dtype=model.spec.training.dtype,
        columns=pformat(columns, width=110, sort_dicts=False),
        layers=_layers(layers_of(model)),
        target=pformat(_target(model), width=110, sort_dicts=False),
    )
    return (filled + functions).encode()


def _column(info: ColumnInfo, encoder: ColumnEncoder) -> dict[str, Any]:
    if info.kind in ("category", "boolean"):
        words = word_inputs(info, encoder)
        return {"name": info.name, "table": words.by_word, "unseen": words.unseen, "any_case": words.any_case}
    assert isinstance(encoder, Scaled)  # noqa: S101 - for the type checker
    return {
        "name": info.name,
        "is_date": info.kind == "date",
        "mean": encoder.mean,
        "std": encoder.std,
        "smooth": encoder.smooth,
        "indicator": encoder.indicator,
        "cycles": list(encoder.cycles) if isinstance(encoder, Cyclic) else [],
        "missing_numbers": _missing_numbers(info),
    }


def _derived(feature: DerivedFeature, sources: Mapping[str, ColumnInfo]) -> dict[str, Any]:
    """What a derived feature has beside the fields of a column of numbers."""
    columns = [{"name": name, "missing_numbers": _missing_numbers(sources[name])} for name in feature.columns]
    return {"operation": feature.operation, "columns": columns}


def _missing_numbers(info: ColumnInfo) -> list[float]:
    return list(filter(math.isfinite, Markers.of(info.statistics.get("markers")).numbers))


def _layers(layers: list[PlainLayer]) -> str:
    """A list of dicts, as Python."""
    return "[\n" + "".join(f"    {{\n{''.join(_fields(layer))}    }},\n" for layer in layers) + "]"


def _fields(layer: PlainLayer) -> Iterator[str]:
    for name, value in layer._asdict().items():
        if isinstance(value, np.ndarray):
            yield f"        {name!r}: {_array(value)},\n"
        elif value is not None or name == "normalization":
            yield f"        {name!r}: {value!r},\n"


def _array(value: Array) -> str:
    if value.size <= WRITTEN_OUT:
        return f"np.array({value.tolist()}, DTYPE)"
    data = base64.b64encode(value.astype(value.dtype.newbyteorder("<")).tobytes()).decode()
    return f'array("{data}", {value.shape})'


def _target(model: Model) -> dict[str, Any]:
    if model.spec.is_multi_label:
        return {"kind": "labels", "names": list(model.spec.target)}
    target = model.target
    if target.labels is not None:
        return {"kind": "classes", "names": target.labels}
    count = len(target.names)
    low, high = target.bounds or ([-1.7e308] * count, [1.7e308] * count)
    return {
        "kind": "values",
        "names": target.names,
        "offset": target.offset,
        "scale": target.scale,
        "low": low,
        "high": high,
    }
