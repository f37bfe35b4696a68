"""A snapshot: the whole state of training after an epoch; its parameters, by name, can be read alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load, save

from backpropd import nn
from backpropd.learn.checkpoint import pack, unpack
from backpropd.nn.layout import Array

NAMES = "parameters"  # the member of the state's metadata that lists the names of the parameters in theta's order


class Snapshot(NamedTuple):
    """The state after `epoch` epochs: the `parameters` as a model's weights are stored, and the rest in `state`."""

    epoch: int
    parameters: bytes
    state: bytes


def take(state: nn.State, layout: nn.Layout) -> Snapshot:
    """The snapshot of a state, the same for the same training whatever the clock says.

    It is that of training that goes on: after the last epoch theta is that of this epoch, not the best one.
    """
    arrays, meta = state.arrays(), state.meta()
    last = arrays.pop("last_theta", None)
    arrays["theta"] = arrays["theta"] if last is None else last
    return from_state(arrays, {**meta, "stop_reason": None, "seconds": 0.0}, layout.shapes)


def from_state(arrays: Mapping[str, Array], meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> Snapshot:
    """The snapshot of a state's `arrays` and `meta`, with the parameters of these `shapes` in theta."""
    rest = {name: array for name, array in arrays.items() if name != "theta"}
    views = nn.Layout(shapes).views(arrays["theta"])
    parameters = bytes(save({name: np.ascontiguousarray(view) for name, view in views.items()}))
    return Snapshot(meta["epoch"], parameters, pack(rest, {**meta, NAMES: list(shapes)}))


def to_state(parameters: bytes, state: bytes) -> tuple[dict[str, Array], dict[str, Any], dict[str, tuple[int, ...]]]:
    """The arguments of `from_state`. Raises `errors.BlobDamaged`."""
    arrays, meta = unpack(state)
    found = load(parameters)
    shapes = {name: found[name].shape for name in meta.pop(NAMES)}
    arrays["theta"] = np.concatenate([found[name].ravel() for name in shapes])
    return arrays, meta, shapes
