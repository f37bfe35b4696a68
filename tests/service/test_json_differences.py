"""Differences between JSON documents."""

import pytest

from backpropd import errors
from service.json_differences import differences


def test_a_difference_is_as_deep_as_possible() -> None:
    first = {"a": {"b": 1, "c": [1, 2]}, "same": [{"x": 1}], "layers": [{"units": 4, "bias": True}], "gone": 0}
    second = {"a": {"b": 2, "c": [1, 3]}, "same": [{"x": 1}], "layers": [{"units": 8, "bias": True}, {"units": 2}]}
    assert differences([first, second], 100) == {
        "/a/b": [1, 2],
        "/a/c": [[1, 2], [1, 3]],
        "/layers/0/units": [4, 8],
        "/layers/1": [None, {"units": 2}],
        "/gone": [0, None],
    }


def test_one_of_many_that_differs_is_told_with_a_value_for_each() -> None:
    assert differences([{"a/b": 1}, {"a/b": 1}, {"a/b": None}], 100) == {"/a~1b": [1, 1, None]}
    assert differences([{"a": {"b": 1}}, {"a": None}], 100) == {"/a": [{"b": 1}, None]}
    assert differences([{"a": 1}] * 3, 100) == {}


def test_values_are_limited() -> None:
    documents = [{str(n): n for n in range(10)}, {}]
    assert len(differences(documents, 20)) == 10
    with pytest.raises(errors.Invalid, match="more than 19 values"):
        differences(documents, 19)
