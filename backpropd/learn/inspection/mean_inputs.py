"""The inputs of a typical row: every column at its mean."""

from dataclasses import replace

import numpy as np

from backpropd.learn.model import Model
from backpropd.nn.layout import Array
from backpropd.tabular import ColumnInfo
from backpropd.tabular.column_encoders import ColumnEncoder, Cyclic, OneHot, Scaled
from backpropd.tabular.columns import BOOLEAN_CELLS
from backpropd.tabular.table import CategoricalColumn


def mean_inputs(model: Model) -> Array:
    """The inputs (width,) of the mean of each column, in float64.

    A number or boolean is at its mean in the dataset, which for a boolean is the share of true; where the model does
    not know it, and for a date, at its center in the training rows. A sine and a cosine of a cycle are 0, their mean
    over whole cycles. A category is the mean of its levels' inputs, by their frequency in the training rows. No value
    is missing. A derived feature is computed from the means of its columns; where it has no value there, it is at its
    own center.
    """
    encoder = model.encoder
    means = {
        info.name: np.array([_mean(info, each.mean)]) for info, each in encoder.columns if isinstance(each, Scaled)
    }
    derived = {name: float(each.values(means)[0]) for name, each in encoder.derived.items()}
    columns = zip(encoder.infos, encoder.column_encoders, strict=True)
    return np.concatenate([_of_column(info, each, derived.get(info.name, np.nan)) for info, each in columns])


def _of_column(info: ColumnInfo, encoder: ColumnEncoder, derived: float) -> Array:
    """The inputs (width,) of a column at its mean, or of a `derived` feature at this value."""
    if isinstance(encoder, OneHot):
        return _of_category(encoder)
    out = np.empty((1, encoder.width))
    encoder.write(np.array([_mean(info, encoder.mean) if np.isnan(derived) else derived]), out)
    if isinstance(encoder, Cyclic):
        out[:, encoder.width - 2 * len(encoder.cycles) :] = 0
    inputs: Array = out[0]
    return inputs


def _of_category(encoder: OneHot) -> Array:
    """The inputs (width,) of an unseen level, which are this mean."""
    if encoder.frequencies is None:  # an older model does not know them
        encoder = replace(encoder, frequencies=[1 / len(encoder.levels) for _ in encoder.levels])
    unseen = max(encoder.levels, default="") + "?"
    out = np.empty((1, encoder.width))
    encoder.write(CategoricalColumn(np.zeros(1, np.int32), [unseen]), out)
    inputs: Array = out[0]
    return inputs


def _mean(info: ColumnInfo, center: float) -> float:
    if info.kind == "boolean" and (levels := info.statistics.get("levels")):
        counts: list[tuple[bool, int]] = [
            (BOOLEAN_CELLS[word], level["count"])
            for level in levels
            if (word := level["value"].lower()) in BOOLEAN_CELLS  # an imported description may have others
        ]
        total = sum(count for _, count in counts)
        return sum(count for is_true, count in counts if is_true) / total if total else center
    mean = info.statistics.get("mean") if info.kind == "number" else None
    return center if mean is None else float(mean)
