"""The layers of a feed-forward network, and the loss that fits its output activation."""

from collections.abc import Mapping, Sequence
from typing import Any

from backpropd import errors, nn
from backpropd.learn.json_fields import from_named, to_named, to_shortest
from backpropd.learn.network_kinds.feedforward import FeedforwardNetwork, FeedforwardSpec
from backpropd.nn.feedforward.losses import Loss
from backpropd.tabular import ColumnInfo

TASKS: dict[nn.Task, str] = {
    "classification": "classification",
    "multi_label": "classification with several targets",
    "regression": "regression",
}
"""The tasks of `nn`, as messages name them."""

NTK_INITIALIZER = "lecun_normal"  # of hidden layers: W / √fan_in with standard normal W


def resolve_network(
    requested: Mapping[str, Any], loss: Loss | None, task: str, target: Sequence[str], outputs: int
) -> tuple[FeedforwardNetwork, Loss]:
    """The network and the loss with every `auto` decided. Raises `errors.Invalid` for what does not go together."""
    nn_task: nn.Task = "regression" if task == "regression" else "classification" if len(target) == 1 else "multi_label"
    activation = requested["output_activation"]
    if activation == "auto":
        activation = _output_activation(nn_task, outputs, loss)
    if activation not in (fitting := _output_activations(nn_task)):
        detail = f"{TASKS[nn_task]} needs the output activation {' or '.join(fitting)}: use one of them, or auto"
        raise errors.Invalid(detail, pointer="/network/output_activation")
    default, ntk = requested["initializer"], requested["parametrization"] == "ntk"
    of_hidden = NTK_INITIALIZER if ntk and default == "auto" else default
    network = FeedforwardNetwork(
        hidden=[_layer(layer, of_hidden) for layer in requested["hidden"]],
        output_activation=activation,
        outputs=1 if nn_task == "classification" and outputs == 2 and activation == "logistic" else outputs,
        initializer=default if default == "auto" else with_parameters(default),
        output_initializer="zeros" if ntk and default == "auto" else _initializer(None, default, activation),
        input_scaling=requested["input_scaling"],
        parametrization=requested["parametrization"],
        initial_parameters=requested.get("initial_parameters"),
    )
    return network, _loss(loss, nn_task, activation)


def _layer(requested: Mapping[str, Any], default: Any) -> nn.LayerSpec:
    initializer = _initializer(requested.get("initializer"), default, requested["activation"])
    return nn.LayerSpec(**{**requested, "initializer": initializer})


def _initializer(own: Any, default: Any, activation: str) -> str | dict[str, Any]:
    for requested in (own, default):
        if requested not in (None, "auto"):
            return with_parameters(requested)
    return nn.ACTIVATIONS[activation].initializer


def with_parameters(requested: str | Mapping[str, Any]) -> str | dict[str, Any]:
    """An initializer with all its parameters; its name alone if it has none."""
    return to_shortest(to_named(from_named(nn.INITIALIZERS, requested)))


def _output_activations(nn_task: nn.Task) -> list[str]:
    return [name for name, activation in nn.ACTIVATIONS.items() if nn_task in activation.tasks]


def _output_activation(nn_task: nn.Task, outputs: int, loss: Loss | None) -> str:
    needed = loss.fused_with if loss else None
    if needed and needed in _output_activations(nn_task):
        return needed
    if nn_task == "regression":
        return "linear"
    return "logistic" if nn_task == "multi_label" or outputs == 2 else "softmax"


def _loss(requested: Loss | None, nn_task: nn.Task, activation: str) -> Loss:
    fitting: list[type[Loss]] = [
        loss for loss in nn.LOSSES.values() if nn_task in loss.tasks and loss.fused_with in (None, activation)
    ]
    if requested is None:
        return fitting[0]()
    if type(requested) not in fitting:
        names = " or ".join(loss.name for loss in fitting)
        detail = f"{requested.name} does not go with {TASKS[nn_task]} and a {activation} output: use {names}, or auto"
        raise errors.Invalid(detail, pointer="/training/loss")
    return requested


def check_counts(spec: FeedforwardSpec, targets: Sequence[ColumnInfo]) -> None:
    """Raises `errors.UnusableColumn` for negative targets of a loss for counts."""
    loss = spec.training.loss
    if not loss.takes_counts:
        return
    for info in targets:
        if info.statistics["min"] < 0:
            values = f"the target {info.name!r} has values down to {info.statistics['min']:g}"
            detail = f"{values}, and {loss.name} is for counts, which are not negative: use squared_error"
            raise errors.UnusableColumn(detail, pointer="/target")
