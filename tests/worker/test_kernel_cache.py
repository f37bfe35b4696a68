"""The kernels of a worker's processes: loaded before the fork, or read by each process at its first job."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from backpropd import nn
from backpropd.config import Settings
from worker import processes

folder, preload = Path(sys.argv[1]), sys.argv[2] == "preload"
use_kernels = processes._prepare_kernels(Settings(data_dir=folder, preload_kernels=preload))
loaded_at_start = "numba" in sys.modules
before = {str(file): file.stat().st_mtime_ns for file in (folder / "kernels").rglob("*.nb*")}
use_kernels()
network = nn.Network(nn.Spec(2, (nn.LayerSpec(1, "logistic"),), "binary_cross_entropy", "float32"))
training = nn.Training(nn.SGD(), epochs=1, batch_size=2, engine="numba")
state = nn.State.start(network, training.optimizer, np.random.default_rng(0))
losses = [epoch.loss for epoch in nn.fit(network, nn.Batch(np.eye(2), np.eye(2)[:, :1]), None, training, state)]
after = {str(file): file.stat().st_mtime_ns for file in (folder / "kernels").rglob("*.nb*")}
from backpropd.nn.kernels import epochs
hits = sum(sum(each.stats.cache_hits.values()) for each in vars(epochs).values() if hasattr(each, "stats"))
print(json.dumps({"at_start": loaded_at_start, "files": len(before), "unchanged": before == after, "hits": hits,
                  "losses": len(losses)}))
"""

ADDITION = """
from backpropd.nn.kernels.compilation import compiled_exactly

@compiled_exactly
def add(a, b):
    return a + b
"""
COMPILING = """
import sys
from pathlib import Path
from backpropd.nn.kernels.compilation import enable_disk_cache

sys.path.append(sys.argv[1])
enable_disk_cache(Path(sys.argv[1]) / "kernels", read_only=sys.argv[2] == "True")
from addition import add
print(add(1, 2))
"""


def trained(folder: Path, how: str) -> Any:
    """What a process with these kernels found before and after it trained."""
    command = [sys.executable, "-c", SCRIPT, str(folder), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("how", ["preload", "late"])
def test_a_process_reads_its_kernels_and_writes_none(tmp_path: Path, how: str) -> None:
    found = trained(tmp_path, how)
    assert found["at_start"] is (how == "preload")
    assert found["files"] > 0
    assert found["unchanged"]
    assert found["losses"] == 1
    assert found["hits"] > 0


@pytest.mark.parametrize("read_only", [False, True])
def test_what_a_read_only_process_compiles_is_not_written(tmp_path: Path, read_only: bool) -> None:
    (tmp_path / "addition.py").write_text(ADDITION)
    command = [sys.executable, "-c", COMPILING, str(tmp_path), str(read_only)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout == "3\n"
    assert bool(list((tmp_path / "kernels").rglob("*.nb*"))) is not read_only
