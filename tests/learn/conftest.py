"""Datasets of the tests of runs."""

from pathlib import Path

import pytest

from tests.learn.learner import Learner

NUMBERS = "x,z,y,w\n" + "".join(f"{n % 13},{n % 7},{(n % 13) * 2 - n % 7},{1 + n % 4}\n" for n in range(60))


@pytest.fixture
def iris(tmp_path: Path) -> Learner:
    """The iris sample."""
    return Learner(tmp_path, sample="iris")


@pytest.fixture
def numbers(tmp_path: Path) -> Learner:
    """y = 2 x - z, and a column of weights."""
    return Learner(tmp_path, NUMBERS)
