"""A short mix of every fault at random; `make chaos` goes on for as long as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.faults.chaos import run

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_whatever_is_done_to_it_every_job_ends_once_as_if_nothing_had_happened(tmp_path: Path, kind: str) -> None:
    print(run(tmp_path, seconds=12, seed=1, kind=kind))
