"""Compiled kernels: a child only reads them from the cache, because it could be killed while it writes.

Either the worker's parent loads all of them before it forks, and the children share that memory; or each child loads
those that its jobs need.
"""

import logging
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from backpropd import nn, private_folder
from backpropd.nn.kernels.compilation import disable_compilation, enable_disk_cache, fingerprint

log = logging.getLogger(__name__)

# What `python -m worker compile` makes, when the environment or the image is built.
PREBUILT = Path(sys.prefix) / "kernels"


def prepare(data_dir: Path) -> None:
    """Load every kernel: from the data folder, else from the environment, else by compiling it now."""
    private_folder.make(data_dir)
    folder = _folder(data_dir)
    if (PREBUILT / fingerprint()).is_dir() and not (folder / fingerprint()).is_dir():
        _copy(PREBUILT / fingerprint(), folder / fingerprint())
    enable_disk_cache(folder)
    began = time.monotonic()
    compile_all()
    disable_compilation()
    log.info("the kernels are ready after %.1f s", time.monotonic() - began)


def use(data_dir: Path) -> None:
    """Have this process load each kernel from the data folder when it is first used."""
    enable_disk_cache(_folder(data_dir), read_only=True)


def _folder(data_dir: Path) -> Path:
    return data_dir / "kernels"


def prebuild() -> None:
    """Compile every kernel into the environment."""
    enable_disk_cache(PREBUILT)
    compile_all()


def _copy(source: Path, target: Path) -> None:
    """Copy a folder atomically; several workers may do so at the same time."""
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(source, temporary)
    try:
        temporary.rename(target)
    except OSError:
        shutil.rmtree(temporary)


def compile_all() -> None:
    """Train and predict one small network of each kind, so that each kernel is compiled for its types."""
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([[0.0], [0.0], [0.0], [1.0]])
    for dtype in ("float32", "float64"):
        network = nn.Network(nn.Spec(2, (nn.LayerSpec(1, "logistic"),), "binary_cross_entropy", dtype))
        training = nn.Training(nn.SGD(), epochs=1, batch_size=2, engine="numba")
        state = nn.State.start(network, training.optimizer, np.random.default_rng(0))
        list(nn.fit(network, nn.Batch(x, y), None, training, state))
        nn.row_predictor(network, state.theta)(x[:1])
    multiclass = nn.Batch(x, np.array([0, 1, 2, 2]))
    for neuron, data in (
        (nn.Perceptron(2, dtype="float64"), nn.Batch(x, y)),
        (nn.Perceptron(2, classes=3, dtype="float64"), multiclass),
        (nn.PerceptronNetwork(2, dtype="float64"), nn.Batch(x, y)),
    ):
        list(nn.fit_neuron(neuron, data, None, nn.start_neuron(neuron, np.random.default_rng(0)), epochs=1))
