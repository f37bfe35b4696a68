"""The NumPy core beside scikit-learn's MLP: same network, data and hyperparameters, one thread, one run.

`python -m bench.core` prints microseconds a step, and how many steps the core takes in the time of one of the
peer's.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # NumPy reads it when it loads, so before the imports
# ruff: noqa: E402

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from backpropd.nn import SGD, Batch, LayerSpec, Network, Spec, State, Training, fit

ROUNDS = 9
LEARNING_RATE, MOMENTUM = 0.01, 0.9


class Workload(NamedTuple):
    """A data set's size, a network, and how long one measurement runs."""

    name: str
    rows: int
    inputs: int
    hidden: tuple[int, ...]
    classes: int
    batch_size: int
    epochs: int

    @property
    def steps(self) -> int:
        return self.epochs * -(-self.rows // self.batch_size)


WORKLOADS = (
    Workload("play", 500, 2, (4, 4), 2, 10, 20),
    Workload("iris", 150, 4, (8,), 3, 32, 100),
    Workload("breast_cancer", 569, 30, (64, 32), 2, 32, 20),
    Workload("digits", 1797, 64, (64,), 10, 64, 10),
)


def data(workload: Workload) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Normal features in float32, and classes that a linear rule gives."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((workload.rows, workload.inputs)).astype(np.float32)
    return x, (x @ rng.standard_normal((workload.inputs, workload.classes))).argmax(axis=1)


def train_core(workload: Workload) -> Callable[[], object]:
    """Two classes are one logistic output, as scikit-learn has it; more are softmax."""
    x, y = data(workload)
    output, loss = LayerSpec(workload.classes, "softmax"), "cross_entropy"
    if workload.classes == 2:
        output, loss, y = LayerSpec(1, "logistic"), "binary_cross_entropy", y[:, None]
    layers = (*(LayerSpec(units, "relu") for units in workload.hidden), output)
    network = Network(Spec(workload.inputs, layers, loss))
    training = Training(SGD(LEARNING_RATE, MOMENTUM), workload.epochs, workload.batch_size)

    def run() -> object:
        state = State.start(network, training.optimizer, np.random.default_rng(0))
        return [epoch.loss for epoch in fit(network, Batch(x, y), None, training, state)]

    return run


def train_peer(workload: Workload) -> Callable[[], object]:
    """scikit-learn's MLPClassifier, with everything off that the core does not do."""
    x, y = data(workload)
    model = MLPClassifier(
        workload.hidden,
        activation="relu",
        solver="sgd",
        alpha=0.0,
        batch_size=workload.batch_size,
        learning_rate_init=LEARNING_RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        max_iter=workload.epochs,
        tol=0.0,
        n_iter_no_change=workload.epochs + 1,
        random_state=0,
    )
    return lambda: model.fit(x, y)


def microseconds_a_step(run: Callable[[], object], steps: int) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) / steps * 1e6


def compare(workload: Workload) -> tuple[float, float]:
    """The medians (core, peer) of rounds that take turns, after one of each to warm up."""
    core, peer = train_core(workload), train_peer(workload)
    rounds = [
        (microseconds_a_step(core, workload.steps), microseconds_a_step(peer, workload.steps))
        for _ in range(ROUNDS + 1)
    ]
    ours, theirs = zip(*rounds[1:], strict=True)
    return statistics.median(ours), statistics.median(theirs)


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is the point, not convergence
    print("SGD with momentum, float32, relu, one thread; µs a step, medians of rounds that take turns\n")
    print(f"{'workload':<14} {'rows':>5} {'hidden':>8} {'batch':>5} {'core':>8} {'sklearn':>8} {'ratio':>6}")
    for workload in WORKLOADS:
        core, peer = compare(workload)
        hidden = "-".join(map(str, workload.hidden))
        print(
            f"{workload.name:<14} {workload.rows:>5} {hidden:>8} {workload.batch_size:>5} "
            f"{core:>8.1f} {peer:>8.1f} {peer / core:>5.1f}×"
        )


if __name__ == "__main__":
    main()
