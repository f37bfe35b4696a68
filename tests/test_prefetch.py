"""Items that are made ahead of their use."""

from collections.abc import Iterator

import pytest

from backpropd.prefetch import prefetched


def test_items_come_in_order_and_one_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    found = prefetched(items())
    assert next(found) == 0
    assert list(found) == [1, 2, 3, 4]
    assert made == [0, 1, 2, 3, 4]


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    found = prefetched(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)


def test_closing_stops_after_the_item_that_is_being_made() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    found = prefetched(items())
    next(found)
    found.close()  # type: ignore[attr-defined]  # a generator
    assert len(made) <= 3
