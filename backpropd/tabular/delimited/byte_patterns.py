"""Regular expressions over bytes, searched by Arrow: the other threads run meanwhile, which Python's `re` prevents."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def contains(data: memoryview, pattern: str) -> bool:
    """Whether RE2 finds the pattern in the bytes, each of which is a character."""
    ends = np.array([0, len(data)], np.int64)
    array = pa.Array.from_buffers(pa.large_binary(), 1, [None, pa.py_buffer(ends), pa.py_buffer(data)])
    return bool(pc.match_substring_regex(array, pattern)[0].as_py())


def literal(characters: bytes) -> str:
    """The pattern of these bytes; within brackets, that of one of them."""
    return "".join(f"\\x{byte:02x}" for byte in characters)
