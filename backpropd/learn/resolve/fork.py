"""A fork: the spec of a job that continues from a snapshot of another one, with other settings of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backpropd import errors
from backpropd.errors import Problem, pointer
from backpropd.learn.json_fields import from_named
from backpropd.learn.network_kinds.base import ResolvedSpec
from backpropd.learn.network_kinds.feedforward import FeedforwardSpec
from backpropd.learn.network_kinds.threshold import ThresholdSpec
from backpropd.learn.request import TrainingRequest
from backpropd.learn.resolve.feedforward import complete
from backpropd.learn.resolve.plan import Context, Plan
from backpropd.learn.resolve.split import resolve_split
from backpropd.learn.resolve.threshold import complete_threshold
from backpropd.learn.resolve.training import resolve_training
from backpropd.learn.resolve.warm_start import PreviousModel
from backpropd.nn import OPTIMIZERS

CHANGEABLE = frozenset(
    {
        "optimizer", "schedule", "warmup_epochs", "l1", "l2", "weight_decay", "max_norm", "label_smoothing",
        "gradient_clip_norm", "gradient_clip_value", "epochs", "batch_size", "early_stopping", "max_seconds",
        "target_loss", "metrics_every", "snapshots", "keep_optimizer_state", "engine",
    }
)  # fmt: skip
# Where null means off, and where "auto" is decided anew; elsewhere both stand for the parent's value.
NULLABLE = frozenset(
    {
        "early_stopping",
        "max_norm",
        "gradient_clip_norm",
        "gradient_clip_value",
        "max_seconds",
        "target_loss",
        "snapshots",
    }
)
DECIDABLE = frozenset({"snapshots", "metrics_every", "engine"})
_SPLIT = "the rows were split into training and validation rows before the fork"
_MEASURED = "the loss before the fork and after it would not be the same quantity"
_ENCODED = "columns and targets were encoded before the fork"
_AGAIN = "a refit starts anew, and would not continue from the snapshot"
WHY_FIXED = {
    "seed": "the rows were split, and theta was drawn, with this seed before the fork",
    "dtype": "the parameters of the snapshot are numbers of this type",
    "loss": _MEASURED,
    "validation_fraction": _SPLIT,
    "validation_dataset_id": _SPLIT,
    "validation_column": _SPLIT,
    "class_weight": _MEASURED,
    "sample_weight": _MEASURED,
    "feature_scaling": _ENCODED,
    "target_scaling": _ENCODED,
    "clip_predictions": _ENCODED,
    "refit": _AGAIN,
    "ensemble_size": _AGAIN,
    "warm_start_model_id": "training has started already, from the parameters of the snapshot",
    "keep_path": "a path begins at the start of training",
    "preset": "it fills in what a request leaves out, and here that is the parent's",
}


def resolve_fork(spec: ResolvedSpec, changes: Mapping[str, Any], epoch: int, context: Context) -> Plan:
    """The plan of a job that continues after `epoch` of a job with this spec.

    `changes` are fields of `training`; each takes the place of the parent's, as a whole. Raises `errors.Invalid` and
    its subclasses, each with the pointer of what is wrong in the request.
    """
    changes = {name: value for name, value in changes.items() if _is_stated(name, value)}
    before = spec.training.to_json()
    _check_changeable(changes, before)
    context = context.with_kinds(spec.kinds)
    if isinstance(spec, FeedforwardSpec):
        plan = _feedforward(spec, {**before, **_with_consequences(spec, changes)}, context)
    elif isinstance(spec, ThresholdSpec):
        plan = complete_threshold(spec, {**before, **changes}, context)
    else:
        raise TypeError(f"unknown kind of spec {type(spec)}")
    if plan.spec.training.epochs <= epoch:
        detail = f"training ends after epoch {plan.spec.training.epochs}, and the fork would begin with {epoch + 1}"
        where = "/training/epochs" if "epochs" in changes else "/epoch"
        raise errors.Invalid(f"{detail}: fork an earlier epoch, or request more epochs", pointer=where)
    return plan


def _is_stated(name: str, value: Any) -> bool:
    return (value is not None or name in NULLABLE) and (value != "auto" or name in DECIDABLE)


def _check_changeable(changes: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Raises `errors.Invalid` for fields that a fork has from its parent, unless they name the same value."""
    problems = [
        Problem(pointer("training", name), f"{WHY_FIXED[name]}: leave {name} out, or post a new job")
        for name, value in changes.items()
        if name not in CHANGEABLE and value != before.get(name)
    ]
    if problems:
        raise errors.Invalid.from_problems(problems)


def _with_consequences(spec: FeedforwardSpec, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes, and what another optimizer brings with it where they do not say: its weight decay, full batches."""
    if "optimizer" not in changes:
        return {**changes}
    optimizer = from_named(OPTIMIZERS, changes["optimizer"])
    if type(optimizer) is type(spec.training.optimizer):
        return {**changes}
    full = {"batch_size": "full", "engine": "numpy"} if optimizer.full_batch else {}
    return {"weight_decay": optimizer.default_weight_decay, **full, **changes}


def _feedforward(spec: FeedforwardSpec, training: Mapping[str, Any], context: Context) -> Plan:
    request = TrainingRequest.from_json(training)
    split = resolve_split(request, context.table, spec.target, context.validation_table)
    resolved = resolve_training(request, spec.training.loss, spec.task, split, context.limits)
    before = PreviousModel.from_json(context.warm_start) if context.warm_start else None
    return complete(replace(spec, training=resolved), request, split, context, before)
