"""The same start, data and settings give PyTorch's losses and parameters, with every optimizer and regularization."""

from typing import Any

import numpy as np
import pytest

from backpropd.nn import OPTIMIZERS, Regularization
from backpropd.nn.inspection.gradient_check import gradient
from backpropd.nn.optimization.regularization import weight_matrices
from tests.nn.data import classifier
from tests.nn.peers import starts

PYTORCH = starts.reference("optimizers")
INPUTS, *HIDDEN, CLASSES = starts.UNITS
NETWORK = classifier(*HIDDEN, inputs=INPUTS, classes=CLASSES, dtype="float64")


def train(optimizer: dict[str, Any], regularization: Regularization) -> tuple[list[float], np.ndarray]:
    """The loss of each epoch, the mean over its batches before their steps, and the final theta."""
    x, y, parameters = starts.training()
    theta = np.concatenate([values.ravel() for values in parameters])
    weights = weight_matrices(NETWORK.layout, theta)
    chosen = OPTIMIZERS[optimizer["name"]](**{key: value for key, value in optimizer.items() if key != "name"})
    slots, steps, losses = np.zeros((chosen.slots, theta.size)), 0, []
    for _ in range(starts.EPOCHS):
        total = 0.0
        for start in range(0, len(x), starts.BATCH_SIZE):
            rows = slice(start, start + starts.BATCH_SIZE)
            total += len(x[rows]) * NETWORK.loss(theta, x[rows], y[rows])
            grad = gradient(NETWORK, theta, x[rows], y[rows])
            regularization.add_penalty_gradient(weights, weight_matrices(NETWORK.layout, grad))
            regularization.clip(grad)
            regularization.decay(weights, chosen.learning_rate)
            steps += 1
            chosen.step(theta, grad, slots, steps, chosen.learning_rate)
            regularization.constrain(weights)
        losses.append(total / len(x))
    return losses, theta


def test_pytorch_has_runs_of_every_optimizer() -> None:
    others = {"lbfgs"}  # PyTorch has another line search; test_lbfgs.py compares with SciPy
    assert {run["optimizer"]["name"] for run in PYTORCH.values()} == set(OPTIMIZERS) - others


@pytest.mark.parametrize("run", PYTORCH.values(), ids=PYTORCH)
def test_a_run_has_the_losses_and_the_parameters_of_pytorch(run: dict[str, Any]) -> None:
    losses, theta = train(run["optimizer"], Regularization(**run["regularization"]))
    # PyTorch adds 1e-6 and 1e-7 to these norms, to avoid a division by zero
    exact = run["regularization"].keys().isdisjoint({"clip_norm", "max_norm"})
    assert losses == pytest.approx(run["losses"], abs=1e-12 if exact else 1e-5)
    np.testing.assert_allclose(theta, run["theta"], atol=1e-12 if exact else 1e-5)
