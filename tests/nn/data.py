"""Small networks, data sets and helpers that the tests of this folder share."""

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd import nn
from backpropd.nn import ACTIVATIONS, LOSSES, Batch, Epoch, LayerSpec, Network, Neuron, Spec, State, Training
from backpropd.nn.optimization import optimizers

Array = NDArray[Any]

HIDDEN = sorted(name for name, activation in ACTIVATIONS.items() if activation.hidden)
# Every loss with every output activation that it may have, and with its parameters.
HEADS: list[tuple[str, str, dict[str, float]]] = [
    *(
        (output, loss, {})
        for output, loss in sorted({(each.fused_with or a, n) for n, each in LOSSES.items() for a in ACTIVATIONS})
    ),
    ("softmax", "cross_entropy", {"label_smoothing": 0.2}),
    ("logistic", "binary_cross_entropy", {"label_smoothing": 0.2}),
    ("linear", "huber", {"delta": 0.3}),
]
# Every optimizer that takes mini-batches, as it is by default and with parameters that change its formula.
OPTIMIZERS: list[optimizers.Optimizer] = [
    *(optimizer() for optimizer in nn.OPTIMIZERS.values() if not optimizer.full_batch),
    optimizers.SGD(0.1, 0.9),
    optimizers.SGD(0.1, 0.9, nesterov=True),
    optimizers.Adagrad(0.1, initial_accumulator=0.3),
    optimizers.RMSprop(0.01, momentum=0.8),
    optimizers.Adam(0.05, amsgrad=True),
]

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
XOR_TARGETS = np.array([[0], [1], [1], [0]], np.float64)


def classifier(
    *hidden: int, inputs: int = 2, classes: int = 3, activation: str = "tanh", dtype: str = "float32"
) -> Network:
    layers = (*(LayerSpec(units, activation) for units in hidden), LayerSpec(classes, "softmax"))
    return Network(Spec(inputs, layers, "cross_entropy", dtype))


def regressor(*hidden: int, inputs: int = 2, activation: str = "tanh", dtype: str = "float64") -> Network:
    layers = (*(LayerSpec(units, activation) for units in hidden), LayerSpec(1, "linear"))
    return Network(Spec(inputs, layers, "squared_error", dtype))


def separator(*hidden: int, activation: str = "tanh", dtype: str = "float64") -> Network:
    """Two inputs, one logistic output."""
    layers = (*(LayerSpec(units, activation) for units in hidden), LayerSpec(1, "logistic"))
    return Network(Spec(2, layers, "binary_cross_entropy", dtype))


def blobs(rows: int, *, classes: int = 3, spread: float = 0.8, seed: int = 0) -> Batch:
    """Points around the corners of a regular polygon; the nearer the corners, the harder."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    angles = 2 * np.pi * y / classes
    return Batch(np.c_[np.cos(angles), np.sin(angles)] + rng.normal(0, spread, (rows, 2)), y)


def run(
    network: Network,
    training_set: Batch,
    training: Training,
    validation_set: Batch | None = None,
    *,
    seed: int = 0,
) -> tuple[list[Epoch], State]:
    state = State.start(network, training.optimizer, np.random.default_rng(seed))
    return list(nn.fit(network, training_set, validation_set, training, state)), state


def run_neuron(
    neuron: Neuron, x: Array, y: Array, validation_set: Batch | None = None, *, epochs: int = 100, seed: int = 0
) -> tuple[list[Epoch], State]:
    state = nn.start_neuron(neuron, np.random.default_rng(seed))
    return list(nn.fit_neuron(neuron, Batch(x, y), validation_set, state, epochs=epochs)), state


def truth_table(inputs: int) -> Array:
    """All the rows (2^inputs, inputs) of a truth table, in the order 00, 01, 10, 11."""
    return np.array(list(itertools.product([0, 1], repeat=inputs)))


def random_batch(network: Network, rows: int, seed: int = 0, *, weighted: bool = False) -> Batch:
    """Rows, targets of the kind that the loss takes, and perhaps weights of rows."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, network.spec.inputs))
    weight = rng.uniform(0, 2, rows) if weighted else None
    if network.loss_function.takes_classes:
        return Batch(x, rng.integers(0, network.outputs, rows), weight)
    return Batch(x, rng.integers(0, 2, (rows, network.outputs)).astype(float), weight)


def checkpoint(state: State) -> tuple[dict[str, bytes], str]:
    """All that a checkpoint of this state contains, to compare it bit for bit."""
    return {name: array.tobytes() for name, array in state.arrays().items()}, json.dumps(state.meta())


def resume_from_every_epoch(
    state: State, train: Callable[[State], Iterable[Epoch]], restore: Callable[[Any, Any], State]
) -> list[Epoch]:
    """Assert that a run resumed from any epoch equals the uninterrupted one bit for bit; gives all epochs."""
    saved, epochs = [(state.arrays(), json.dumps(state.meta()))], []
    for epoch in train(state):
        epochs.append(epoch)
        saved.append((state.arrays(), json.dumps(state.meta())))
    for done, (arrays, meta) in enumerate(saved):
        resumed = restore(arrays, json.loads(meta))
        assert list(train(resumed)) == epochs[done:]
        assert checkpoint(resumed) == checkpoint(state)
    return epochs


class Countdown:
    """An interrupt that is set after `left` reads, as another thread would set it."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __getitem__(self, index: int) -> int:
        self.left -= 1
        return int(self.left < 0)
