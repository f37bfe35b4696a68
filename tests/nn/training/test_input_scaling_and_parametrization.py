"""Input scaling, the neural tangent parametrization, and early stopping on the accuracy."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import (
    LBFGS,
    OPTIMIZERS,
    SGD,
    Adam,
    Batch,
    EarlyStopping,
    LayerSpec,
    Nadam,
    Network,
    Regularization,
    Spec,
    State,
    Training,
    fit,
    row_predictor,
)
from backpropd.nn.evaluation.metrics import classification, error_rate, multi_label
from backpropd.nn.inspection.gradient_check import gradient_error
from backpropd.nn.optimization.schedules import Coslog4
from tests.nn.data import Array, blobs, checkpoint, random_batch
from tests.nn.training.test_engines import agree


def network(dtype: str = "float64", *, parametrization: str = "ntk", normalization: str | None = None) -> Network:
    """Three inputs that are scaled, two hidden layers, three classes."""
    hidden = (LayerSpec(7, "selu", "lecun_normal"), LayerSpec(6, "mish", "lecun_normal", normalization=normalization))
    layers = (*hidden, LayerSpec(3, "softmax", "zeros"))
    return Network(Spec(3, layers, "cross_entropy", dtype, {"label_smoothing": 0.1}, True, parametrization))


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_the_gradient_is_the_slope_of_the_loss_at_the_input_scales(normalization: str | None) -> None:
    scaled, rng = network(normalization=normalization), np.random.default_rng(1)
    theta = scaled.initialize(rng)
    theta[: scaled.parameters] += 0.3 * rng.standard_normal(scaled.parameters)
    assert gradient_error(scaled, theta, random_batch(scaled, 7, weighted=True), rng) <= 1e-6


def test_scaled_inputs_are_those_of_a_network_without_scales() -> None:
    scaled, rng = network(), np.random.default_rng(0)
    theta, x = scaled.initialize(rng), rng.standard_normal((9, 3))
    scales = scaled.layout.views(theta)["layers.0.input_scale"]
    np.testing.assert_array_equal(scales, 1)
    scales[:] = [0.5, -2.0, 3.0]
    plain = Network(dataclasses.replace(scaled.spec, input_scaling=False))
    others = np.concatenate([view.ravel() for name, view in scaled.layout.views(theta).items() if "input" not in name])
    np.testing.assert_allclose(scaled.predict(theta, x), plain.predict(others, x * scales), rtol=1e-12)
    np.testing.assert_allclose(row_predictor(scaled, theta)(x[:1]), scaled.predict(theta, x[:1]), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
@pytest.mark.parametrize("optimizer", [Adam(0.05, beta2=0.95), Nadam(0.02)], ids=repr)
@pytest.mark.parametrize("regularization", [Regularization(), Regularization(l2=0.01, clip_norm=0.05)], ids=repr)
def test_both_engines_agree(optimizer: Any, parametrization: str, regularization: Regularization, dtype: str) -> None:
    training = Training(optimizer, 6, 10, schedule=Coslog4(), regularization=regularization)
    agree(network(dtype, parametrization=parametrization), training, weighted=True)


def test_adam_in_the_ntk_parametrization_is_adam_over_weights_that_are_divided_by_the_root_of_their_inputs() -> None:
    x, y = np.random.default_rng(3).standard_normal((2, 30, 4))
    spec = Spec(4, (LayerSpec(5, "tanh", "lecun_normal"), LayerSpec(4, "linear", "lecun_normal")), "squared_error",
                "float64", parametrization="ntk")  # fmt: skip
    ours, training = Network(spec), Training(Adam(0.01, epsilon=1e-30), 3, 10)
    state = State.start(ours, training.optimizer, np.random.default_rng(0))
    theta = state.theta.copy()
    plain, divided = Network(dataclasses.replace(spec, parametrization="standard")), np.ones(ours.parameters)
    rates = np.ones(ours.parameters)
    for where, factor in ours.rate_segments:
        divided[where], rates[where] = (factor, 1.0) if factor in (1 / 2, 1 / np.sqrt(5)) else (1.0, 0.1)
    list(fit(ours, Batch(x, y), None, training, state))
    assert_is_adam_over(theta / divided, divided, rates, plain, Batch(x, y), state.theta)


def assert_is_adam_over(w: Array, divided: Array, rates: Array, network: Network, data: Batch, expected: Array) -> None:
    """Assert that Adam over w, with theta = w · divided and a rate for each component, ends at `expected`."""
    rng, slots, step = np.random.default_rng(0), np.zeros((2, w.size)), 0
    Network(dataclasses.replace(network.spec, parametrization="ntk")).initialize(rng)  # draws what the run drew
    for _ in range(3):
        order = rng.permutation(30)
        for rows in np.split(order, 3):
            theta, gradient, step = w * divided, np.zeros(w.size), step + 1
            workspace = network.workspace(theta, gradient, 10)
            network.loss_and_gradient(workspace, Batch(data.x[rows], data.y[rows]), rng)
            before = w.copy()
            Adam(0.01, epsilon=1e-30).step(w, gradient * divided, slots, step, 0.01)
            w = before + rates * (w - before)
    np.testing.assert_allclose(w * divided, expected, rtol=1e-9, atol=1e-12)


def test_hidden_biases_start_as_normal_numbers_in_the_ntk_parametrization() -> None:
    views = network().layout.views(network().initialize(np.random.default_rng(0)))
    assert 0.3 < np.std(views["layers.0.bias"]) < 3
    assert not views["layers.2.bias"].any()


@pytest.mark.parametrize("optimizer", [SGD(), OPTIMIZERS["adadelta"](), LBFGS()], ids=repr)
def test_an_optimizer_whose_steps_grow_with_the_gradient_does_not_go_with_the_ntk_parametrization(
    optimizer: Any,
) -> None:
    training = Training(optimizer, 1, 30)
    state = State.start(network(), Adam(), np.random.default_rng(0))
    with pytest.raises(Invalid, match="standard parametrization"):
        list(fit(network(), random_batch(network(), 30), None, training, state))


CLASSES = Spec(2, (LayerSpec(6, "tanh"), LayerSpec(3, "softmax")), "cross_entropy")
LABELS = Spec(2, (LayerSpec(6, "tanh"), LayerSpec(3, "logistic")), "binary_cross_entropy")


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("spec", [CLASSES, LABELS], ids=["classes", "labels"])
@pytest.mark.parametrize("ties", ["first", "last"])
def test_early_stopping_on_the_accuracy_restores_the_first_or_the_last_of_the_best_epochs(
    engine: Any, spec: Spec, ties: Any
) -> None:
    network = Network(spec)
    stopping = EarlyStopping("validation_accuracy", patience=8, ties=ties)
    training = Training(Adam(0.02), 60, 10, early_stopping=stopping, engine=engine)
    sets = tuple(
        each if spec is CLASSES else each._replace(y=np.eye(3)[each.y]) for each in (blobs(40), blobs(31, seed=1))
    )
    metrics = classification if spec is CLASSES else multi_label
    state = State.start(network, training.optimizer, np.random.default_rng(0))
    epochs, states = [], []
    for epoch in fit(network, *sets, training, state, metrics=metrics):
        epochs.append(epoch)
        states.append((state.arrays(), json.dumps(state.meta())))
    errors = [1 - epoch.validation_metrics["accuracy"] for epoch in epochs]  # type: ignore[index]
    best = [n for n, error in enumerate(errors, start=1) if error == pytest.approx(min(errors))]
    assert len(best) > 1
    assert (state.stop_reason, state.best_epoch) == ("early_stopping", best[0 if ties == "first" else -1])
    assert error_rate(network.predict(state.theta, sets[1].x), sets[1].y) == pytest.approx(min(errors))
    for done, (arrays, meta) in enumerate(states[:5], start=1):
        again = State.restore(network, training.optimizer, arrays, json.loads(meta))
        assert list(fit(network, *sets, training, again, metrics=metrics)) == epochs[done:]
        assert checkpoint(again) == checkpoint(state)


def test_the_error_rate_is_one_minus_the_accuracy() -> None:
    rng = np.random.default_rng(0)
    h, y = rng.random((50, 3)), rng.integers(0, 3, 50)
    assert error_rate(h, y) == pytest.approx(1 - classification(h, y)["accuracy"])
    labels = np.eye(3)[y]
    assert error_rate(h, labels) == pytest.approx(1 - multi_label(h, labels)["accuracy"])
