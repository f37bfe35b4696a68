"""The next item of a stream is made in a thread while the last one is used."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

Item = TypeVar("Item")


def prefetched(items: Generator[Item, None, None]) -> Generator[Item, None, None]:
    """The items, of which the next is always being made already; they are closed with this stream."""
    with closing(items), ThreadPoolExecutor(1, "prefetch") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
