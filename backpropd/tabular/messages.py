"""What comes from files and from libraries as a part of messages: short, and without invisible characters."""

MAX_REASON = 200
MAX_NAME = 100


def brief(error: BaseException) -> str:
    """The first line of a library's message."""
    lines = str(error).splitlines() or [type(error).__name__]
    return "".join(each if each.isprintable() else "\ufffd" for each in lines[0][:MAX_REASON])


def quoted(name: str) -> str:
    """A name in quotes; characters that cannot be seen, or are none, are escaped."""
    return repr(name[:MAX_NAME])
