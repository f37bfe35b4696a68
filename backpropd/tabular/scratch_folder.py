"""A folder for temporary files, made when it is first asked for: most tables need none."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ScratchFolder = Callable[[], Path]


@contextmanager
def scratch_folder(parent: Path) -> Iterator[ScratchFolder]:
    """A function that gives a folder within `parent`; it is removed at the end."""
    with ExitStack() as stack:
        yield cache(lambda: Path(stack.enter_context(TemporaryDirectory(dir=parent, prefix="reading-"))))
