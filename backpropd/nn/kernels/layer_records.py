"""The records that describe a network's layers to the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Network
from backpropd.nn.kernels import activations, normalization

LAYER = np.dtype(
    [
        ("fan_in", np.int64),
        ("fan_out", np.int64),
        ("activation", np.int64),
        ("normalization", np.int64),
        ("dropout", np.float64),
        # offsets of the parameters in theta, -1 for none
        ("weight", np.int64),
        ("bias", np.int64),
        ("scale", np.int64),
        ("running", np.int64),
        # offsets of a batch's values in `Workspace.values`, each (fan_out, lanes)
        ("a", np.int64),
        ("h", np.int64),
        ("output", np.int64),
        ("mask", np.int64),
        ("normalized", np.int64),
        ("inverse_std", np.int64),  # one number per unit, or one per lane
    ],
    align=True,
)


def records(network: Network, lanes: int) -> tuple[NDArray[Any], int]:
    """A record per layer, and how many numbers `Workspace.values` must hold for that many lanes."""
    records = np.zeros(len(network.spec.layers), LAYER)
    offsets = {name: part.start for name, part in network.layout.slices.items()}
    size, fan_in = 0, network.spec.inputs
    for index, (spec, record) in enumerate(zip(network.spec.layers, records, strict=True)):
        name, area = f"layers.{index}", spec.units * lanes
        lengths = {"a": area, "h": area}
        if spec.dropout:
            lengths |= {"output": area, "mask": area}
        if spec.normalization:
            lengths |= {"normalized": area, "inverse_std": max(spec.units, lanes)}
        for field, length in lengths.items():
            record[field] = size
            size += length
        record["output"] = record["output"] if spec.dropout else record["h"]
        record["fan_in"], record["fan_out"] = fan_in, spec.units
        record["activation"] = activations.CODES[spec.activation]
        record["normalization"] = normalization.CODES[spec.normalization]
        record["dropout"] = spec.dropout
        for field, parameter in (
            ("weight", "weight"),
            ("bias", "bias"),
            ("scale", "scale"),
            ("running", "running_mean"),
        ):
            record[field] = offsets.get(f"{name}.{parameter}", -1)
        fan_in = spec.units
    return records, size
