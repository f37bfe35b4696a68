"""The arrays of a run: the table is split, encoders are fitted on the training set alone, both sets are encoded.

Columns are read a few at a time and written straight into the two sets, so that memory holds no other array of
their size.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd import errors, tabular
from backpropd.learn.network_kinds.base import ResolvedSpec
from backpropd.learn.tables import Source, is_boolean
from backpropd.nn import Batch
from backpropd.nn.layout import Array
from backpropd.tabular import FeatureEncoder, Table, TargetEncoder

Indices = NDArray[np.intp]


class Encoders(NamedTuple):
    """The encoders of the features and of the targets."""

    features: FeatureEncoder
    target: TargetEncoder


def prepare(
    spec: ResolvedSpec,
    source: Source,
    rng: np.random.Generator,
    validation: Source | None = None,
    encoders: Encoders | None = None,
) -> tuple[Encoders, Batch, Batch | None]:
    """The encoders, the training set and the validation set of a resolved spec; with `encoders` nothing is fitted.

    Raises `errors.Invalid` and its subclasses for problems that the table's description does not show.
    """
    table = _open(spec, source)
    target, rows, ys, weights = _targets(spec, source, table, rng, encoders.target if encoders else None)
    features = encoders.features if encoders else _fit_features(spec, source, table, rows[0])
    xs = features.transform_subsets(table, rows)
    training_set, validation_set = (Batch(*each) for each in zip(xs, ys, weights, strict=True))
    fitted = Encoders(features, target)
    if validation is not None:
        return fitted, training_set, _validation_table(spec, validation, fitted)
    return fitted, training_set, validation_set if len(validation_set.x) else None


def _targets(
    spec: ResolvedSpec, source: Source, table: Table, rng: np.random.Generator, known: TargetEncoder | None
) -> tuple[TargetEncoder, list[Indices], list[Array], list[Array | None]]:
    """The encoder of the targets, and for both sets the rows of the table, the encoded targets, and the weights."""
    rows = table.complete_rows(spec.target)
    targets = table.take(rows, spec.target)
    known = known or _class_encoder(spec, source, targets)
    codes = None if known is None or known.labels is None else known.encode(targets)
    training, held_out = _split(spec, table, rows, rng, codes)
    infos = [source.columns[name] for name in spec.target]
    target = known or TargetEncoder.fit_scaling(
        targets, infos, training, spec.target_scaling, clip=spec.training.clip_predictions
    )
    y = encode_target(spec, target, targets)
    weight = _column_weight(spec, table, rows)
    weights = [
        _scaled_weight(spec, _with_class_weight(spec, weight, target, codes, training), training),
        _scaled_weight(spec, weight, held_out) if len(held_out) else None,
    ]
    return target, [rows[training], rows[held_out]], [y[training], y[held_out]], weights


def encode_target(spec: ResolvedSpec, target: TargetEncoder, table: Table) -> Array:
    """The targets as the loss takes them: class indices (n,), 0 and 1 (n, outputs), one-hot or scaled (n, outputs)."""
    encoded = target.encode(table)
    dtype, outputs = spec.training.dtype, spec.network.outputs
    if target.labels is None:
        return encoded.astype(dtype)
    if outputs == 1:
        return encoded.astype(dtype).reshape(-1, 1)
    return encoded if spec.takes_class_indices else np.eye(outputs, dtype=dtype)[encoded]


def _open(spec: ResolvedSpec, source: Source) -> Table:
    others = (spec.training.sample_weight, spec.training.validation_column)
    names = [*spec.target, *(name for name in others if name and name in source.columns), *spec.columns]
    return source.read(names)


def _fit_features(spec: ResolvedSpec, source: Source, table: Table, rows: Indices) -> FeatureEncoder:
    infos, derived, sources = tabular.plan_features(spec.features, source.columns)
    dtype, scaling = np.dtype(spec.training.dtype), spec.training.feature_scaling
    encoder = FeatureEncoder.fit(table, infos, rows, dtype, scaling, derived=derived, sources=sources)
    if spec.network.scales_booleans:
        return encoder
    return encoder.without_scaling(info.name for info in infos if is_boolean(info))


def _validation_table(spec: ResolvedSpec, source: Source, encoders: Encoders) -> Batch:
    """The validation set that is a table of its own."""
    table = _open(spec, source)
    rows = table.complete_rows(spec.target)
    if not len(rows):
        raise errors.EmptyDataset("the validation dataset has no row with a target: choose another")
    y = encode_target(spec, encoders.target, table.take(rows, spec.target))
    (x,) = encoders.features.transform_subsets(table, [rows])
    return Batch(x, y, _scaled_weight(spec, _column_weight(spec, table, rows), np.arange(len(rows))))


def _class_encoder(spec: ResolvedSpec, source: Source, targets: Table) -> TargetEncoder | None:
    """The encoder of the classes; None where there are none, or each target is true or false by itself.

    A boolean function has two classes, though the table may hold one of them alone.
    """
    if spec.task != "classification" or spec.is_multi_label:
        return None
    info = source.columns[spec.target[0]]
    if spec.network.takes_booleans:
        labels = tabular.boolean_labels(info) if info.kind == "boolean" else ["0", "1"]
        return TargetEncoder([info.name], labels, [], [])
    return TargetEncoder.fit_classes(targets, info)


def _split(
    spec: ResolvedSpec, table: Table, rows: Indices, rng: np.random.Generator, classes: Array | None
) -> tuple[Indices, Indices]:
    """The training and the validation set, as indices into `rows`; both have the same shares of `classes` (n,)."""
    if column := spec.training.validation_column:
        training, held_out = tabular.split_by_column(table.columns[column][rows])
    else:
        fraction = spec.training.validation_fraction or 0.0
        training, held_out = tabular.train_validation_split(len(rows), fraction, rng, classes)
    if not len(training):
        raise errors.EmptyDataset("no row is left to train on: each lacks its target, or is a validation row")
    return training, held_out


def _column_weight(spec: ResolvedSpec, table: Table, rows: Indices) -> Array | None:
    """The weights (n,) of the rows in the column `sample_weight`, if one is named."""
    name = spec.training.sample_weight
    if name is None:
        return None
    column = table.columns[name]
    if not isinstance(column, np.ndarray):
        raise errors.UnusableColumn(f"the sample_weight {name!r} holds words: it must be numbers")
    return column[rows]


def _with_class_weight(
    spec: ResolvedSpec, weight: Array | None, target: TargetEncoder, codes: Array | None, training: Indices
) -> Array | None:
    """The weights (n,) times those of the rows' classes, which are balanced by the `training` rows."""
    if (requested := spec.training.class_weight) is None or codes is None:
        return weight
    by_class: Array = _class_weights(requested, target.labels or [], codes[training])[codes]
    return by_class if weight is None else weight * by_class


def _class_weights(requested: str | Mapping[str, float], labels: Sequence[str], codes: Array) -> Array:
    """The weights (classes,); balanced is rows / (classes * rows of the class) (King and Zeng 2001)."""
    if isinstance(requested, str):
        counts = np.bincount(codes, minlength=len(labels))
        return len(codes) / (len(labels) * np.maximum(counts, 1.0))
    if unknown := [label for label in requested if label not in labels]:
        raise errors.Invalid(f"class_weight names {unknown[0]!r}, and the classes are {', '.join(labels[:20])}")
    return np.array([requested.get(label, 1.0) for label in labels])


def _scaled_weight(spec: ResolvedSpec, weight: Array | None, rows: Indices) -> Array | None:
    """The weights of these rows, with a mean of 1."""
    if weight is None:
        return None
    with np.errstate(over="ignore"):
        mean = weight[rows].mean()
    if np.isinf(mean):
        weight = weight / weight.max()
        mean = weight[rows].mean()
    if not mean > 0:
        raise errors.Invalid("every row of the training set or the validation set has the weight 0: nothing to learn")
    return np.asarray(weight[rows] / mean, spec.training.dtype)
