"""The record that describes a training's loss, optimizer and regularization to the kernels."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Invalid
from backpropd.nn.feedforward.losses import LOSSES
from backpropd.nn.feedforward.network import Network
from backpropd.nn.hyperparameters import hyperparameters
from backpropd.nn.kernels import losses, updates
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import OPTIMIZERS, Optimizer
from backpropd.nn.optimization.regularization import Regularization

INTEGERS = ("inputs", "outputs", "batch_size", "loss", "fused", "optimizer")
ALGORITHMS = (*LOSSES.values(), *(OPTIMIZERS[name] for name in updates.CODES))
NUMBERS = sorted({name for each in (*ALGORITHMS, Regularization) for name in hyperparameters(each)})
SETTINGS = np.dtype([*((name, np.int64) for name in INTEGERS), *((name, np.float64) for name in NUMBERS)], align=True)


def settings_record(
    network: Network, optimizer: Optimizer | LBFGS, regularization: Regularization, batch_size: int
) -> NDArray[Any]:
    """One record (1,) of SETTINGS. A regularization that is off is zero; a parameter of another algorithm is NaN.

    Raises `Invalid` for an optimizer or a parameter that the kernels do not know.
    """
    if optimizer.name not in updates.CODES:
        raise Invalid(f"{optimizer.name} has no compiled kernel: use the numpy engine")
    loss = network.loss_function
    values: dict[str, Any] = {
        **dict.fromkeys(NUMBERS, math.nan),
        **dataclasses.asdict(loss),  # type: ignore[call-overload]  # every loss is a dataclass
        **dataclasses.asdict(optimizer),
        **{name: value or 0.0 for name, value in vars(regularization).items()},
        "inputs": network.spec.inputs,
        "outputs": network.outputs,
        "batch_size": batch_size,
        "loss": losses.CODES[loss.name],
        "fused": loss.fused_with is not None,
        "optimizer": updates.CODES[optimizer.name],
    }
    if unknown := values.keys() - set(SETTINGS.names or ()):
        raise Invalid(f"the kernels do not know {', '.join(sorted(unknown))}: use the numpy engine")
    return np.array([tuple(values[name] for name in SETTINGS.names or ())], SETTINGS)
