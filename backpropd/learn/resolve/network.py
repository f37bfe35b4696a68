"""The layers of a feed-forward network and the loss that goes with its outputs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from backpropd import errors, nn
from backpropd.learn.build import loss_name
from backpropd.tabular import ColumnInfo

# What is answered: one of several classes, a truth for each of several labels, or numbers.
CLASSES, LABELS, NUMBERS = "classification", "classification with several targets", "regression"

ACTIVATIONS = {
    CLASSES: ("logistic", "softmax"),
    LABELS: ("logistic",),
    NUMBERS: tuple(name for name in nn.ACTIVATIONS if name != "softmax"),
}
"""The output activations that can say it."""

CALLED_FOR = {"cross_entropy": "softmax", "binary_cross_entropy": "logistic", "poisson": "exponential"}
"""The output activation that a loss cannot do without."""

RECTIFIERS = ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus")
"""Activations that let about half of what comes through: He et al. 2015 start them wider."""


def resolve_network(
    wanted: Mapping[str, Any], loss: Any, task: str, target: Sequence[str], outputs: int
) -> tuple[dict[str, Any], Any]:
    """The network with every `auto` decided, and the loss with its parameters."""
    answer = NUMBERS if task == "regression" else CLASSES if len(target) == 1 else LABELS
    name = loss if isinstance(loss, str) else loss["name"]
    activation = wanted["output_activation"]
    if activation == "auto":
        activation = _output_activation(answer, outputs, name)
    if activation not in ACTIVATIONS[answer]:
        raise errors.Invalid(
            f"{answer} answers with {' or '.join(ACTIVATIONS[answer])}: use one of them, or auto",
            pointer="/network/output_activation",
        )
    units = 1 if answer == CLASSES and outputs == 2 and activation == "logistic" else outputs
    general = wanted["initializer"]
    network = {
        "kind": wanted["kind"],
        "hidden": [_layer(layer, general) for layer in wanted["hidden"]],
        "output_activation": activation,
        "outputs": units,
        "initializer": general if general == "auto" else with_parameters(general),
        "output_initializer": _initializer(None, general, activation),
    }
    return network, _loss(loss, name, answer, activation)


def _layer(wanted: Mapping[str, Any], general: Any) -> dict[str, Any]:
    """A hidden layer, as `nn.LayerSpec` has it."""
    return {
        **vars(nn.LayerSpec(wanted["units"], wanted["activation"])),
        **{name: wanted[name] for name in ("use_bias", "dropout", "normalization") if name in wanted},
        "initializer": _initializer(wanted.get("initializer"), general, wanted["activation"]),
    }


def _initializer(own: Any, general: Any, activation: str) -> str | dict[str, Any]:
    for wanted in (own, general):
        if wanted not in (None, "auto"):
            return with_parameters(wanted)
    if activation == "selu":
        return "lecun_normal"
    return "he_uniform" if activation in RECTIFIERS else "glorot_uniform"


def with_parameters(wanted: str | Mapping[str, Any]) -> str | dict[str, Any]:
    """An initializer with all the parameters that it takes; its name alone if it takes none."""
    given = {"name": wanted} if isinstance(wanted, str) else dict(wanted)
    taken = inspect.signature(nn.INITIALIZERS[given["name"]]).parameters.values()
    defaults = {each.name: each.default for each in taken if each.default is not each.empty}
    return {**given, **defaults, **given} if defaults else str(given["name"])


def _output_activation(answer: str, outputs: int, loss: str) -> str:
    if loss in CALLED_FOR and CALLED_FOR[loss] in ACTIVATIONS[answer]:
        return CALLED_FOR[loss]
    if answer == NUMBERS:
        return "linear"
    return "logistic" if answer == LABELS or outputs == 2 else "softmax"


def _fitting(answer: str, activation: str) -> tuple[str, ...]:
    """The losses that go with an answer and an output activation, its own first."""
    if answer == NUMBERS:
        return ("squared_error", "absolute_error", "huber", *(["poisson"] if activation == "exponential" else []))
    return ("cross_entropy" if activation == "softmax" else "binary_cross_entropy", "squared_error")


def _loss(wanted: Any, name: str, answer: str, activation: str) -> str | dict[str, Any]:
    fitting = _fitting(answer, activation)
    if name == "auto":
        return fitting[0]
    if name not in fitting:
        raise errors.Invalid(
            f"{name} does not go with {answer} and a {activation} output: use {' or '.join(fitting)}, or auto",
            pointer="/training/loss",
        )
    if name != "huber":
        return name
    given = {} if isinstance(wanted, str) else {key: value for key, value in wanted.items() if key != "name"}
    return {"name": name, **vars(nn.Huber(**given))}


def refuse_negative_counts(spec: Mapping[str, Any], targets: Sequence[ColumnInfo]) -> None:
    """Raises `errors.UnusableColumn` for counts that are negative."""
    if loss_name(spec["training"]) != "poisson":
        return
    for info in targets:
        if info.statistics["min"] < 0:
            raise errors.UnusableColumn(
                f"the target {info.name!r} goes down to {info.statistics['min']:g}, and poisson is for counts, which "
                "are not negative: use squared_error",
                pointer="/target",
            )
