"""The image's environment without the files that no program uses."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.deploy.compose import ROOT
from tools import slim_environment

LOADED = """
import sys, sysconfig
from pathlib import Path
sys.path.insert(0, ".")
from tools import slim_environment
slim_environment.import_programs()
packages = Path(sysconfig.get_path("platlib"))
files = {Path(module.__file__) for module in sys.modules.values() if getattr(module, "__file__", None)}
maps = Path("/proc/self/maps")
files |= {Path(line.split()[-1]) for line in maps.read_text().splitlines() if "/" in line} if maps.exists() else set()
for path in slim_environment.unused(packages):
    if "s3" in path.name:
        continue  # loaded where it exists
    if path in files or (path.is_dir() and any(path in file.parents for file in files)):
        print(path)
"""


def test_no_program_loads_a_file_that_is_deleted_from_the_image() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_tests_headers_and_other_clients_are_deleted(tmp_path: Path) -> None:
    names = ("numpy/tests/a.py", "numpy/a.pyi", "pyarrow/libarrow_s3.so.26", "botocore/data/ec2/a.json")
    kept = ("numpy/a.py", "pyarrow/libarrow.so.26", "botocore/data/s3/a.json", "botocore/data/endpoints.json")
    for name in (*names, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {str(path.relative_to(tmp_path)) for path in slim_environment.unused(tmp_path)}
    assert found == {"numpy/tests", "numpy/a.pyi", "pyarrow/libarrow_s3.so.26", "botocore/data/ec2"}


LOAD = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("kiwisolver._cext", sys.argv[1])
library = module_from_spec(spec)
spec.loader.exec_module(library)
x, solver = library.Variable("x"), library.Solver()
solver.addConstraint(2 * x == 6)
solver.updateVariables()
print(x.value())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="libraries are ELF files on Linux")
def test_a_library_that_was_cut_is_smaller_and_works(tmp_path: Path) -> None:
    spec = find_spec("kiwisolver._cext")  # it comes with debug information
    assert spec is not None
    assert spec.origin is not None
    library = Path(shutil.copy(spec.origin, tmp_path))
    before = library.stat().st_size
    slim_environment.cut(library)
    once = library.read_bytes()
    slim_environment.cut(library)
    assert library.read_bytes() == once, "nothing is left to cut"
    assert len(once) < before
    done = subprocess.run([sys.executable, "-c", LOAD, library], capture_output=True, text=True, check=True)
    assert done.stdout == "3.0\n"


def test_a_file_that_is_not_elf_is_not_cut(tmp_path: Path) -> None:
    script = tmp_path / "libc.so"  # linkers read such text
    script.write_text("GROUP ( libc.so.6 )")
    slim_environment.cut(script)
    assert script.read_text() == "GROUP ( libc.so.6 )"
