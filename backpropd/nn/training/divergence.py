"""Divergence: where numbers stopped being finite, and the error that says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backpropd.errors import Diverged
from backpropd.nn.layout import Array, Layout
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.training.state import State


def first_not_finite(layout: Layout, theta: Array, values: Sequence[tuple[Array, Array]]) -> str | None:
    """The first layer, as `layers.0`, whose values (a, h) or else whose parameters are not finite; None if all are."""
    for index, (a, h) in enumerate(values):
        if not (np.isfinite(a).all() and np.isfinite(h).all()):
            return f"layers.{index}"
    for name, view in layout.views(theta).items():
        if not np.isfinite(view).all():
            return name.rpartition(".")[0]
    return None


def diverged(state: State, optimizer: Optimizer | LBFGS, layer: str | None) -> Diverged:
    """The error for a run that diverged in the epoch after the state's, first in `layer`."""
    rate, epoch = optimizer.learning_rate, state.epoch + 1
    advice = f"The learning_rate is {rate:g}: try {rate / 10:g}"
    if optimizer.full_batch:
        advice = "lbfgs has no learning_rate to lower: scale the inputs and targets, or add an l2 penalty"
    where = "in the loss, behind the output layer" if layer is None else f"first in {layer}"
    before = "No epoch came before it"
    if state.epoch and state.loss is not None:
        before = f"The last finite loss was {state.loss:g}, with a gradient norm of {state.gradient_norm:g}"
    return Diverged(
        f"training diverged in epoch {epoch}: numbers grew until they were no longer finite, {where}. "
        f"{before}. {advice}",
        epoch=epoch,
        layer=layer,
    )
