"""The compiled engine agrees with the NumPy engine, both keep the promises of `fit`, and runs repeat bit for bit."""

import dataclasses
import json
import threading
from typing import Any

import numpy as np
import pytest

from backpropd.errors import Diverged, Invalid
from backpropd.nn import (
    LBFGS,
    SGD,
    Adam,
    Batch,
    Epoch,
    LayerSpec,
    Network,
    Spec,
    State,
    Training,
    fit,
    fit_in_chunks,
    row_predictor,
)
from backpropd.nn.evaluation.metrics import classification
from backpropd.nn.kernels.updates import BLOCK
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.optimization.regularization import Regularization
from backpropd.nn.optimization.schedules import Cosine, OneCycle, ReduceOnPlateau, Schedule
from backpropd.nn.training.training_config import EarlyStopping
from tests.nn.data import HEADS, HIDDEN, OPTIMIZERS, Array, blobs, checkpoint, classifier, random_batch, regressor

TOLERANCE = {"float32": 2e-4, "float64": 1e-9}


def train(network: Network, training: Training, *sets: Batch | None) -> tuple[list[Epoch], Array]:
    state = State.start(network, training.optimizer, np.random.default_rng(5))
    return list(fit(network, sets[0], sets[1], training, state)), state.theta  # type: ignore[arg-type]


