"""Fixtures: a table with a column of each kind."""

from pathlib import Path

import pytest

from tests.export.trained import TABLE
from tests.learn.learner import Learner


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    """The table, whose columns have every kind of encoder."""
    return Learner(Path(tmp_path_factory.mktemp("table")), TABLE)
