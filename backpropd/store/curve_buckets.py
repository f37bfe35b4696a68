"""The size of the buckets by which `curve_thinning` thins a long curve. The reaper has no NumPy."""

MAX_EPOCHS = 100_000  # that are kept of a curve
KEPT_OF_BUCKET = 5  # at most


def bucket_size(epochs: int) -> int:
    """The number of epochs in a bucket of a curve of this length: 1, or a larger power of two."""
    if epochs <= MAX_EPOCHS:
        return 1
    smallest = -(-KEPT_OF_BUCKET * epochs // (MAX_EPOCHS - 2))
    return 1 << (smallest - 1).bit_length()
