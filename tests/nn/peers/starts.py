"""What both sides start from: drawn by NumPy, so that the figures can be made, and compared, from the same numbers."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np


def figures(name: str) -> dict[str, Any]:
    """What PyTorch made, by name: the file `name`.json beside this one."""
    found = json.loads(Path(__file__).with_name(f"{name}.json").read_text())
    assert found.pop("torch").startswith("2.13.0")
    return found


def preactivations() -> tuple[np.ndarray, np.ndarray]:
    """Pre-activations a (9, 5), kinks and far ends among them, and gradients at h of the same shape."""
    rng = np.random.default_rng(11)
    a = 3 * rng.standard_normal((9, 5))
    a[0] = [0.0, 1e-3, -1e-3, 30.0, -30.0]
    return a, rng.standard_normal((9, 5))


def outputs() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """An output layer's pre-activations a (7, 4), weights of the rows with mean 1, and targets of every kind."""
    rng = np.random.default_rng(12)
    a, weight = 3 * rng.standard_normal((7, 4)), rng.uniform(0, 2, 7)
    weight[2] = 0
    targets = {
        "numbers": 3 * rng.standard_normal((7, 4)),
        "classes": rng.integers(0, 4, 7),
        "labels": rng.integers(0, 2, (7, 4)).astype(float),
        "counts": rng.integers(0, 9, (7, 4)).astype(float),
    }
    return a, weight / weight.mean(), targets


UNITS, EPOCHS, BATCH_SIZE = (2, 6, 5, 3), 20, 16


def training() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Rows x (100, 2), classes y (100,), and weights (fan_in, fan_out) and biases (fan_out,) in turn, for UNITS."""
    rng = np.random.default_rng(13)
    y = np.arange(100) % 3
    x = np.c_[np.cos(2 * y), np.sin(2 * y)] + 0.8 * rng.standard_normal((100, 2))
    parameters = []
    for fan_in, fan_out in pairwise(UNITS):
        parameters += [rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in), 0.1 * rng.standard_normal(fan_out)]
    return x, y, parameters


BASE, STEPS_PER_EPOCH = 0.2, 7


def plateau_losses() -> list[float]:
    """Losses (EPOCHS,) that fall, rest and waver."""
    rng = np.random.default_rng(14)
    return [float(max(1 - 0.1 * epoch, 0.4) + 0.03 * rng.standard_normal()) for epoch in range(EPOCHS)]


# The activations of the hidden layers, their normalization, the output's activation, the loss, and its targets.
TRACES: list[tuple[tuple[str, ...], str | None, str, str, dict[str, float], str]] = [
    (("tanh", "logistic"), None, "linear", "squared_error", {}, "numbers"),
    (("relu",), None, "logistic", "squared_error", {}, "labels"),
    (("logistic",), None, "softmax", "squared_error", {}, "labels"),
    (("gelu", "softsign"), None, "tanh", "absolute_error", {}, "numbers"),
    (("leaky_relu",), None, "linear", "huber", {"delta": 0.7}, "numbers"),
    (("tanh", "elu"), None, "softmax", "cross_entropy", {}, "classes"),
    (("silu",), None, "softmax", "cross_entropy", {"label_smoothing": 0.1}, "classes"),
    ((), None, "logistic", "binary_cross_entropy", {}, "labels"),
    (("selu",), None, "logistic", "binary_cross_entropy", {"label_smoothing": 0.2}, "labels"),
    (("softplus",), None, "exponential", "poisson", {}, "counts"),
    (("tanh", "relu"), "batch", "softmax", "cross_entropy", {}, "classes"),
    (("tanh", "relu"), "layer", "linear", "squared_error", {}, "numbers"),
]
TRACE_INPUTS, TRACE_UNITS, TRACE_OUTPUTS = 3, (5, 4), 3


def tracing(hidden: int, normalization: str | None) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rows x (6, 3), targets of every kind, and every parameter by name, for so many hidden layers."""
    rng = np.random.default_rng(15)
    x = rng.standard_normal((6, TRACE_INPUTS))
    targets = {
        "numbers": rng.standard_normal((6, TRACE_OUTPUTS)),
        "classes": rng.integers(0, TRACE_OUTPUTS, 6),
        "labels": rng.integers(0, 2, (6, TRACE_OUTPUTS)).astype(float),
        "counts": rng.integers(0, 9, (6, TRACE_OUTPUTS)).astype(float),
    }
    parameters, remembered = {}, {}
    units = (TRACE_INPUTS, *TRACE_UNITS[:hidden], TRACE_OUTPUTS)
    for index, (fan_in, fan_out) in enumerate(pairwise(units)):
        name = f"layers.{index}"
        parameters[f"{name}.weight"] = rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)
        parameters[f"{name}.bias"] = 0.1 * rng.standard_normal(fan_out)
        if normalization and index < hidden:
            parameters[f"{name}.scale"] = rng.uniform(0.5, 1.5, fan_out)
            parameters[f"{name}.shift"] = 0.3 * rng.standard_normal(fan_out)
            if normalization == "batch":
                remembered[f"{name}.running_mean"] = 0.5 * rng.standard_normal(fan_out)
                remembered[f"{name}.running_variance"] = rng.uniform(0.5, 2, fan_out)
    return x, targets, parameters | remembered