def agree(network: Network, training: Training, *, weighted: bool = False, rows: int = 45) -> None:
    """Assert that both engines give the same epochs and the same theta from the same start."""
    sets = random_batch(network, rows, weighted=weighted), random_batch(network, 20, 1, weighted=weighted)
    (expected, theta), (found, numba_theta) = (
        train(network, dataclasses.replace(training, engine=engine), *sets) for engine in ("numpy", "numba")
    )
    tolerance = TOLERANCE[network.spec.dtype]
    for epochs in zip(expected, found, strict=True):
        numbers = [(each.loss, each.validation_loss, each.gradient_norm, each.learning_rate) for each in epochs]
        np.testing.assert_allclose(numbers[1], numbers[0], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(numba_theta, theta, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_every_activation(activation: str, dtype: str) -> None:
    agree(classifier(7, 20, activation=activation, dtype=dtype), Training(SGD(0.05, 0.9), 4, 10))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("output", "loss", "parameters"), HEADS)
def test_every_loss_with_every_output(output: str, loss: str, parameters: dict[str, float], dtype: str) -> None:
    layers = (LayerSpec(5, "tanh"), LayerSpec(3, output))
    agree(Network(Spec(4, layers, loss, dtype, parameters)), Training(SGD(0.02), 4, 10), weighted=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_every_optimizer(optimizer: Optimizer, dtype: str) -> None:
    agree(classifier(6, dtype=dtype), Training(optimizer, 20, 10))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_more_parameters_than_one_block_of_an_update(optimizer: Optimizer) -> None:
    network = classifier(120, 300, dtype="float64")
    assert network.parameters > 2 * BLOCK
    agree(network, Training(optimizer, 3, 10))


@pytest.mark.parametrize(
    "regularization",
    [
        Regularization(l1=0.01),
        Regularization(l2=0.01),
        Regularization(weight_decay=0.1),
        Regularization(max_norm=0.5),
        Regularization(clip_norm=0.05),
        Regularization(clip_value=0.01),
        Regularization(l1=0.001, l2=0.01, weight_decay=0.1, max_norm=1.0, clip_norm=0.5, clip_value=0.1),
    ],
    ids=repr,
)
def test_every_regularization(regularization: Regularization) -> None:
    agree(classifier(6, 5, dtype="float64"), Training(Adam(0.05), 10, 10, regularization=regularization))


@pytest.mark.parametrize(
    "schedule", [Cosine(), OneCycle(), ReduceOnPlateau(patience=1), Cosine(warmup_epochs=3)], ids=repr
)
def test_every_kind_of_schedule(schedule: Schedule) -> None:
    agree(classifier(6, dtype="float64"), Training(SGD(0.02), 12, 10, schedule=schedule))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_normalization_and_dropout(normalization: str | None, dropout: float, dtype: str) -> None:
    hidden = [
        LayerSpec(units, "tanh", use_bias=False, dropout=dropout, normalization=normalization) for units in (17, 6)
    ]
    network = Network(Spec(4, (*hidden, LayerSpec(3, "softmax")), "cross_entropy", dtype))
    agree(network, Training(SGD(0.05, 0.9), 4, 10))


@pytest.mark.parametrize(("rows", "batch_size"), [(45, 10), (40, 10), (45, 45), (45, 1), (1, 1), (3, 100), (300, 256)])
def test_every_size_of_batch(rows: int, batch_size: int) -> None:
    agree(classifier(40, 30, inputs=9, dtype="float64"), Training(Adam(0.01), 3, batch_size), rows=rows)


def test_many_validation_rows_are_evaluated_in_blocks() -> None:
    network = classifier(6, dtype="float64")
    training = Training(SGD(0.1), 2, 8, engine="numba")
    epochs, theta = train(network, training, blobs(30), blobs(1000, seed=1))
    assert epochs[-1].validation_loss == pytest.approx(network.loss(theta, *blobs(1000, seed=1)), rel=1e-12)


ENGINES = pytest.mark.parametrize("engine", ["numpy", "numba"])


@ENGINES
@pytest.mark.parametrize("options", [{}, {"dropout": 0.3}, {"normalization": "batch"}], ids=str)
@pytest.mark.parametrize("batch_size", [8, 30], ids=["mini-batch", "full batch"])
def test_chunks_single_epochs_and_a_resumed_run_are_the_same_bit_for_bit(
    engine: Any, options: dict[str, Any], batch_size: int
) -> None:
    layers = (LayerSpec(8, "tanh", **options), LayerSpec(3, "softmax"))
    network, sets = Network(Spec(2, layers, "cross_entropy")), (blobs(30), blobs(20, seed=1))
    training = Training(Adam(0.05), 12, batch_size, metrics_every=5, path_every=4, engine=engine)
    state = State.start(network, training.optimizer, np.random.default_rng(0))
    expected = list(fit(network, *sets, training, state, metrics=classification))
    assert [bool(epoch.metrics) for epoch in expected] == [n in (1, 5, 10, 12) for n in range(1, 13)]
    assert state.path_epochs == [0, 4, 8, 12]
    resumed = State.start(network, training.optimizer, np.random.default_rng(0))
    checkpoints = [(0, resumed.arrays(), json.dumps(resumed.meta()))]
    chunked = []
    for chunk in fit_in_chunks(network, *sets, training, resumed, metrics=classification):
        chunked += chunk
        assert resumed.epoch == chunk[-1].epoch
        checkpoints.append((resumed.epoch, resumed.arrays(), json.dumps(resumed.meta())))
    assert chunked == expected
    if not options.get("dropout"):
        assert len(checkpoints) < 12
    for done, arrays, meta in checkpoints:
        again = State.restore(network, training.optimizer, arrays, json.loads(meta))
        assert list(fit(network, *sets, training, again, metrics=classification)) == expected[done:]
        assert checkpoint(again) == checkpoint(state)


def test_an_interrupt_within_a_chunk_yields_its_complete_epochs() -> None:
    network, training = classifier(6), Training(Adam(0.05), 200_000, 8, engine="numba")
    state, interrupt = State.start(network, training.optimizer, np.random.default_rng(0)), np.zeros(1, np.int8)
    timer = threading.Timer(0.2, interrupt.__setitem__, (0, 1))
    timer.start()
    chunks = fit_in_chunks(network, blobs(30), None, training, state, interrupt=interrupt)
    done = [epoch for chunk in chunks for epoch in chunk]
    assert 0 < len(done) == state.epoch < 200_000
    short = dataclasses.replace(training, epochs=state.epoch)
    expected = State.start(network, training.optimizer, np.random.default_rng(0))
    assert [epoch._replace(stop_reason=None) for epoch in fit(network, blobs(30), None, short, expected)] == done
    assert state.theta.tobytes() == expected.theta.tobytes()
    assert state.rng.bit_generator.state == expected.rng.bit_generator.state


@ENGINES
def test_a_diverged_run_names_the_first_layer_that_is_not_finite(engine: Any) -> None:
    # after the first step the weights are about 1e110: activations of the second batch overflow in layer 2
    network, training = regressor(5, 5, 5, activation="linear"), Training(SGD(1e110), 50, 2, engine=engine)
    state = State.start(network, training.optimizer, np.random.default_rng(0))
    with pytest.raises(Diverged, match=r"first in layers\.2") as caught:
        list(fit(network, Batch(np.ones((4, 2)), np.ones((4, 1))), None, training, state))
    assert (caught.value.layer, caught.value.epoch, state.epoch) == ("layers.2", 1, 0)
    assert np.isfinite(state.theta).all()


@ENGINES
def test_a_chunk_that_diverges_yields_the_epochs_before_it(engine: Any) -> None:
    features = np.linspace(-1, 1, 20).reshape(10, 2)
    line, training = Batch(features, 100 * features[:, :1]), Training(SGD(50.0), 400, 10, engine=engine)
    network, runs = regressor(), []
    for run in (fit, fit_in_chunks):
        state = State.start(network, training.optimizer, np.random.default_rng(0))
        with pytest.raises(Diverged) as caught:
            list(run(network, line, None, training, state))
        runs.append((state.epoch, state.theta.tobytes(), str(caught.value)))
    assert runs[0] == runs[1]
    assert runs[0][0] > 2


@pytest.mark.parametrize(
    ("training", "target"),
    [
        (Training(Adam(0.005), 500, 8, engine="numpy"), 0.6),
        (Training(Adam(0.005), 500, 8, engine="numba"), 0.6),
        (Training(LBFGS(), 500, 60), 0.53),
    ],
    ids=["numpy", "numba", "lbfgs"],
)
def test_target_loss_max_seconds_and_a_late_start_of_early_stopping_end_a_run(
    training: Training, target: float
) -> None:
    network, sets = classifier(8), (blobs(60), blobs(30, seed=1))

    def run(**changes: Any) -> tuple[list[Epoch], State]:
        state, ticks = State.start(network, training.optimizer, np.random.default_rng(0)), iter(range(10_000))
        changed = dataclasses.replace(training, **changes)
        return list(fit(network, *sets, changed, state, clock=lambda: float(next(ticks)))), state

    epochs, state = run(target_loss=target)
    assert state.stop_reason == "target_loss"
    assert epochs[-1].validation_loss <= target < epochs[-2].validation_loss  # type: ignore[operator]
    epochs, state = run(max_seconds=7.0)  # a chunk takes one second here
    assert (state.stop_reason, state.seconds) == ("max_seconds", 7.0)
    epochs, state = run(early_stopping=EarlyStopping(patience=2, min_delta=1e6, start_epoch=10))
    assert (len(epochs), state.stop_reason) == (12, "early_stopping")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_the_row_predictor_agrees_with_predict_after_every_change_of_theta(activation: str, dtype: str) -> None:
    hidden = [
        LayerSpec(7, activation),
        LayerSpec(5, activation, use_bias=False, dropout=0.5),
        LayerSpec(6, activation, normalization="batch"),
        LayerSpec(4, activation, normalization="layer"),
    ]
    network = Network(Spec(3, (*hidden, LayerSpec(3, "softmax")), "cross_entropy", dtype))
    rng = np.random.default_rng(0)
    theta, rows = network.initialize(rng), rng.standard_normal((4, 1, 3))
    predict = row_predictor(network, theta)
    for x in rows:
        theta += rng.uniform(0, 0.1, theta.shape)
        np.testing.assert_allclose(predict(x), network.predict(theta, x), rtol=TOLERANCE[dtype])
    for other in (rows[0][:0], rows[:, 0], rows[0][:, :1]):
        with pytest.raises(Invalid):
            predict(other)
