"""A short run of all faults at random; `make chaos` makes longer ones."""

from pathlib import Path

import pytest

from tests.acceptance.faults.chaos import run

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_with_random_faults_every_job_ends_once_with_the_uninterrupted_result(tmp_path: Path, kind: str) -> None:
    print(run(tmp_path, seconds=12, seed=1, kind=kind))
