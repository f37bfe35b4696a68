"""Names of columns in other spellings than those that are known."""

import pytest

from backpropd.tabular.column_names import respelled


@pytest.mark.parametrize(
    ("names", "known", "expected"),
    [
        (["a  b", "c"], ["a b", "c"], {"a  b": "a b"}),
        (["a\u00a0b", "a b"], ["a b"], {}),
        (["a\u00a0b", "a  b"], ["a b"], {}),
        (["a\u00a0b"], ["a b", "a  b"], {}),
        (["A b"], ["a b"], {}),
        ([], ["a b"], {}),
    ],
    ids=["one", "the known one is there", "two spellings", "two known ones", "another case", "none"],
)
def test_only_what_can_mean_one_column_alone_is_taken_for_it(
    names: list[str], known: list[str], expected: dict[str, str]
) -> None:
    assert respelled(names, known) == expected
