"""A feed-forward network as data: its layers and its loss, the checks of both, and the layout of its theta."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from backpropd.errors import Invalid
from backpropd.nn.feedforward.activations import ACTIVATIONS
from backpropd.nn.feedforward.initializers import INITIALIZERS, Initializer
from backpropd.nn.feedforward.losses import LOSSES
from backpropd.nn.feedforward.normalization import NormalizationKind
from backpropd.nn.feedforward.parametrization import ParametrizationKind
from backpropd.nn.layout import DType, Layout


@dataclass(frozen=True)
class LayerSpec:
    """One layer: its number of units, its activation, and how its weights are initialized.

    `initializer` is a name, or `{"name": ..., parameters}`. `dropout` is the probability that a value is dropped in
    training, `normalization` None, "batch" or "layer".
    """

    units: int
    activation: str
    initializer: str | Mapping[str, Any] = "glorot_uniform"
    use_bias: bool = True
    dropout: float = 0.0
    normalization: str | None = None


@dataclass(frozen=True)
class Spec:
    """A network as data: the number of inputs, the layers (the last is the output), the loss, the dtype.

    With `input_scaling` every input is multiplied by a learned factor, which starts at 1. `parametrization` decides
    how the learning rate of a parameter follows from its role, see `nn.feedforward.parametrization`.
    """

    inputs: int
    layers: tuple[LayerSpec, ...]
    loss: str
    dtype: str = "float32"
    loss_parameters: Mapping[str, float] = field(default_factory=dict)
    input_scaling: bool = False
    parametrization: str = "standard"


def layout_of(spec: Spec) -> Layout:
    """The parameters of every layer, then the running statistics."""
    parameters: dict[str, tuple[int, ...]] = {}
    statistics: dict[str, tuple[int, ...]] = {}
    fan_in = spec.inputs
    if spec.input_scaling:
        parameters["layers.0.input_scale"] = (spec.inputs,)
    for index, layer in enumerate(spec.layers):
        name = f"layers.{index}"
        parameters[f"{name}.weight"] = (fan_in, layer.units)
        if layer.use_bias:
            parameters[f"{name}.bias"] = (layer.units,)
        if layer.normalization:
            parameters |= {f"{name}.scale": (layer.units,), f"{name}.shift": (layer.units,)}
        if layer.normalization == "batch":
            statistics |= {f"{name}.running_mean": (layer.units,), f"{name}.running_variance": (layer.units,)}
        fan_in = layer.units
    return Layout(parameters, statistics)


def initializer_of(layer: LayerSpec) -> Initializer:
    """The initializer of the layer's weights. Raises `Invalid` for an unknown one."""
    given = layer.initializer
    parameters = {"name": given} if isinstance(given, str) else dict(given)
    name = parameters.pop("name")
    _check_known("initializer", name, INITIALIZERS)
    return INITIALIZERS[name](**parameters)


def check(spec: Spec) -> None:
    """Raise `Invalid` for a spec that has no meaning."""
    if not spec.layers:
        raise Invalid("a network needs an output layer: give at least one layer")
    if spec.inputs < 1 or any(layer.units < 1 for layer in spec.layers):
        raise Invalid("inputs and units must be whole numbers of at least 1")
    _check_known("dtype", spec.dtype, get_args(DType))
    _check_known("loss", spec.loss, LOSSES)
    _check_known("parametrization", spec.parametrization, get_args(ParametrizationKind))
    for layer in spec.layers:
        _check_known("activation", layer.activation, ACTIVATIONS)
        initializer_of(layer)
        if layer.normalization is not None:
            _check_known("normalization", layer.normalization, get_args(NormalizationKind))
        if not 0 <= layer.dropout < 1:
            raise Invalid(f"dropout is {layer.dropout}: it must be at least 0 and below 1")
    _check_output(spec)


def _check_known(noun: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise Invalid(f"{noun} {name!r} is unknown: use {', '.join(known)}")


def _check_output(spec: Spec) -> None:
    *hidden, output = spec.layers
    required = LOSSES[spec.loss].fused_with
    if output.dropout or output.normalization:
        raise Invalid("dropout and normalization belong to hidden layers: remove them from the output layer")
    for layer in hidden:
        if not ACTIVATIONS[layer.activation].hidden:
            raise Invalid(f"{layer.activation} belongs to the output layer: give the hidden layers another activation")
    if required and output.activation != required:
        raise Invalid(f"{spec.loss} needs the output activation {required}, not {output.activation}")
    if output.activation == "softmax" and output.units < 2:
        raise Invalid("softmax over one output is always 1: use two outputs, or logistic")
