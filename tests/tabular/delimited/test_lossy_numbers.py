"""The quick search for leading zeros misses none that the exact pattern finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpropd.tabular.delimited.byte_patterns import contains
from backpropd.tabular.delimited.lossy_numbers import WINDOW_BYTES, code_pattern, may_begin_with_zeros

ROWS = st.lists(st.text(alphabet="0017e-. ,;\nx/", max_size=12), max_size=6).map(",".join)


@given(ROWS, st.sampled_from([",", ";", "\t", "|", "/", "e", "-", "+"]))
def test_what_the_pattern_finds_the_quick_search_finds(text: str, delimiter: str) -> None:
    data = memoryview(text.encode())
    if contains(data, code_pattern(delimiter)):
        assert may_begin_with_zeros(data, delimiter)


@pytest.mark.parametrize("before", [*range(6), *range(WINDOW_BYTES - 6, WINDOW_BYTES + 6)])
def test_a_leading_zero_is_found_wherever_a_window_ends(before: int) -> None:
    data = memoryview(b"1" * max(before - 1, 0) + b"\n" * (before > 0) + b"-07\n" + b"1" * 9)
    assert may_begin_with_zeros(data, ",")


@pytest.mark.parametrize("text", ["0.5,10,-0.25,1e-05,-3E-07,100.001", "", "0", "-0"])
def test_usual_numbers_are_no_alarm(text: str) -> None:
    assert not may_begin_with_zeros(memoryview(text.encode()), ",")
