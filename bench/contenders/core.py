"""The project's own engines, compiled and in NumPy: epochs of training, and the prediction of one row."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import numba
import numpy as np

from backpropd.nn import SGD, LayerSpec, Network, Spec, State, Training, fit_in_chunks, row_predictor
from backpropd.nn.evaluation.metrics import classification
from bench.workloads import LEARNING_RATE, MOMENTUM, Workload, data

VERSION = f"NumPy {np.__version__}, Numba {numba.__version__}"


def network_of(workload: Workload) -> Network:
    """The workload's network."""
    hidden = [LayerSpec(units, "relu") for units in workload.hidden]
    if workload.outputs == 1:
        return Network(Spec(workload.inputs, (*hidden, LayerSpec(1, "logistic")), "binary_cross_entropy"))
    return Network(Spec(workload.inputs, (*hidden, LayerSpec(workload.outputs, "softmax")), "cross_entropy"))


def train(engine: Literal["numba", "numpy"], workload: Workload) -> Callable[[], Callable[[int], object]]:
    """Each start has a new theta; the time is that of `fit_in_chunks`, with everything it does per epoch."""
    network = network_of(workload)
    x, y = data(workload)
    batch = network.batch(x, y[:, None] if workload.outputs == 1 else y)

    training = Training(SGD(LEARNING_RATE, MOMENTUM), 1, workload.batch_size, engine=engine)
    metrics = None
    if workload.metrics_every:
        metrics, training = classification, replace(training, metrics_every=workload.metrics_every)

    def start() -> Callable[[int], object]:
        state = State.start(network, training.optimizer, np.random.default_rng(0))
        return lambda epochs: deque(
            fit_in_chunks(network, batch, None, replace(training, epochs=epochs), state, metrics=metrics), maxlen=0
        )

    return start


def predict(way: Literal["predict", "row_predictor"], workload: Workload) -> Callable[[], Callable[[int], object]]:
    """One row with `Network.predict`, or with a reused `row_predictor`, as often as requested."""
    network = network_of(workload)
    theta = network.initialize(np.random.default_rng(0))
    row = data(workload)[0][:1]
    predict = row_predictor(network, theta) if way == "row_predictor" else partial(network.predict, theta)

    def run(times: int) -> None:
        for _ in range(times):
            predict(row)

    return lambda: run


CONTENDERS = {
    "compiled": partial(train, "numba"),
    "numpy": partial(train, "numpy"),
    "predict": partial(predict, "predict"),
    "row_predictor": partial(predict, "row_predictor"),
}
