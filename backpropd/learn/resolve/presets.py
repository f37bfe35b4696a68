"""Presets: what a request for a feed-forward network leaves out, from the task and the number of training rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backpropd import nn
from backpropd.learn.request import JobRequest, TrainingRequest
from backpropd.learn.resolve.split import Split
from backpropd.nn.feedforward.losses import Loss
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.optimization.schedules import Constant, Cosine, Coslog4, Schedule
from backpropd.nn.training.training_config import EarlyStopping

DEFAULT_PRESET = "fast"
MAX_ROWS_TO_REFIT = 2000
FAST_MEMBERS = 4  # networks whose mean a refit's model is
MAX_ENSEMBLE_FEATURES = 1000  # of more, one network takes long enough
FAST_EPOCHS, MIN_EPOCHS = 64, 8
MANY_ROWS = 20_000  # beyond, there are larger batches and fewer epochs
FAST_BATCHES = ((256, 8), (512, 16), (1000, 32), (MANY_ROWS, 128), (math.inf, 512))
"""The rows of a batch below each number of training rows: few rows need small batches for enough steps."""
PLAIN_BATCH = 32  # rows at least, for a network of the request's own
FAST_PENALTY = 2.0  # the L2 penalty times the rows: the fewer rows, the smoother the function


@dataclass(frozen=True)
class Preset:
    """The values of a preset for one task and number of rows; `layers` are the units of the hidden layers."""

    layers: tuple[int, ...]
    activation: str
    optimizer: Optimizer
    schedule: Schedule
    batch_size: int
    epochs: int
    early_stopping: EarlyStopping
    l2: float = 0.0
    label_smoothing: float = 0.0
    scaling: str = "standard"
    output_activation: str = "auto"  # of one target
    refit: bool = False
    ensemble_size: int = 1


def fast(task: str, rows: int) -> Preset:
    """Trained in seconds, and on most tables at least as good as a linear model or a plain network."""
    epochs = max(round(FAST_EPOCHS * min(math.sqrt(MANY_ROWS / rows), 1.0)), MIN_EPOCHS)
    return Preset(
        layers=(128,),
        activation="tanh",
        optimizer=nn.Adam(0.02, beta2=0.95),
        schedule=Cosine(),
        batch_size=next(size for below, size in FAST_BATCHES if rows < below),
        epochs=epochs,
        early_stopping=EarlyStopping(patience=epochs),
        l2=FAST_PENALTY / rows,
        refit=rows < MAX_ROWS_TO_REFIT,
        ensemble_size=FAST_MEMBERS if rows < MAX_ROWS_TO_REFIT else 1,
    )


def best(task: str, rows: int) -> Preset:
    """RealMLP-TD-S (Holzmüller, Grinsztajn, Steinwart 2024, Better by Default, table 1)."""
    classes, epochs = task == "classification", 256
    return Preset(
        layers=(256, 256, 256),
        activation="selu" if classes else "mish",
        optimizer=nn.Adam(0.04 if classes else 0.07, beta2=0.95),
        schedule=Coslog4(),
        batch_size=256,
        epochs=epochs,
        early_stopping=EarlyStopping(
            "validation_accuracy" if classes else "validation_loss", patience=epochs, ties="last"
        ),
        label_smoothing=0.1 if classes else 0.0,
        scaling="robust",
        output_activation="softmax" if classes else "auto",  # of two classes too: their score learns twice as fast
    )


PRESETS: Mapping[str, Callable[[str, int], Preset]] = {"fast": fast, "best": best}


def fill_in(request: JobRequest, task: str, split: Split, features: int) -> JobRequest:
    """The request with the preset's values where it states none.

    A preset goes with its own network: for hidden layers that are given, and no preset by name, the network's other
    fields, the optimizer, the schedule and the penalties have the plain defaults, and a batch has at least 32 rows.
    Many `features` have one network.
    """
    network, training = request.network, request.training
    preset = PRESETS[training.preset or DEFAULT_PRESET](task, split.training)
    if features > MAX_ENSEMBLE_FEATURES:
        preset = replace(preset, ensemble_size=1)
    chosen, starts = network["hidden"] == "auto", bool(network.get("initial_parameters"))
    whole = training.preset is not None or chosen
    return replace(
        request,
        network=_network(request, preset if whole else None, preset),
        training=_training(training, request.given, preset, split, whole=whole, chosen=chosen and not starts),
    )


def _network(request: JobRequest, whole: Preset | None, preset: Preset) -> dict[str, Any]:
    """The network with its layers, and whether inputs are scaled in which parametrization."""
    requested, optimizer = request.network, request.training.optimizer
    activation = whole.activation if whole else "tanh"
    hidden = [{"units": units} for units in preset.layers] if requested["hidden"] == "auto" else requested["hidden"]
    layers = [{**layer, "activation": _or(layer.get("activation"), activation)} for layer in hidden]
    one_of_classes = isinstance(request.target, str) or len(request.target) == 1
    output = whole.output_activation if whole and one_of_classes and request.training.loss is None else "auto"
    ntk = whole is not None and (optimizer is None or optimizer.scale_free)
    return {
        **requested,
        "hidden": layers,
        "output_activation": _or(requested["output_activation"], output),
        "input_scaling": _or(requested.get("input_scaling"), whole is not None),
        "parametrization": _or(requested.get("parametrization"), "ntk" if ntk else "standard"),
    }


def _training(
    requested: TrainingRequest, given: Mapping[str, Any], preset: Preset, split: Split, *, whole: bool, chosen: bool
) -> TrainingRequest:
    """With the preset's values; `whole` where its network goes with them, `chosen` where it chooses the layers."""
    own_optimizer = requested.optimizer is not None
    plain = not whole or own_optimizer
    stops = "epochs" not in given and "early_stopping" not in given and bool(split.validation)
    smooths = whole and _smooths(requested.loss)
    optimizer = requested.optimizer or (preset.optimizer if whole else nn.Adam())
    rows = preset.batch_size if whole else max(preset.batch_size, PLAIN_BATCH)
    refit = _or(requested.refit, stops and preset.refit and not why_no_refit(requested))
    batch_size = "full" if optimizer.full_batch else min(rows, split.available)
    return replace(
        requested,
        preset=requested.preset or DEFAULT_PRESET,
        optimizer=optimizer,
        schedule=requested.schedule or (Constant() if plain else preset.schedule),
        l2=_or(requested.l2, preset.l2 if whole else 0.0),
        label_smoothing=_or(requested.label_smoothing, preset.label_smoothing if smooths else 0.0),
        epochs=_or(requested.epochs, preset.epochs),
        batch_size=_or(requested.batch_size, batch_size),
        early_stopping=vars(preset.early_stopping) if stops else requested.early_stopping,
        refit=refit,
        ensemble_size=_or(requested.ensemble_size, preset.ensemble_size if refit and chosen else 1),
        feature_scaling=_or(requested.feature_scaling, preset.scaling if whole else "standard"),
    )


def why_no_refit(training: TrainingRequest) -> str | None:
    """Why a network trained like this is not to be trained again on all rows; None if it may be."""
    reasons = {
        "keep_path": "its path would not lead to the model",
        "snapshots": "its snapshots would not lead to the model",
        "keep_optimizer_state": "the optimizer's state would not be the model's",
        "warm_start_model_id": "it continues a model",
        "validation_dataset_id": "the validation rows are another dataset",
        "validation_column": "a column holds the validation rows out",
        "class_weight": "the classes of the validation rows have no weights",
    }
    return next((why for name, why in reasons.items() if getattr(training, name)), None)


def _smooths(loss: Loss | None) -> bool:
    return loss is None or hasattr(loss, "label_smoothing")


def _or(requested: Any, default: Any) -> Any:
    """The requested value, unless it is to be decided."""
    return default if requested in (None, "auto") else requested
