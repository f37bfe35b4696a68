"""How every kernel is compiled, and the records that tell the kernels what a network and its training are.

Sums may be reassociated, so that they become vectors: the order is fixed when the code is compiled, so the same machine
type gives the same bits. Nothing is assumed about NaN and infinities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

LANES = 16
"""A batch's rows lie side by side, rounded up to a multiple of this, so that vectors have no remainder."""


def part(function: Function) -> Function:
    """Compile as a part of what calls it: Python never does."""
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def entry(function: Function) -> Function:
    """Compile what Python calls, with all its parts, and keep the machine code on disk."""
    return _compile(function, cache=True)


def _compile(function: Function, **options: bool) -> Function:
    compile: Any = numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy", **options)  # type: ignore[call-overload]
    compiled: Function = compile(function)
    return compiled


LAYER = np.dtype(
    [
        ("fan_in", np.int64),
        ("fan_out", np.int64),
        ("activation", np.int64),
        ("normalization", np.int64),
        ("dropout", np.float64),
        # where the parameters lie in theta, -1 for none
        ("weight", np.int64),
        ("bias", np.int64),
        ("scale", np.int64),
        ("running", np.int64),
        # where a batch's values lie in the buffer, each (fan_out, lanes)
        ("a", np.int64),
        ("h", np.int64),
        ("output", np.int64),
        ("mask", np.int64),
        ("normalized", np.int64),
        ("inverse_std", np.int64),  # one a unit, or one a lane
    ],
    align=True,
)

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
