"""Combinations of options of a feed-forward network that are invalid, each with the reason."""

from collections.abc import Iterator, Mapping
from typing import Any

from backpropd import errors, nn
from backpropd.errors import Problem
from backpropd.learn.network_kinds.feedforward import FeedforwardSpec, FeedforwardTraining
from backpropd.learn.request import TrainingRequest
from backpropd.learn.resolve.presets import why_no_refit
from backpropd.nn.training.training_config import NTK_NEEDS

SMOOTHING_LOSSES = [name for name, loss in nn.LOSSES.items() if "label_smoothing" in nn.hyperparameters(loss)]


def check_combinations(spec: FeedforwardSpec, requested: TrainingRequest) -> None:
    """Raises `errors.Invalid`, which lists every rule that a resolved spec, or the requested training, breaks."""
    training = spec.training
    broken = [
        *_classes(spec),
        *_optimizer(training),
        *_schedule(training),
        *_epochs(spec, requested),
        *_scaling(spec),
        *_layers(spec),
    ]
    if broken:
        raise errors.Invalid.from_problems([Problem(pointer, detail) for pointer, detail in broken])


def _classes(spec: FeedforwardSpec) -> Iterator[tuple[str, str]]:
    training, weights, pointer = spec.training, spec.training.class_weight, "/training/class_weight"
    if training.label_smoothing and training.loss.name not in SMOOTHING_LOSSES:
        losses = " and ".join(SMOOTHING_LOSSES)
        detail = f"only {losses} smooth labels: use one of these losses, or leave label_smoothing out"
        yield "/training/label_smoothing", detail
    if weights is not None and spec.task == "regression":
        yield pointer, "regression has no classes: use sample_weight"
    if weights is not None and spec.is_multi_label:
        yield pointer, "with several targets a row has several labels, and no class of its own: use sample_weight"
    if isinstance(weights, Mapping) and weights and not any(weights.values()):
        yield pointer, "every class named here has the weight 0: give one a weight above 0"


def _optimizer(training: FeedforwardTraining) -> Iterator[tuple[str, str]]:
    optimizer = vars(training.optimizer)
    if optimizer.get("nesterov") and not optimizer.get("momentum"):
        detail = "Nesterov's momentum needs momentum: set momentum above 0, or leave nesterov out"
        yield "/training/optimizer/nesterov", detail
    if training.weight_decay * _learning_rate(training) >= 1:
        detail = "learning_rate times weight_decay is the fraction that a step takes off each weight: keep it below 1"
        yield "/training/weight_decay", detail


def _learning_rate(training: FeedforwardTraining) -> float:
    return training.learning_rate or 1.0  # L-BFGS searches its own step


def _schedule(training: FeedforwardTraining) -> Iterator[tuple[str, str]]:
    schedule: dict[str, Any] = {name: value or 0 for name, value in vars(training.schedule).items()}
    pointer, epochs = "/training/schedule", training.epochs - training.warmup_epochs
    period = schedule.get("period", 0)
    if period > epochs:
        detail = "the period is longer than the epochs after the warmup: shorten it, or leave it out for one period"
        yield f"{pointer}/period", detail
    if schedule.get("restart_multiplier", 1) > 1 and not period:
        yield f"{pointer}/restart_multiplier", "without a period there is no restart: give a period"
    if schedule.get("every", 0) > max(epochs - 1, 0):
        detail = "the first step would come after the last epoch: lower every, or train for more epochs"
        yield f"{pointer}/every", detail
    if schedule.get("patience", 0) >= training.epochs:
        yield f"{pointer}/patience", "the patience is not shorter than the run: lower it, or train for more epochs"
    if schedule.get("minimum_rate", 0) > _learning_rate(training):
        detail = "the initial learning rate is below it: lower minimum_rate, or raise the optimizer's learning_rate"
        yield f"{pointer}/minimum_rate", detail


def _scaling(spec: FeedforwardSpec) -> Iterator[tuple[str, str]]:
    requested, pointer = spec.training.target_scaling, "/training/target_scaling"
    if requested in ("auto", "none") or requested == spec.target_scaling:
        return
    why = "has classes" if spec.task == "classification" else f"learns counts by {spec.training.loss.name}"
    yield pointer, f"a network that {why} takes its targets as they are: leave target_scaling out"


def _epochs(spec: FeedforwardSpec, requested: TrainingRequest) -> Iterator[tuple[str, str]]:
    training, task = spec.training, spec.task
    if training.refit and not training.early_stopping:
        yield "/training/refit", "without early_stopping the best number of epochs is unknown: request it too"
    if training.refit and (why := why_no_refit(requested)):
        yield "/training/refit", f"the network is not trained again on all rows: {why}"
    if training.ensemble_size > 1 and not training.refit:
        yield "/training/ensemble_size", "the networks of an ensemble are trained again on all rows: request refit too"
    if training.ensemble_size > 1 and spec.network.initial_parameters:
        detail = "all networks of an ensemble would start from the same initial_parameters: let it be 1"
        yield "/training/ensemble_size", detail
    if training.warmup_epochs >= training.epochs:
        yield "/training/warmup_epochs", "the warmup must leave an epoch: lower it, or train for more epochs"
    if training.early_stopping and training.early_stopping.monitor == "validation_accuracy" and task == "regression":
        detail = "regression has no accuracy: monitor the validation_loss"
        yield "/training/early_stopping/monitor", detail
    if training.early_stopping and training.early_stopping.start_epoch > training.epochs:
        yield "/training/early_stopping/start_epoch", "the run ends before this epoch: lower start_epoch"


def _layers(spec: FeedforwardSpec) -> Iterator[tuple[str, str]]:
    hidden, layers, optimizer = spec.network.hidden, spec.network.layers, spec.training.optimizer
    if spec.network.initial_parameters and spec.training.warm_start_model_id:
        yield "/network/initial_parameters", "a warm start has the parameters of its model: give one of the two"
    if spec.network.parametrization == "ntk" and not optimizer.scale_free:
        yield "/network/parametrization", f"steps of {optimizer.name} depend on the gradient's scale: {NTK_NEEDS}"
    if spec.training.batch_size == 1 and any(layer.normalization == "batch" for layer in hidden):
        detail = "a batch of one row has no variance to normalize by: raise batch_size, or normalize by layer"
        yield "/network/hidden", detail
    if any(layer.units == 1 and layer.normalization == "layer" for layer in hidden):
        detail = "normalized over a single unit, every value is 0: give the layer more units, or normalize by batch"
        yield "/network/hidden", detail
    if spec.training.ensemble_size > 1 and any(layer.normalization for layer in hidden):
        yield "/training/ensemble_size", "normalized layers cannot stand side by side: remove the normalization"
    if hidden and all(layer.initializer == "zeros" for layer in layers):
        detail = "hidden units whose weights all start at 0 stay equal: choose another initializer for one layer"
        yield "/network/initializer", detail
