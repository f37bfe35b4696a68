"""What kernels are called with: records that describe layers and their training, and arrays to work in.

A batch is stored as (units, lanes), flat, one lane for each row, padded to whole vectors. Padding lanes hold finite
numbers. Their row weight is zero, so that their gradients are.
"""

import dataclasses
import math
from typing import Any, NamedTuple, Self

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from backpropd.errors import Invalid
from backpropd.nn.feedforward.losses import LOSSES
from backpropd.nn.feedforward.network import Network
from backpropd.nn.hyperparameter_bounds import hyperparameters
from backpropd.nn.kernels import activations, losses, normalization, updates
from backpropd.nn.kernels.matmul.blocking import PACKED_SIZE
from backpropd.nn.layout import Array
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import OPTIMIZERS, Optimizer
from backpropd.nn.optimization.regularization import Regularization

MULTIPLE = 16  # of lanes

SIZES_AND_CODES = ("fan_in", "fan_out", "activation", "normalization")
PARAMETERS = ("weight", "bias", "scale", "running_mean", "input_scale")
"""Their offsets in theta, -1 for none; the running variances follow the means."""
VALUES = ("a", "h", "output", "mask", "normalized", "inverse_std", "inputs")
"""Their offsets in `Workspace.values`, each (fan_out, lanes); `inverse_std` has a number per unit, or per lane, and
`inputs`, the scaled ones, are (fan_in, lanes)."""
INTEGERS = (*SIZES_AND_CODES, *PARAMETERS, *VALUES)
SEGMENT = np.dtype([("start", np.int64), ("stop", np.int64), ("factor", np.float64)], align=True)
"""A range of theta with the factor of its learning rate."""
LAYER = np.dtype([*((name, np.int64) for name in INTEGERS), ("dropout", np.float64)], align=True)

CODES_AND_COUNTS = ("inputs", "outputs", "batch_size", "loss", "fused", "optimizer")
ALGORITHMS = (*LOSSES.values(), *(OPTIMIZERS[name] for name in updates.CODES), Regularization)
NUMBERS = sorted({name for each in ALGORITHMS for name in hyperparameters(each)})
SETTINGS = np.dtype(
    [*((name, np.int64) for name in CODES_AND_COUNTS), *((name, np.float64) for name in NUMBERS)], align=True
)


def layer_records(network: Network, lanes: int) -> tuple[NDArray[Any], int]:
    """A record per layer, and how many numbers `Workspace.values` must hold for that many lanes."""
    records = np.zeros(len(network.spec.layers), LAYER)
    size, fan_in = 0, network.spec.inputs
    for index, (spec, record) in enumerate(zip(network.spec.layers, records, strict=True)):
        area = spec.units * lanes
        lengths = {"a": area, "h": area}
        if spec.dropout:
            lengths |= {"output": area, "mask": area}
        if spec.normalization:
            lengths |= {"normalized": area, "inverse_std": max(spec.units, lanes)}
        if f"layers.{index}.input_scale" in network.layout.slices:
            lengths["inputs"] = fan_in * lanes
        for name, length in lengths.items():
            record[name] = size
            size += length
        record["output"] = record["output"] if spec.dropout else record["h"]
        record["fan_in"], record["fan_out"], record["dropout"] = fan_in, spec.units, spec.dropout
        record["activation"] = activations.CODES[spec.activation]
        record["normalization"] = normalization.CODES[spec.normalization]
        for name in PARAMETERS:
            record[name] = network.layout.slices.get(f"layers.{index}.{name}", slice(-1, 0)).start
        fan_in = spec.units
    return records, size


def segment_records(network: Network) -> NDArray[Any]:
    """A record for each range of theta whose parameters have the same learning rate."""
    return np.array([(where.start, where.stop, factor) for where, factor in network.rate_segments], SEGMENT)


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
    names = SETTINGS.names or ()
    if unknown := values.keys() - set(names):
        raise Invalid(f"the kernels do not know {', '.join(sorted(unknown))}: use the numpy engine")
    return np.array([tuple(values[name] for name in names)], SETTINGS)


@register_jitable
def padded(rows: int) -> int:
    """The number of lanes for `rows` rows: a multiple of MULTIPLE."""
    return -(-rows // MULTIPLE) * MULTIPLE


class Workspace(NamedTuple):
    """Flat arrays of the network's dtype where nothing else is said."""

    values: Array  # what the layers compute for a batch, at the offsets of their records
    grad_out: Array  # ∂L/∂a of the current layer, (the widest layer's units, or the inputs, lanes)
    grad_in: Array  # ∂L/∂h of the layer below; the two swap roles from layer to layer
    inputs: Array  # (inputs, lanes)
    labels: NDArray[np.int64]  # (lanes,)
    targets: Array  # (outputs, lanes)
    row_weight: Array  # (lanes,)
    scratch: Array  # (2, lanes)
    batch_rows: NDArray[np.int64]  # (1,), the rows of the last batch
    packed: Array  # (PACKED_SIZE,), for `gemm`

    @classmethod
    def allocate(cls, network: Network, dtype: np.dtype[Any], lanes: int, values: int) -> Self:
        """The arrays for batches of `lanes` lanes, whose layers compute `values` numbers."""
        widest = max(network.spec.inputs, *(layer.units for layer in network.spec.layers)) * lanes
        sizes = {
            "values": values, "grad_out": widest, "grad_in": widest, "inputs": network.spec.inputs * lanes,
            "targets": network.outputs * lanes, "row_weight": lanes, "scratch": 2 * lanes, "packed": PACKED_SIZE,
        }  # fmt: skip
        arrays = {name: np.zeros(size, dtype) for name, size in sizes.items()}
        return cls(**arrays, labels=np.zeros(lanes, np.int64), batch_rows=np.zeros(1, np.int64))
