"""The lines of rows, kept in runs."""

import random

from backpropd.tabular.line_numbers import LineNumbers


def test_every_row_has_the_line_that_was_noted_whatever_the_distances_are() -> None:
    random.seed(1)
    lines = [0]
    for _ in range(2000):
        lines.append(lines[-1] + random.choice((0, 0, 1, 1, 1, 5)))
    numbers = LineNumbers()
    for line in lines:
        numbers.add(line)
    assert [numbers.line_of(row) for row in range(len(lines))] == lines
    assert len(numbers) == len(lines)


def test_rows_at_a_constant_distance_are_one_run() -> None:
    numbers = LineNumbers()
    for row in range(100_000):
        numbers.add(3 + 7 * row)
    assert numbers.line_of(99_999) == 3 + 7 * 99_999
    assert len(numbers._rows) == 1


def test_rows_follow_a_jump_line_by_line() -> None:
    numbers = LineNumbers()
    numbers.jump(0, 0)
    numbers.jump(5, 9)
    assert [numbers.line_of(row) for row in (0, 4, 5, 7)] == [0, 4, 9, 11]
