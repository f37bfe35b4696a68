"""The same start, data and settings give PyTorch's losses and parameters, with every optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backpropd.nn import OPTIMIZERS, LayerSpec, Network, Spec
from backpropd.nn.gradcheck import gradient

from .peers import starts

PYTORCH = starts.figures("optimizers")
PLAIN = {name: run for name, run in PYTORCH.items() if not run["regularization"]}
INPUTS, *HIDDEN, CLASSES = starts.UNITS
NETWORK = Network(
    Spec(
        INPUTS,
        (*(LayerSpec(units, "tanh") for units in HIDDEN), LayerSpec(CLASSES, "softmax")),
        "cross_entropy",
        "float64",
    )
)


def train(optimizer: dict[str, Any]) -> tuple[list[float], np.ndarray]:
    """The losses of the epochs, each the mean over the rows as they are met, and theta at the end."""
    x, y, parameters = starts.training()
    theta = np.concatenate([values.ravel() for values in parameters])
    chosen = OPTIMIZERS[optimizer["name"]](**{key: value for key, value in optimizer.items() if key != "name"})
    slots, steps, losses = np.zeros((chosen.slots, theta.size)), 0, []
    for _ in range(starts.EPOCHS):
        total = 0.0
        for start in range(0, len(x), starts.BATCH_SIZE):
            rows = slice(start, start + starts.BATCH_SIZE)
            total += len(x[rows]) * NETWORK.loss(theta, x[rows], y[rows])
            steps += 1
            chosen.step(theta, gradient(NETWORK, theta, x[rows], y[rows]), slots, steps, chosen.learning_rate)
        losses.append(total / len(x))
    return losses, theta


def test_pytorch_has_runs_of_every_optimizer() -> None:
    assert {run["optimizer"]["name"] for run in PYTORCH.values()} == set(OPTIMIZERS)


@pytest.mark.parametrize("run", PLAIN.values(), ids=PLAIN)
def test_an_optimizer_gives_the_losses_and_the_parameters_of_pytorch(run: dict[str, Any]) -> None:
    losses, theta = train(run["optimizer"])
    assert losses == pytest.approx(run["losses"], abs=1e-5)
    np.testing.assert_allclose(theta, run["theta"], atol=1e-5)
