"""The arrays that the kernels work in, allocated once for a run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.nn.feedforward.network import Network
from backpropd.nn.kernels.matmul.blocking import PACKED_SIZE
from backpropd.nn.layout import Array


class Workspace(NamedTuple):
    """Flat arrays of the network's dtype where nothing else is said. A batch (units, lanes) is stored unit by unit."""

    values: Array
    """What the layers compute for a batch; `layer_records` has the offsets."""
    grad_out: Array
    """∂L/∂a of the layer under way, (units of the widest layer, lanes)."""
    grad_in: Array
    """∂L/∂h of the layer below, of the same size; the two arrays swap roles from layer to layer."""
    inputs: Array  # (inputs, lanes)
    labels: NDArray[np.int64]  # (lanes,)
    targets: Array  # (outputs, lanes)
    row_weight: Array  # (lanes,)
    scratch: Array  # (2, lanes)
    batch_rows: NDArray[np.int64]  # (1,), the rows of the last batch
    validation_stats: NDArray[np.float64]  # (2,), mean loss and mean gradient norm
    packed: Array  # (PACKED_SIZE,), for `gemm`


def allocate(network: Network, dtype: np.dtype[Any], lanes: int, values: int) -> Workspace:
    """The arrays for batches of `lanes` lanes, whose layers compute `values` numbers."""
    widest = max(layer.units for layer in network.spec.layers)
    return Workspace(
        values=np.zeros(values, dtype),
        grad_out=np.zeros(widest * lanes, dtype),
        grad_in=np.zeros(widest * lanes, dtype),
        inputs=np.zeros(network.spec.inputs * lanes, dtype),
        labels=np.zeros(lanes, np.int64),
        targets=np.zeros(network.outputs * lanes, dtype),
        row_weight=np.zeros(lanes, dtype),
        scratch=np.zeros(2 * lanes, dtype),
        batch_rows=np.zeros(1, np.int64),
        validation_stats=np.zeros(2),
        packed=np.zeros(PACKED_SIZE, dtype),
    )
