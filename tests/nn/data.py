"""Small networks, data sets and helpers that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from backpropd.nn import Batch, Epoch, LayerSpec, Network, Spec, State, Training, fit

Array = NDArray[Any]

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
XOR_TARGETS = np.array([[0], [1], [1], [0]], np.float64)


def classifier(
    *hidden: int, inputs: int = 2, classes: int = 3, activation: str = "tanh", dtype: str = "float32"
) -> Network:
    layers = (*(LayerSpec(units, activation) for units in hidden), LayerSpec(classes, "softmax"))
    return Network(Spec(inputs, layers, "cross_entropy", dtype))


def regressor(*hidden: int, inputs: int = 2, activation: str = "tanh", dtype: str = "float64") -> Network:
    layers = (*(LayerSpec(units, activation) for units in hidden), LayerSpec(1, "linear"))
    return Network(Spec(inputs, layers, "squared_error", dtype))


def separator(*hidden: int, activation: str = "tanh", dtype: str = "float64") -> Network:
    """Two inputs, one logistic output."""
    layers = (*(LayerSpec(units, activation) for units in hidden), LayerSpec(1, "logistic"))
    return Network(Spec(2, layers, "binary_cross_entropy", dtype))


def blobs(rows: int, *, classes: int = 3, spread: float = 0.8, seed: int = 0) -> Batch:
    """Points around the corners of a regular polygon; the nearer the corners, the harder."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    angles = 2 * np.pi * y / classes
    return Batch(np.c_[np.cos(angles), np.sin(angles)] + rng.normal(0, spread, (rows, 2)), y)


def run(
    network: Network,
    training_set: Batch,
    training: Training,
    validation_set: Batch | None = None,
    *,
    seed: int = 0,
) -> tuple[list[Epoch], State]:
    state = State.start(network, training.optimizer, np.random.default_rng(seed))
    return list(fit(network, training_set, validation_set, training, state)), state


def initialize_peer(peer: Any, network: Network, data: Batch, theta: Array) -> None:
    """Give a model of scikit-learn our initial theta; it initializes itself, so it trains for one epoch first."""
    with pytest.warns(ConvergenceWarning):
        peer.set_params(warm_start=True, max_iter=1).fit(data.x, data.y.ravel())
    views = network.layout.views(theta.copy())
    peer.coefs_ = [view for name, view in views.items() if name.endswith("weight")]
    peer.intercepts_ = [view for name, view in views.items() if name.endswith("bias")]


class Countdown:
    """An interrupt that is set after `left` reads, as another thread would set it."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __getitem__(self, index: int) -> int:
        self.left -= 1
        return int(self.left < 0)
