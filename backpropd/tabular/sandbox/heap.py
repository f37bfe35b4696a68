"""The heap of the C library in a parser that decides whether a table takes too much memory."""

import ctypes

M_MMAP_THRESHOLD = -3  # mallopt(3)
MAPPED_BYTES = 128 * 1024


def return_freed_memory() -> None:
    """Map each larger allocation by itself: freed, it leaves no gap in the heap that the next one may not fit in."""
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):
        set_option(M_MMAP_THRESHOLD, MAPPED_BYTES)
