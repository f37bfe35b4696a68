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
