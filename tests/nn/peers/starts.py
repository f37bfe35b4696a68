"""Inputs of the comparisons with PyTorch, drawn by NumPy: both sides start from the same numbers."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np


def reference(name: str) -> dict[str, Any]:
    """PyTorch's results: the content of `name`.json beside this file."""
    results = json.loads(Path(__file__).with_name(f"{name}.json").read_text())
    assert results.pop("torch").startswith("2.13.0")
    return results


def preactivations() -> tuple[np.ndarray, np.ndarray]:
    """Pre-activations a (9, 5), some at kinks and far from 0, and gradients at h of the same shape."""
    rng = np.random.default_rng(11)
    a = 3 * rng.standard_normal((9, 5))
    a[0] = [0.0, 1e-3, -1e-3, 30.0, -30.0]
    return a, rng.standard_normal((9, 5))


def targets_of_every_kind(rng: np.random.Generator, rows: int, outputs: int) -> dict[str, np.ndarray]:
    return {
        "numbers": rng.standard_normal((rows, outputs)),
        "classes": rng.integers(0, outputs, rows),
        "labels": rng.integers(0, 2, (rows, outputs)).astype(float),
        "counts": rng.integers(0, 9, (rows, outputs)).astype(float),
    }


def outputs() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Pre-activations a (7, 4) of an output layer, row weights with mean 1, and targets of every kind."""
    rng = np.random.default_rng(12)
    a, weight = 3 * rng.standard_normal((7, 4)), rng.uniform(0, 2, 7)
    weight[2] = 0
    targets = targets_of_every_kind(rng, 7, 4)
    targets["numbers"] *= 3
    return a, weight / weight.mean(), targets


UNITS, EPOCHS, BATCH_SIZE = (2, 6, 5, 3), 20, 16


def training() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Rows x (100, 2), classes y (100,), and alternating weights (fan_in, fan_out) and biases (fan_out,), for UNITS."""
    rng = np.random.default_rng(13)
    y = np.arange(100) % 3
    x = np.c_[np.cos(2 * y), np.sin(2 * y)] + 0.8 * rng.standard_normal((100, 2))
    parameters = []
    for fan_in, fan_out in pairwise(UNITS):
        parameters += [rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in), 0.1 * rng.standard_normal(fan_out)]
    return x, y, parameters


BASE, STEPS_PER_EPOCH = 0.2, 7


def plateau_losses() -> list[float]:
    """Losses (EPOCHS,) that fall, stay level and fluctuate."""
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
    """Rows x (6, 3), targets of every kind, and every parameter by name, for a number of hidden layers."""
    rng = np.random.default_rng(15)
    x = rng.standard_normal((6, TRACE_INPUTS))
    targets = targets_of_every_kind(rng, 6, TRACE_OUTPUTS)
    parameters, running = {}, {}
    units = (TRACE_INPUTS, *TRACE_UNITS[:hidden], TRACE_OUTPUTS)
    for index, (fan_in, fan_out) in enumerate(pairwise(units)):
        name = f"layers.{index}"
        parameters[f"{name}.weight"] = rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)
        parameters[f"{name}.bias"] = 0.1 * rng.standard_normal(fan_out)
        if normalization and index < hidden:
            parameters[f"{name}.scale"] = rng.uniform(0.5, 1.5, fan_out)
            parameters[f"{name}.shift"] = 0.3 * rng.standard_normal(fan_out)
            if normalization == "batch":
                running[f"{name}.running_mean"] = 0.5 * rng.standard_normal(fan_out)
                running[f"{name}.running_variance"] = rng.uniform(0.5, 2, fan_out)
    return x, targets, parameters | running
