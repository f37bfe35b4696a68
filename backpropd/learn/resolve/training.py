"""How a feed-forward network is trained: every `auto` of `training` is decided."""

import math
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any

from backpropd import errors, nn
from backpropd.errors import Problem, pointer
from backpropd.learn.network_kinds.feedforward import FeedforwardSpec, FeedforwardTraining
from backpropd.learn.request import TrainingOptions, TrainingRequest
from backpropd.learn.resolve.columns import labels_of
from backpropd.learn.resolve.plan import Limits
from backpropd.learn.resolve.split import Split
from backpropd.nn.feedforward.losses import Loss
from backpropd.nn.training.training_config import check_full_batch
from backpropd.tabular import ColumnInfo
from backpropd.tabular.table import class_label


def resolve_training(
    request: TrainingRequest, loss: Loss, task: str, split: Split, limits: Limits
) -> FeedforwardTraining:
    """Every field of training, of a request with a preset's values.

    Raises `errors.Invalid` for what the rows or the limits do not allow.
    """
    optimizer, schedule, epochs = request.optimizer, request.schedule, request.epochs
    assert optimizer is not None and schedule is not None and epochs is not None  # noqa: S101, PT018 - filled in
    full_batch = optimizer.full_batch
    return FeedforwardTraining(
        **{each.name: getattr(request, each.name) for each in fields(TrainingOptions)},
        loss=loss,
        preset=request.preset,
        label_smoothing=request.label_smoothing or 0.0,
        optimizer=optimizer,
        schedule=schedule,
        l2=request.l2 or 0.0,
        weight_decay=optimizer.default_weight_decay if request.weight_decay is None else request.weight_decay,
        epochs=check_epochs(epochs, limits),
        batch_size=_batch_size(request.batch_size, split),
        validation_fraction=split.fraction,
        early_stopping=_early_stopping(request.early_stopping, split),
        refit=bool(request.refit),
        ensemble_size=request.ensemble_size or 1,
        feature_scaling=request.feature_scaling,
        target_scaling=request.target_scaling,
        clip_predictions=_clips(request, task) if request.clip_predictions is None else request.clip_predictions,
        metrics_every=1 if isinstance(request.metrics_every, str) else request.metrics_every,
        seed=resolve_seed(request.seed),
        dtype=request.dtype,
        engine=("numpy" if full_batch else "numba") if request.engine == "auto" else request.engine,
    )


def _clips(request: TrainingRequest, task: str) -> bool:
    """Whether predictions stay within the range of the training rows; unscaled outputs are shown as they are."""
    return task == "regression" and request.target_scaling != "none"


def check_epochs(epochs: int, limits: Limits) -> int:
    """The epochs. Raises `errors.Invalid` for more than the limit."""
    if epochs > limits.epochs:
        raise errors.Invalid(f"at most {limits.epochs} epochs are trained here", pointer="/training/epochs")
    return epochs


def resolve_seed(requested: int | None) -> int:
    """The seed; a random one if none was requested."""
    return secrets.randbelow(2**31) if requested is None else requested


def _batch_size(requested: int | str | None, split: Split) -> int | str:
    assert requested is not None  # noqa: S101 - filled in
    if isinstance(requested, int) and requested > split.available:
        detail = f'a batch of {requested} is larger than the {split.available} usable rows: lower it, or use "full"'
        raise errors.Invalid(detail, pointer="/training/batch_size")
    return requested


def _early_stopping(requested: Mapping[str, Any] | None, split: Split) -> nn.EarlyStopping | None:
    if requested is None:
        return None
    monitor = requested.get("monitor") or ("validation_loss" if split.validation else "loss")
    if monitor != "loss" and not split.validation:
        detail = "there are no validation rows to monitor: set validation_fraction, or monitor the loss"
        raise errors.Invalid(detail, pointer="/training/early_stopping/monitor")
    return nn.EarlyStopping(**{**requested, "monitor": monitor})


def check_optimizer(spec: FeedforwardSpec, width: int, split: Split) -> None:
    """Raises `errors.Invalid` for options that an optimizer over full batches does not support."""
    try:
        check_full_batch(spec.network_spec(width), spec.training.config(split.training), split.training)
    except errors.Invalid as error:
        raise errors.Invalid(error.detail, pointer="/training/optimizer") from error


def check_class_weight(spec: FeedforwardSpec, targets: Sequence[ColumnInfo], learned: Collection[str] | None) -> None:
    """Raises `errors.Invalid` for labels that are not classes; `learned` are those of the model of a warm start.

    Without such a model the classes are those that the table's description lists. It does not list the values of a
    column of numbers: there a label is rejected that cannot be one of them, and the run rejects the others.
    """
    weights = spec.training.class_weight
    if not isinstance(weights, Mapping):
        return
    classes = labels_of(targets[0]) if learned is None else learned
    problems = [
        Problem(pointer("training", "class_weight", label), f"{label!r} is no class: {why}")
        for label in weights
        if (why := _why_no_class(label, targets[0], classes))
    ]
    if problems:
        raise errors.Invalid.from_problems(problems)


def _why_no_class(label: str, info: ColumnInfo, classes: Collection[str] | None) -> str | None:
    """Why a label is none of the classes, or cannot be one of a column's numbers; None if it may be one."""
    if classes is not None:
        return None if label in classes else f"they are {', '.join(sorted(classes)[:20])}"
    if info.kind != "number":
        return None
    try:
        value = float(label)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        return f"the target {info.name!r} holds numbers"
    if label != class_label(value):
        return f"write this number {class_label(value)!r}"
    low, high = info.statistics["min"], info.statistics["max"]
    if not low <= value <= high:
        return f"the target {info.name!r} lies between {class_label(low)} and {class_label(high)}"
    if info.statistics["whole"] and not value.is_integer():
        return f"the target {info.name!r} holds whole numbers"
    return None
