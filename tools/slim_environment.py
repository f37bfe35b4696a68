"""`python slim_environment.py PROGRAMS`: delete from the environment that runs it, the image's, what no program uses.

What is never loaded of libraries, most of it for debuggers, is cut off. Then every module in the packages of the folder
PROGRAMS and of backpropd is imported, which compiles them and what they import, and fails if one was deleted. Bytecode
of the rest would double the size of all Python files.
"""

import importlib
import pkgutil
import shutil
import struct
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = {".a", ".c", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx"}
UNUSED = (
    "pyarrow/include", "pyarrow/*flight*", "pyarrow/*s3*",  # s3fs is the client of S3
    "pyarrow/libarrow*.so", "pyarrow/libarrow*.so.*.*",  # copies of lib*.so.N, which the extension modules load
    "onnx/backend/test",
    "fontTools/*Lib", "fontTools/cu2qu", "fontTools/misc/bezierTools*", "fontTools/pens", "fontTools/qu2cu",
    "fontTools/subset", "PIL/_avif*", "pillow.libs/libavif*",  # Matplotlib draws PNG, and writes no font
)  # fmt: skip
BOTOCORE_SERVICES = ("s3", "sso", "sso-oidc", "sts", "signin")  # of 400: blobs, and the ways to authenticate
ELF_64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
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


def cut(library: Path) -> None:
    """Shorten an ELF file to its segments. What follows, debug information and symbols of the linker, is never loaded.

    The layout is that of elf(5): a header of 64 bytes, and program headers of 56 bytes. Other files stay as they are.
    """
    data = bytearray(library.read_bytes())
    if not data.startswith(ELF_64_LITTLE_ENDIAN):
        return
    (headers,) = struct.unpack_from("<Q", data, 32)  # e_phoff
    size, count = struct.unpack_from("<HH", data, 54)  # e_phentsize, e_phnum
    ends = [headers + size * count]
    for header in range(headers, headers + size * count, size):
        (offset,) = struct.unpack_from("<Q", data, header + 8)  # p_offset
        (length,) = struct.unpack_from("<Q", data, header + 32)  # p_filesz
        ends.append(offset + length)
    struct.pack_into("<Q", data, 40, 0)  # e_shoff: no section headers
    struct.pack_into("<HH", data, 60, 0, 0)  # e_shnum, e_shstrndx
    library.write_bytes(data[: max(ends)])


def import_programs() -> None:
    """Import every module of the programs but those that run them, and what their libraries import late."""
    for name in ("backpropd", "service", "worker"):
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    for name in LATE:
        importlib.import_module(name)


def main(programs: str) -> None:
    """Delete, cut, then import."""
    packages = Path(sysconfig.get_path("platlib"))
    for path in list(unused(packages)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # it may have been in a folder that is gone
    for library in packages.rglob("*.so*"):
        cut(library)
    sys.path.insert(0, programs)
    import_programs()


if __name__ == "__main__":
    main(sys.argv[1])
