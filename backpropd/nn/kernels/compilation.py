"""The decorators that compile kernels with Numba, and the disk cache of their machine code.

Floating-point sums may be reassociated so that the compiler can vectorize them. The order is fixed at compile time, so
the same machine type gives the same bits. NaN and infinities keep their meaning.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}
NN = Path(__file__).parents[1]
COMPILED = ("kernels", "feedforward", "optimization", "layout.py", "interrupts.py")
"""What machine code depends on: the sources of compiled functions, and those that declare their constants and codes."""

_entry_points: list[Any] = []
_has_disk_cache = False
_is_read_only = False


def kernel_function(function: Function, **options: Any) -> Function:
    """Compile a function that only other compiled functions call."""
    return _compile(function, **OPTIONS, **options, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compiled_entry_point(function: Function, **options: Any) -> Function:
    """Compile a function that Python calls, with everything it calls, at its first call."""
    compiled = _compile(function, **options or OPTIONS)
    _entry_points.append(compiled)
    if _has_disk_cache:
        _use_disk_cache(compiled)
    return compiled


def compiled_exactly(function: Function) -> Function:
    """As `compiled_entry_point`, with every sum evaluated in the order of the source."""
    return compiled_entry_point(function, nogil=True)


def _compile(function: Function, **options: Any) -> Function:
    compiled: Function = numba.njit(**options)(function)
    return compiled


def enable_disk_cache(folder: Path, *, read_only: bool = False) -> Path:
    """Read and write machine code below `folder` from now on, that of kernels which are imported later, too.

    A process that may be killed at any time should be `read_only`: what is not there it compiles for itself. Returns
    the subfolder of these sources. Numba invalidates its cache only by the file of the entry point, so the subfolder
    is named by the `fingerprint`.
    """
    global _has_disk_cache, _is_read_only
    _has_disk_cache, _is_read_only = True, read_only
    subfolder = folder / fingerprint()
    numba.config.CACHE_DIR = str(subfolder)  # type: ignore[attr-defined]
    for each in _entry_points:
        _use_disk_cache(each)
    return subfolder


def _use_disk_cache(compiled: Any) -> None:
    compiled.enable_caching()
    if _is_read_only:
        compiled._cache.save_overload = lambda signature, code: None


def fingerprint() -> str:
    """The hash of the sources that machine code depends on, and of Numba's version."""
    sources = [source for name in COMPILED for source in (NN / name, *(NN / name).rglob("*.py")) if source.is_file()]
    content = b"".join(source.read_bytes() for source in sorted(sources)) + numba.__version__.encode()
    return hashlib.sha256(content).hexdigest()[:16]


def disable_compilation() -> None:
    """Raise TypeError for what would be compiled from now on: forked children only read machine code."""
    for each in _entry_points:
        each.disable_compile()
