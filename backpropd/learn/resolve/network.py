"""The layers of a feed-forward network and the loss that goes with its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backpropd import errors, nn
from backpropd.learn.build import loss_name
from backpropd.tabular import ColumnInfo

TASKS: dict[nn.Task, str] = {
    "classification": "classification",
    "multi_label": "classification with several targets",
    "regression": "regression",
}


def resolve_network(
    wanted: Mapping[str, Any], loss: Any, task: str, target: Sequence[str], outputs: int
) -> tuple[dict[str, Any], Any]:
    """The network with every `auto` decided, and the loss with its parameters."""
    answer: nn.Task = "regression" if task == "regression" else "classification" if len(target) == 1 else "multi_label"
    name = loss if isinstance(loss, str) else loss["name"]
    activation = wanted["output_activation"]
    if activation == "auto":
        activation = _output_activation(answer, outputs, name)
    if activation not in (outputs_for := _outputs_for(answer)):
        raise errors.Invalid(
            f"{TASKS[answer]} needs the output activation {' or '.join(outputs_for)}: use one of them, or auto",
            pointer="/network/output_activation",
        )
    units = 1 if answer == "classification" and outputs == 2 and activation == "logistic" else outputs
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
    return nn.ACTIVATIONS[activation].initializer


def with_parameters(wanted: str | Mapping[str, Any]) -> str | dict[str, Any]:
    """An initializer with all its parameters; its name alone if it has none."""
    return _with_parameters(nn.INITIALIZERS, wanted)


def _with_parameters(registry: Mapping[str, type[Any]], wanted: str | Mapping[str, Any]) -> str | dict[str, Any]:
    given = {"name": wanted} if isinstance(wanted, str) else dict(wanted)
    name = given.pop("name")
    parameters = vars(registry[name](**given))
    return {"name": name, **parameters} if parameters else str(name)


def _outputs_for(answer: nn.Task) -> list[str]:
    return [name for name, activation in nn.ACTIVATIONS.items() if answer in activation.tasks]


def _output_activation(answer: nn.Task, outputs: int, loss: str) -> str:
    required = None if loss == "auto" else nn.LOSSES[loss].fused_with
    if required in _outputs_for(answer):
        return str(required)
    if answer == "regression":
        return "linear"
    return "logistic" if answer == "multi_label" or outputs == 2 else "softmax"


def _loss(wanted: Any, name: str, answer: nn.Task, activation: str) -> str | dict[str, Any]:
    """The loss with its own parameters; label smoothing is a field of training."""
    fitting = [
        known
        for known, loss in nn.LOSSES.items()
        if answer in loss.tasks and loss.fused_with in (None, activation)
    ]  # fmt: skip
    if name == "auto":
        return fitting[0]
    if name not in fitting:
        raise errors.Invalid(
            f"{name} does not go with {TASKS[answer]} and a {activation} output: use {' or '.join(fitting)}, or auto",
            pointer="/training/loss",
        )
    return name if "label_smoothing" in nn.hyperparameters(nn.LOSSES[name]) else _with_parameters(nn.LOSSES, wanted)


def refuse_negative_counts(spec: Mapping[str, Any], targets: Sequence[ColumnInfo]) -> None:
    """Raises `errors.UnusableColumn` for counts that are negative."""
    loss = loss_name(spec["training"])
    if not nn.LOSSES[loss].takes_counts:
        return
    for info in targets:
        if info.statistics["min"] < 0:
            raise errors.UnusableColumn(
                f"the target {info.name!r} goes down to {info.statistics['min']:g}, and {loss} is for counts, which "
                "are not negative: use squared_error",
                pointer="/target",
            )
