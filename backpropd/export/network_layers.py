"""The network of a model as plain layers, which every exporter of whole models writes."""

from typing import NamedTuple

import numpy as np

from backpropd.learn import Model
from backpropd.nn.feedforward.normalization import EPSILON
from backpropd.nn.layout import Array

STEP, FIRE = "step", "fire"
"""The activations of threshold neurons: 1 where a >= 0, and 1 for the largest a of a row, else 0."""


class PlainLayer(NamedTuple):
    """h = activation(normalized(inputs W + b)), with the weight (fan_in, fan_out).

    `normalization` is None, `batch` or `layer`; then a becomes (a - mean) * inverse_std * scale + shift, with the row's
    own mean and deviation in a `layer`, else with these (fan_out,).
    """

    weight: Array
    bias: Array
    activation: str
    normalization: str | None = None
    scale: Array | None = None
    shift: Array | None = None
    mean: Array | None = None
    inverse_std: Array | None = None


def layers_of(model: Model) -> list[PlainLayer]:
    """The layers, the output layer last. Input scales are factors of the first weights."""
    network, dtype = model.network, np.dtype(model.spec.training.dtype)
    if network.differentiable is None:
        return _threshold_layers(model)
    layers, theta = [], model.theta
    for index, spec in enumerate(network.differentiable.spec.layers):
        own = {name.rpartition(".")[2]: each for name, each in theta.items() if name.startswith(f"layers.{index}.")}
        weight = own["weight"] * own["input_scale"][:, None] if "input_scale" in own else own["weight"]
        variance = own.get("running_variance")
        layers.append(
            PlainLayer(
                weight,
                own.get("bias", np.zeros(spec.units, dtype)),
                spec.activation,
                spec.normalization,
                own.get("scale"),
                own.get("shift"),
                own.get("running_mean"),
                None if variance is None else 1 / np.sqrt(variance + np.asarray(EPSILON, dtype)),
            )
        )
    return layers


def _threshold_layers(model: Model) -> list[PlainLayer]:
    """Perceptrons that answer alone fire for the largest a; a perceptron network codes its inputs as -1 and 1."""
    layers = []
    for index in range(len(model.theta) // 2):
        weight, bias = model.theta[f"layers.{index}.weight"], model.theta[f"layers.{index}.bias"]
        if model.spec.network.kind == "perceptron_network" and index == 0:
            weight, bias = 2 * weight, bias - weight.sum(axis=0)
        layers.append(PlainLayer(weight, bias, FIRE if len(model.theta) == 2 and len(bias) > 1 else STEP))
    return layers
