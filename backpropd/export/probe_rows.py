"""Rows of every kind that a model's columns can have, to compare an exported model with the original."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.learn import Model
from backpropd.nn.layout import Array
from backpropd.tabular import ColumnInfo, Table
from backpropd.tabular.column_encoders import ColumnEncoder, OneHot, Scaled
from backpropd.tabular.table import CategoricalColumn, Column

ROWS = 48
EPOCH = datetime(1970, 1, 1)
UNSEEN = "a word that no table has"


class Probes(NamedTuple):
    """Rows as the model takes them, and by column as cells (n,): float32, or texts with dates in ISO 8601."""

    table: Table
    cells: Mapping[str, NDArray[Any]]

    def encoded(self, model: Model) -> Array:
        """The inputs (n, width) of the network."""
        return model.encoder.transform(self.table)


def probe_rows(model: Model) -> Probes:
    """Values in and around the range of training; missing and unseen ones where the model takes them."""
    rng = np.random.default_rng(0)
    columns, cells = dict[str, Column](), dict[str, NDArray[Any]]()
    for info, encoder in model.encoder.columns:
        columns[info.name], cells[info.name] = _column(info, encoder, rng, model.spec.network.takes_booleans)
    return Probes(Table(columns, ROWS), cells)


def _column(
    info: ColumnInfo, encoder: ColumnEncoder, rng: np.random.Generator, only_booleans: bool
) -> tuple[Column, NDArray[Any]]:
    if isinstance(encoder, OneHot) or info.kind == "boolean":
        return _words(encoder.levels if isinstance(encoder, OneHot) else None, rng, only_booleans)
    if only_booleans:
        x = rng.integers(0, 2, ROWS).astype(np.float64)
        return x, x.astype(np.float32)
    return _dates(encoder, rng) if info.kind == "date" else _numbers(encoder, rng)


def _words(levels: list[str] | None, rng: np.random.Generator, only_known: bool) -> tuple[Column, NDArray[Any]]:
    """The levels, a missing value and, except for booleans, an unseen word."""
    known = ["false", "true"] if levels is None else [*levels, UNSEEN]
    codes = rng.integers(0 if only_known else -1, len(known), ROWS).astype(np.int32)
    return CategoricalColumn(codes, known), np.array([*known, ""], object)[codes]


def _numbers(encoder: Scaled, rng: np.random.Generator) -> tuple[Column, NDArray[Any]]:
    x = (encoder.mean + encoder.std * 2 * rng.standard_normal(ROWS)).astype(np.float32)
    x[::7] = np.nan
    return x.astype(np.float64), x


def _dates(encoder: Scaled, rng: np.random.Generator) -> tuple[Column, NDArray[Any]]:
    """Dates from 1900 to 2100 with and without a time, near those of training and anywhere."""
    days = encoder.mean + encoder.std * 2 * rng.standard_normal(ROWS)
    days[::3] = rng.uniform(-25_567, 47_481, len(days[::3]))
    seconds = np.floor(np.clip(days, -25_567, 47_481)) * 86400 + rng.integers(0, 86400, ROWS) * (np.arange(ROWS) % 2)
    texts = [(EPOCH + timedelta(seconds=each)).isoformat().removesuffix("T00:00:00") for each in seconds.tolist()]
    cells, x = np.array(texts, object), seconds / 86400
    cells[::5], x[::5] = "", np.nan
    return x, cells
