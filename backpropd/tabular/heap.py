"""The heap of the C library, whose gaps count as memory of a parser although nothing uses them."""

import ctypes

M_MMAP_THRESHOLD = -3  # mallopt(3)
MAPPED_BYTES = 32 * 1024  # 20,000 gaps of this size are still below the limit


def avoid_gaps() -> None:
    """Map each larger allocation by itself from now on, so that nothing stays of it when it is freed or shrunk.

    Arrow takes the bytes of a whole block for each column, and gives most of them back.
    """
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):
        set_option(M_MMAP_THRESHOLD, MAPPED_BYTES)
