"""The block sizes of a matrix product, from the registers and caches of the processor that the code is compiled for."""

import platform

from llvmlite import binding


def _register_blocking() -> tuple[int, int, int]:
    """VECTOR_BYTES, MR and VECTORS: a tile, a row of B and a number of A fit in the 32 or 16 (AVX2, SSE) registers."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 8, 2
    if features.get("avx2"):
        return 32, 4, 2
    return 16, 4, 4 if platform.machine() in ("aarch64", "arm64") else 2


VECTOR_BYTES, MR, VECTORS = _register_blocking()
"""A tile of C has MR rows and NR columns. NR is VECTORS registers of numbers."""

KC = 512  # of a sum at a time: a micro-panel of A (MR, KC) stays in the L1 cache
NC = 256  # columns of B: a packed panel (KC, NC) stays in the L2 cache
MC = 16  # rows of A that are packed together: a cache line of float32 in transposed A

PACK_B_ABOVE = 2**16  # numbers of B; fewer stay in the cache and are read in place
PACK_A_FROM = 8  # tiles in a row of C that repay packing A

PACKED_SIZE = KC * (NC + MC)
"""How many numbers `gemm` packs at a time: a panel of B, then a block of A."""
