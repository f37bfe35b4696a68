"""How often the state of training is stored: `auto` becomes an interval, and an interval is checked."""

from collections.abc import Mapping

from backpropd import errors

MAX_SNAPSHOTS = 10_000  # of one job
MAX_BYTES = 128 * 1024**2  # of all snapshots of one job, and so of the largest one
AUTO_SNAPSHOTS = 500
AUTO_BYTES = 16 * 1024**2
POINTER = "/training/snapshots"


def resolve(requested: str | Mapping[str, int] | None, epochs: int, size: int) -> dict[str, int] | None:
    """The interval of snapshots of `size` bytes each, in epochs; the start is one of them.

    It follows from sizes alone, so that the same request becomes the same spec everywhere. Raises
    `errors.TooLargeForMemory` for more snapshots than are stored.
    """
    if requested is None:
        return None
    most = min(MAX_BYTES // size, MAX_SNAPSHOTS)
    if most < 2:
        detail = f"one snapshot has about {size} bytes, and all of a job may have {MAX_BYTES}: leave them out"
        raise errors.TooLargeForMemory(detail, pointer=POINTER)
    if isinstance(requested, str):
        return {"every": interval(epochs, max(min(AUTO_BYTES // size, AUTO_SNAPSHOTS), 2))}
    every = requested["every"]
    if epochs // every + 1 > most:
        detail = (
            f"{epochs // every + 1} snapshots of about {size} bytes each are too many: at most {most} are stored. "
            f'Let "every" be {interval(epochs, most)} or more, or "auto"'
        )
        raise errors.TooLargeForMemory(detail, pointer=POINTER)
    return {"every": every}


def interval(epochs: int, most: int) -> int:
    """The smallest interval with which there are at most `most` snapshots, the start included."""
    return epochs // most + 1
