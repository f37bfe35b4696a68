"""Whether this process reads tables with threads; without them a table takes the least memory, and always as much."""

_are_allowed = True


def forbid_threads() -> None:
    """Read tables without threads in this process from now on."""
    global _are_allowed
    _are_allowed = False


def are_threads_allowed() -> bool:
    """Whether a reader may read ahead, or write, in threads."""
    return _are_allowed
