"""Programs import only what they need: a module that comes along by an import costs each idle process its memory."""

import subprocess
import sys

import pytest

SHOW = "import sys; sys.path.insert(0, '.'); import {}; print(*(name for name in sys.modules if '.' not in name))"


def imported_with(module: str) -> set[str]:
    """The packages that a new process has imported with the module."""
    process = subprocess.run([sys.executable, "-c", SHOW.format(module)], capture_output=True, text=True, check=True)
    return set(process.stdout.split())


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("service.app", {"numba", "llvmlite", "matplotlib", "alembic", "botocore"}),
        ("service.__main__", {"numpy", "pyarrow", "sqlalchemy", "flask", "celery"}),
        ("worker.reaper", {"numpy", "pyarrow", "celery", "kombu", "numba"}),
        ("backpropd.tabular.sandbox.server", {"numba", "sqlalchemy", "pydantic", "celery", "matplotlib"}),
        ("embedded.stack", {"numpy", "sqlalchemy", "flask", "celery"}),
        ("backpropd.nn", {"numba", "llvmlite", "pyarrow"}),
    ],
)
def test_a_program_does_not_import_what_it_does_not_need(module: str, unneeded: set[str]) -> None:
    assert not imported_with(module) & unneeded


def test_a_worker_has_imported_the_kernels_before_it_forks() -> None:
    assert "numba" in imported_with("worker.processes")
