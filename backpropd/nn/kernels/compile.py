"""How kernels are compiled, where their machine code is kept, and the records that tell them what a network is.

Sums may be reassociated, so that they become vectors: the order is fixed when the code is compiled, so the same machine
type gives the same bits. Nothing is assumed about NaN and infinities.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

LANES = 16
"""A batch's rows lie side by side, rounded up to a multiple of this, so that vectors have no remainder."""


_entries: list[Any] = []


def part(function: Function) -> Function:
    """Compile as a part of what calls it: Python never does."""
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def entry(function: Function) -> Function:
    """Compile what Python calls, with all its parts, when it is called first."""
    compiled = _compile(function)
    _entries.append(compiled)
    return compiled


def exact_entry(function: Function) -> Function:
    """As `entry`, with every sum in the order that is written down."""
    compile: Any = numba.njit(nogil=True)
    compiled: Function = compile(function)
    _entries.append(compiled)
    return compiled


def _compile(function: Function, **options: bool) -> Function:
    compile: Any = numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy", **options)  # type: ignore[call-overload]
    compiled: Function = compile(function)
    return compiled


def keep_machine_code(folder: Path) -> Path:
    """Keep what is compiled from now on below `folder`, and take what lies there already; gives the place.

    Numba looks only at the file of the function that Python calls, so the place carries the hash of all of them.
    """
    place = folder / fingerprint()
    numba.config.CACHE_DIR = str(place)  # type: ignore[attr-defined]
    for each in _entries:
        each.enable_caching()
    return place


def fingerprint() -> str:
    """The hash of every source that machine code is made from, and Numba's version."""
    sources = {*Path(__file__).parent.rglob("*.py"), *(Path(each.py_func.__code__.co_filename) for each in _entries)}
    whole = b"".join(source.read_bytes() for source in sorted(sources)) + numba.__version__.encode()
    return hashlib.sha256(whole).hexdigest()[:16]


def compile_no_more() -> None:
    """Refuse, with a TypeError, what would be compiled from now on: children of a fork only read machine code."""
    for each in _entries:
        each.disable_compile()


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
