"""The inputs of a typical row: every column at its mean."""

import numpy as np

from backpropd.learn.model import Model
from backpropd.nn.layout import Array
from backpropd.tabular import ColumnInfo
from backpropd.tabular.column_encoders import ColumnEncoder, Cyclic, OneHot
from backpropd.tabular.columns import BOOLEAN_CELLS
from backpropd.tabular.table import CategoricalColumn


def mean_inputs(model: Model) -> Array:
    """The inputs (width,) of the mean of each column, in float64.

    A number or boolean is at its mean in the dataset, which for a boolean is the share of true; where the model does
    not know it, and for a date, at its center in the training rows. A sine and a cosine of a cycle are 0, their mean
    over whole cycles. A category is the mean of its levels' inputs, by their frequency in the training rows. No value
    is missing.
    """
    columns = zip(model.encoder.infos, model.encoder.column_encoders, strict=True)
    return np.concatenate([_of_column(info, encoder) for info, encoder in columns])


def _of_column(info: ColumnInfo, encoder: ColumnEncoder) -> Array:
    if isinstance(encoder, OneHot):
        return _of_category(encoder)
    out = np.empty((1, encoder.width))
    encoder.write(np.array([_mean(info, encoder.mean)]), out)
    if isinstance(encoder, Cyclic):
        out[:, encoder.width - 2 * len(encoder.cycles) :] = 0
    inputs: Array = out[0]
    return inputs


def _of_category(encoder: OneHot) -> Array:
    levels = encoder.levels
    out = np.empty((len(levels), encoder.width))
    encoder.write(CategoricalColumn(np.arange(len(levels), dtype=np.int32), levels), out)
    shares = encoder.frequencies or [1 / len(levels)] * len(levels)  # older models do not know them
    return np.asarray(np.asarray(shares) @ out) if levels else np.zeros(encoder.width)


def _mean(info: ColumnInfo, center: float) -> float:
    if info.kind == "boolean" and (levels := info.statistics.get("levels")):
        counts: list[tuple[bool, int]] = [(BOOLEAN_CELLS[level["value"].lower()], level["count"]) for level in levels]
        return sum(count for is_true, count in counts if is_true) / sum(count for _, count in counts)
    mean = info.statistics.get("mean") if info.kind == "number" else None
    return center if mean is None else float(mean)
