"""A warm start: a stored model whose parameters, and perhaps optimizer's state, a run starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from backpropd import nn
from backpropd.learn.checkpoint import unpack
from backpropd.learn.json_fields import from_named, to_named
from backpropd.learn.model import Model


class WarmStart(NamedTuple):
    """A stored model that a run starts from; `training_state` is the state of its optimizer, if it was stored."""

    encoders: Mapping[str, Any]
    weights: bytes
    training_state: bytes | None


def start_from(state: nn.State, layout: nn.Layout, optimizer: Any, model: Model, training_state: bytes | None) -> None:
    """Copy the model's parameters, and the state of its optimizer if the optimizers are the same."""
    state.theta[:] = model.flat_theta(layout)
    if training_state is None:
        return
    arrays, meta = unpack(training_state)
    optimizers = from_named(nn.OPTIMIZERS, meta["optimizer"]), optimizer
    before, now = ({**to_named(each), "learning_rate": None} for each in optimizers)
    if before == now and arrays["slots"].shape == state.slots.shape:  # older models of lbfgs have no slots
        state.slots[:] = arrays["slots"]
        state.steps = meta["steps"]
