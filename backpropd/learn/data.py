"""The arrays of a run: a table is split, the encoders are fitted on the training part alone, both parts are encoded.

Columns are read a few at a time and written straight into the two parts, so that nothing as large as these lies beside
them in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd import errors, nn, tabular
from backpropd.learn.build import Resolved, is_multi_label, loss_name
from backpropd.nn import Batch
from backpropd.tabular import ColumnInfo, FeatureEncoder, Table, TargetEncoder

Array = NDArray[Any]
Indices = NDArray[np.intp]


class Source(NamedTuple):
    """A table on disk: its columns as the store keeps them, and its file."""

    columns: Sequence[Mapping[str, Any]]
    path: Path


class Encoders(NamedTuple):
    """What takes columns to arrays and back."""

    features: FeatureEncoder
    target: TargetEncoder


class Data(NamedTuple):
    """What a run trains on, and the encoders that made it."""

    encoders: Encoders
    training_set: Batch
    validation_set: Batch | None


def prepare(
    spec: Resolved,
    source: Source,
    rng: np.random.Generator,
    validation: Source | None = None,
    encoders: Encoders | None = None,
) -> Data:
    """The data of a resolved spec; with `encoders` nothing is fitted.

    Raises `errors.Invalid` and its kin for what only the values can tell.
    """
    table = _open(spec, source)
    rows = table.complete_rows(spec["target"])
    targets = table.take(rows, spec["target"])
    known = encoders.target if encoders else _classes(spec, source, targets)
    codes = None if known is None or known.labels is None else known.encode(targets)
    fitted, held_out = _split(spec, table, rows, rng, codes)
    target = known or _scaled(spec, source, targets, fitted)
    y = encode_target(spec, target, targets)
    by_table = _weight(spec, table, rows)
    parts = [rows[fitted], rows[held_out]]
    ys = [y[fitted], y[held_out]]
    weights = [
        _mean_one(spec, _with_classes(spec, by_table, target, codes, fitted), fitted),
        _mean_one(spec, by_table, held_out) if len(held_out) else None,
    ]
    del targets, codes, y, by_table, rows, fitted, held_out  # the largest arrays come next
    features = encoders.features if encoders else _fit(spec, source, table, parts[0])
    xs = features.transform_subsets(table, parts)
    training_set, held = (Batch(*each) for each in zip(xs, ys, weights, strict=True))
    made = Encoders(features, target)
    if validation is not None:
        return Data(made, training_set, _another(spec, validation, made))
    return Data(made, training_set, held if len(held.x) else None)


def _fit(spec: Resolved, source: Source, table: Table, rows: Indices) -> FeatureEncoder:
    infos, dtype = _infos(source, spec["features"]), np.dtype(spec["training"]["dtype"])
    return FeatureEncoder.fit(table, infos, rows, dtype)


def _another(spec: Resolved, source: Source, encoders: Encoders) -> Batch:
    """A validation set that is a table of its own."""
    table = _open(spec, source)
    rows = table.complete_rows(spec["target"])
    if not len(rows):
        raise errors.EmptyDataset("the validation dataset has no row with a target: choose another")
    y = encode_target(spec, encoders.target, table.take(rows, spec["target"]))
    (x,) = encoders.features.transform_subsets(table, [rows])
    return Batch(x, y, _mean_one(spec, _weight(spec, table, rows), np.arange(len(rows))))


def encode_target(spec: Resolved, target: TargetEncoder, table: Table) -> Array:
    """The targets as the loss takes them: class indices (n,), 0 and 1 (n, outputs), one-hot or scaled (n, outputs)."""
    encoded = target.encode(table)
    dtype, outputs = spec["training"]["dtype"], spec["network"]["outputs"]
    if target.labels is None:
        return encoded.astype(dtype)
    if outputs == 1:
        return encoded.astype(dtype).reshape(-1, 1)
    if nn.LOSSES[loss_name(spec["training"])].takes_classes:
        return encoded
    return np.eye(outputs, dtype=dtype)[encoded]


def _open(spec: Resolved, source: Source) -> Table:
    training = spec["training"]
    others = [training.get("sample_weight"), training.get("validation_column")]
    known = {column["name"] for column in source.columns}
    names = [*spec["target"], *(name for name in others if name in known), *spec["features"]]
    return Table.read(source.path, names)


def _infos(source: Source, names: Sequence[str]) -> list[ColumnInfo]:
    infos = {column["name"]: ColumnInfo.from_json(column) for column in source.columns}
    return [infos[name] for name in names]


def _classes(spec: Resolved, source: Source, targets: Table) -> TargetEncoder | None:
    """What numbers the classes; None where they are no classes, or each target is a truth of its own."""
    if spec["task"] != "classification" or is_multi_label(spec):
        return None
    return TargetEncoder.fit_classes(targets, _infos(source, spec["target"])[0])


def _scaled(spec: Resolved, source: Source, targets: Table, fitted: Indices) -> TargetEncoder:
    unscaled = is_multi_label(spec) or nn.LOSSES[loss_name(spec["training"])].takes_counts
    scaling = "none" if unscaled else nn.ACTIVATIONS[spec["network"]["output_activation"]].target_scaling
    return TargetEncoder.fit_scaling(targets, _infos(source, spec["target"]), fitted, scaling)


def _split(
    spec: Resolved, table: Table, rows: Indices, rng: np.random.Generator, classes: Array | None
) -> tuple[Indices, Indices]:
    """The training and the validation part, as places in `rows`; `classes` (n,) keep their shares in both."""
    training = spec["training"]
    if column := training.get("validation_column"):
        fitted, held_out = tabular.split_by_column(table.columns[column][rows])
    else:
        fraction = training["validation_fraction"] or 0.0
        fitted, held_out = tabular.train_validation_split(len(rows), fraction, rng, classes)
    if not len(fitted):
        raise errors.EmptyDataset("no row is left to train on: every one lacks its target, or is held out")
    return fitted, held_out


def _weight(spec: Resolved, table: Table, rows: Indices) -> Array | None:
    """What the rows weigh (n,) as the table says, if it does."""
    name = spec["training"].get("sample_weight")
    if name is None:
        return None
    column = table.columns[name]
    if not isinstance(column, np.ndarray):
        raise errors.UnusableColumn(f"the sample_weight {name!r} holds words: it must be numbers")
    return column[rows]


def _with_classes(
    spec: Resolved, weight: Array | None, target: TargetEncoder, codes: Array | None, fitted: Indices
) -> Array | None:
    """What the rows weigh (n,) by the table and by their class (n,); classes weigh as the rows `fitted` have them."""
    wanted = spec["training"].get("class_weight")
    if wanted is None or codes is None:
        return weight
    by_class: Array = _class_weights(wanted, target.labels or [], codes[fitted])[codes]
    return by_class if weight is None else weight * by_class


def _class_weights(wanted: str | Mapping[str, float], labels: Sequence[str], codes: Array) -> Array:
    """What each class weighs (classes,); balanced is rows / (classes * rows of the class) (King and Zeng 2001)."""
    if isinstance(wanted, str):
        counts = np.bincount(codes, minlength=len(labels))
        return len(codes) / (len(labels) * np.maximum(counts, 1.0))
    if unknown := [label for label in wanted if label not in labels]:
        raise errors.Invalid(f"class_weight names {unknown[0]!r}, and the classes are {', '.join(labels[:20])}")
    return np.array([wanted.get(label, 1.0) for label in labels])


def _mean_one(spec: Resolved, weight: Array | None, rows: Indices) -> Array | None:
    if weight is None:
        return None
    mean = weight[rows].mean()
    if not mean > 0:
        raise errors.Invalid("every row of the training or of the validation part weighs 0: nothing can be learned")
    scaled: Array = (weight[rows] / mean).astype(spec["training"]["dtype"])
    return scaled
