"""`python slim_environment.py PROGRAMS`: delete from the environment that runs it, the image's, what no program uses.

Then every module in the packages of the folder PROGRAMS and of backpropd is imported, which compiles them and what they
import, and fails if one was deleted. Bytecode of the rest would double the size of all Python files.
"""

import importlib
import pkgutil
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = {".a", ".c", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx"}
UNUSED = (
    "pyarrow/include", "pyarrow/*flight*", "pyarrow/*s3*",  # s3fs is the client of S3
    "pyarrow/libarrow*.so", "pyarrow/libarrow*.so.*.*",  # copies of lib*.so.N, which the extension modules load
    "fontTools/*Lib", "fontTools/cu2qu", "fontTools/misc/bezierTools*", "fontTools/pens", "fontTools/qu2cu",
    "fontTools/subset", "PIL/_avif*", "pillow.libs/libavif*",  # Matplotlib draws PNG, and writes no font
)  # fmt: skip
BOTOCORE_SERVICES = ("s3", "sso", "sso-oidc", "sts", "signin")  # of 400: blobs, and the ways to authenticate
LATE = (
    "alembic.command", "celery.bin.worker", "celery.concurrency.prefork", "celery.worker.worker", "granian.server",
    "pysqlite3", "s3fs", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite",
)  # fmt: skip


def unused(packages: Path) -> Iterator[Path]:
    """The files and folders in site-packages that no program uses."""
    yield from (path for path in packages.rglob("*") if path.suffix in SUFFIXES or path.name == "tests")
    for pattern in UNUSED:
        yield from packages.glob(pattern)
    for service in packages.glob("botocore/data/*/"):
        if service.is_dir() and service.name not in BOTOCORE_SERVICES:
            yield service


def import_programs() -> None:
    """Import every module of the programs but those that run them, and what their libraries import late."""
    for name in ("backpropd", "service", "worker"):
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    for name in LATE:
        importlib.import_module(name)


def main(programs: str) -> None:
    """Delete, then import."""
    for path in list(unused(Path(sysconfig.get_path("platlib")))):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # it may have been in a folder that is gone
    sys.path.insert(0, programs)
    import_programs()


if __name__ == "__main__":
    main(sys.argv[1])
