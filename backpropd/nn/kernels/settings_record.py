"""The record that describes a training's loss, optimizer and regularization to the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Network
from backpropd.nn.kernels import losses, updates
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.optimization.regularization import Regularization

SETTINGS = np.dtype(
    [
        ("inputs", np.int64),
        ("outputs", np.int64),
        ("batch_size", np.int64),
        ("loss", np.int64),
        ("delta", np.float64),
        ("label_smoothing", np.float64),
        ("optimizer", np.int64),
        ("momentum", np.float64),
        ("nesterov", np.int64),
        ("beta1", np.float64),
        ("beta2", np.float64),
        ("alpha", np.float64),
        ("rho", np.float64),
        ("initial_accumulator", np.float64),
        ("epsilon", np.float64),
        ("amsgrad", np.int64),
        ("momentum_decay", np.float64),
        ("l1", np.float64),
        ("l2", np.float64),
        ("weight_decay", np.float64),
        ("max_norm", np.float64),
        ("clip_norm", np.float64),
        ("clip_value", np.float64),
    ],
    align=True,
)


def settings_record(
    network: Network, optimizer: Optimizer | LBFGS, regularization: Regularization, batch_size: int
) -> NDArray[Any]:
    """One record (1,) of SETTINGS; a field that this training does not have, or that is None, is zero."""
    numbers: dict[str, Any] = {
        **vars(network.loss_function),
        **vars(optimizer),
        **vars(regularization),
        "inputs": network.spec.inputs,
        "outputs": network.outputs,
        "batch_size": batch_size,
        "loss": losses.CODES[network.spec.loss],
        "optimizer": updates.CODES[type(optimizer)],
    }
    return np.array([tuple(numbers.get(name) or 0 for name in SETTINGS.names or ())], SETTINGS)
