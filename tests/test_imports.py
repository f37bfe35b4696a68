"""Programs import only what they need: a module that comes along by an import costs each idle process its memory."""

import subprocess
import sys
from itertools import combinations

import pytest

from embedded.fork_server import SHARED

SHOW = """
import importlib, sys
sys.path.insert(0, ".")
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sys.modules)
"""
PROGRAMS = ("service.app", "worker.processes", "worker.reaper")


def modules_imported_with(*modules: str) -> set[str]:
    """The modules that a new process has imported with these."""
    command = [sys.executable, "-c", SHOW, *modules]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def imported_with(module: str) -> set[str]:
    """The packages that a new process has imported with the module."""
    return {name for name in modules_imported_with(module) if "." not in name}


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("service.app", {"numba", "llvmlite", "matplotlib", "alembic", "botocore"}),
        ("service.__main__", {"numpy", "pyarrow", "sqlalchemy", "flask", "celery"}),
        ("worker.processes", {"numba", "llvmlite", "flask", "alembic", "botocore"}),
        ("worker.reaper", {"numpy", "pyarrow", "celery", "kombu", "numba"}),
        ("backpropd.tabular.sandbox.server", {"numba", "sqlalchemy", "pydantic", "celery", "matplotlib"}),
        ("embedded.stack", {"numpy", "sqlalchemy", "flask", "celery"}),
        ("backpropd.nn", {"numba", "llvmlite", "pyarrow"}),
    ],
)
def test_a_program_does_not_import_what_it_does_not_need(module: str, unneeded: set[str]) -> None:
    assert not imported_with(module) & unneeded


def test_what_two_programs_import_is_imported_before_they_are_forked() -> None:
    shared, needed = modules_imported_with(*SHARED), [modules_imported_with(program) for program in PROGRAMS]
    several = {name for one, other in combinations(needed, 2) for name in one & other}
    assert not {name for name in several - shared if not name.startswith(("worker", "service"))} - {
        "backpropd.session_priority",  # a few lines
        "mmap",
    }
    assert not shared - set().union(*needed)
