"""Combinations of options that mean nothing, or cannot work, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from backpropd import errors, nn
from backpropd.errors import Problem
from backpropd.learn.kinds.feedforward import FeedforwardSpec, FeedforwardTraining


class Rule(NamedTuple):
    """The pointer of an option, whether a resolved spec breaks the rule, and what to do about it."""

    pointer: str
    broken: Callable[[FeedforwardTraining, FeedforwardSpec], Any]
    detail: str


def _learning_rate(training: FeedforwardTraining) -> float:
    return training.learning_rate or 1.0  # L-BFGS searches its own step


def _scheduled(training: FeedforwardTraining, parameter: str, default: float) -> Any:
    """A parameter of the schedule, or the default where this schedule has no such parameter or it is None."""
    value = getattr(training.schedule, parameter, None)
    return default if value is None else value


def _normalized(spec: FeedforwardSpec, kind: str) -> list[nn.LayerSpec]:
    return [layer for layer in spec.network.hidden if layer.normalization == kind]


def _all_zeros(spec: FeedforwardSpec) -> bool:
    return len(spec.network.layers) > 1 and {str(layer.initializer) for layer in spec.network.layers} == {"zeros"}


SMOOTHING_LOSSES = [name for name, loss in nn.LOSSES.items() if "label_smoothing" in nn.hyperparameters(loss)]

RULES = (
    Rule(
        "/training/label_smoothing",
        lambda training, spec: training.label_smoothing and training.loss.name not in SMOOTHING_LOSSES,
        f"only {' and '.join(SMOOTHING_LOSSES)} smooth labels: use one of these losses, or leave label_smoothing out",
    ),
    Rule(
        "/training/class_weight",
        lambda training, spec: training.class_weight is not None and spec.task == "regression",
        "regression has no classes: use sample_weight",
    ),
    Rule(
        "/training/class_weight",
        lambda training, spec: training.class_weight is not None and spec.is_multi_label,
        "with several targets a row has several labels, and no class of its own: use sample_weight",
    ),
    Rule(
        "/training/class_weight",
        lambda training, spec: (
            isinstance(training.class_weight, Mapping)
            and training.class_weight
            and not any(training.class_weight.values())
        ),
        "every class named here has the weight 0: give one a weight above 0",
    ),
    Rule(
        "/training/optimizer/nesterov",
        lambda training, spec: (
            getattr(training.optimizer, "nesterov", False) and not getattr(training.optimizer, "momentum", 0.0)
        ),
        "Nesterov's momentum needs momentum: set momentum above 0, or leave nesterov out",
    ),
    Rule(
        "/training/weight_decay",
        lambda training, spec: training.weight_decay * _learning_rate(training) >= 1,
        "learning_rate times weight_decay is the share that a step takes off every weight: keep it below 1",
    ),
    Rule(
        "/training/schedule/period",
        lambda training, spec: _scheduled(training, "period", 0) > training.epochs - training.warmup_epochs,
        "the period is longer than the epochs after the warmup: shorten it, or leave it out for one period over all",
    ),
    Rule(
        "/training/schedule/restart_multiplier",
        lambda training, spec: (
            _scheduled(training, "restart_multiplier", 1) > 1 and _scheduled(training, "period", 0) == 0
        ),
        "without a period there is no restart: give a period",
    ),
    Rule(
        "/training/schedule/every",
        lambda training, spec: _scheduled(training, "every", 0) > max(training.epochs - training.warmup_epochs - 1, 0),
        "the first step would come after the last epoch: lower every, or train for more epochs",
    ),
    Rule(
        "/training/schedule/patience",
        lambda training, spec: _scheduled(training, "patience", 0) >= training.epochs,
        "the run ends before the patience does: lower it, or train for more epochs",
    ),
    Rule(
        "/training/schedule/minimum_rate",
        lambda training, spec: _scheduled(training, "minimum_rate", 0) > _learning_rate(training),
        "the learning rate starts below it: lower minimum_rate, or raise the optimizer's learning_rate",
    ),
    Rule(
        "/training/warmup_epochs",
        lambda training, spec: training.warmup_epochs >= training.epochs,
        "the warmup must leave an epoch: lower it, or train for more epochs",
    ),
    Rule(
        "/training/early_stopping/start_epoch",
        lambda training, spec: training.early_stopping and training.early_stopping.start_epoch > training.epochs,
        "the run ends before this epoch: lower start_epoch",
    ),
    Rule(
        "/network/hidden",
        lambda training, spec: training.batch_size == 1 and _normalized(spec, "batch"),
        "a batch of one row has no variance to normalize by: raise batch_size, or normalize by layer",
    ),
    Rule(
        "/network/hidden",
        lambda training, spec: any(layer.units == 1 for layer in _normalized(spec, "layer")),
        "normalized over a single unit, every value is 0: give the layer more units, or normalize by batch",
    ),
    Rule(
        "/network/initializer",
        lambda training, spec: _all_zeros(spec),
        "hidden units whose weights all start at 0 stay equal: choose another initializer for one layer",
    ),
)


def check_combinations(spec: FeedforwardSpec) -> None:
    """Raises `errors.Invalid`, which lists every rule that a resolved spec breaks."""
    broken = [Problem(rule.pointer, rule.detail) for rule in RULES if rule.broken(spec.training, spec)]
    if broken:
        raise errors.Invalid.from_problems(broken)
