"""L-BFGS: it is as good as SciPy's, converges by its tolerances, and satisfies the contract of `fit`."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, minimize

from backpropd.errors import Diverged, Invalid
from backpropd.nn import LBFGS, Batch, LayerSpec, Network, Regularization, Spec, State, Training, fit, fit_in_chunks
from backpropd.nn.evaluation.metrics import classification
from backpropd.nn.feedforward.losses import LOSSES
from backpropd.nn.inspection.gradient_check import gradient
from backpropd.nn.optimization.schedules import Exponential
from tests.nn.data import Array, Countdown, blobs, checkpoint, classifier, regressor, run

ROWS = 60
TRAINING = Training(LBFGS(), 40, ROWS)
SETS = blobs(ROWS), blobs(30, seed=1)


def start(network: Network, optimizer: Any = TRAINING.optimizer) -> State:
    return State.start(network, optimizer, np.random.default_rng(0))


def peer_run(network: Network, data: Batch, theta: Array, l2: float, training: Training) -> OptimizeResult:
    """The result of SciPy's L-BFGS-B on the same function, from `theta`."""
    optimizer = cast(LBFGS, training.optimizer)
    weights = np.concatenate(
        [np.full(view.size, view.ndim == 2) for view in network.layout.views(network.layout.zeros("float64")).values()]
    )

    def function(x: Array) -> tuple[float, Array]:
        penalty, slope = l2 * (weights * x) @ x, 2 * l2 * weights * x
        return network.loss(x, *data) + penalty, gradient(network, x, *data) + slope

    options = {"maxcor": optimizer.history, "maxls": optimizer.max_line_search, "maxiter": training.epochs}
    options |= {"ftol": optimizer.loss_tolerance, "gtol": optimizer.gradient_tolerance}
    return minimize(function, theta, jac=True, method="L-BFGS-B", options=options)


NETWORKS = {
    "tanh": classifier(8, dtype="float64"),
    "relu": classifier(6, 5, activation="relu", dtype="float64"),
    "no hidden layer": classifier(dtype="float64"),
    "regression": regressor(6, 5),
}


OUTPUTS = sorted(
    (loss.fused_with or {"poisson": "exponential"}.get(name, "linear"), name) for name, loss in LOSSES.items()
)


def targets_of(network: Network) -> Batch:
    x = SETS[0].x
    return SETS[0] if network.loss_function.takes_classes else Batch(x, np.sin(2 * x[:, :1]) + x[:, 1:])


@pytest.mark.parametrize("l2", [0.01, 0.03])
@pytest.mark.parametrize("optimizer", [LBFGS(), LBFGS(4, 30), LBFGS(gradient_tolerance=1e-3)], ids=repr)
@pytest.mark.parametrize("name", ["tanh", "no hidden layer", "regression"])
def test_it_converges_to_the_loss_of_scipy_with_as_few_evaluations(name: str, optimizer: LBFGS, l2: float) -> None:
    network, data = NETWORKS[name], targets_of(NETWORKS[name])
    training = replace(TRAINING, epochs=2000, optimizer=optimizer, regularization=Regularization(l2=l2))
    state, interrupt = start(network, optimizer), Countdown(10**9)
    epochs = list(fit(network, data, None, training, state, interrupt=interrupt))  # type: ignore[arg-type]
    expected = peer_run(network, data, start(network).theta, l2, training)
    assert state.stop_reason == "converged"
    assert expected.success
    assert epochs[-1].loss == pytest.approx(expected.fun, rel=1e-3)
    assert 10**9 - interrupt.left <= 1.25 * expected.nfev + 5


@pytest.mark.parametrize("name", NETWORKS)
def test_as_many_iterations_lower_the_loss_as_far_as_those_of_scipy(name: str) -> None:
    # losses with many minima amplify differences in rounding, so several starts are compared
    network, data, ratios = NETWORKS[name], targets_of(NETWORKS[name]), []
    for seed in range(8):
        epochs, _ = run(network, data, TRAINING, seed=seed)
        theta = network.initialize(np.random.default_rng(seed))
        ratios.append(epochs[-1].loss / peer_run(network, data, theta, 0.0, TRAINING).fun)
    assert np.exp(np.log(ratios).mean()) < 1.1


@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_every_loss_falls_with_every_iteration_and_weights_of_rows_count(output: str, loss: str) -> None:
    network = Network(Spec(2, (LayerSpec(5, "tanh"), LayerSpec(3, output)), loss, "float64"))
    x, classes = SETS[0].x, SETS[0].y
    y = classes if network.loss_function.takes_classes else np.eye(3)[classes]
    data = Batch(x, y, np.random.default_rng(0).uniform(0, 2, ROWS))
    epochs, state = run(network, data, replace(TRAINING, epochs=15))
    losses = [epoch.loss for epoch in epochs]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    assert losses[-1] == pytest.approx(network.loss(state.theta, *data), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_numbers_of_an_epoch_are_those_of_theta_at_its_end(dtype: str) -> None:
    network, state = classifier(8, dtype=dtype), start(classifier(8, dtype=dtype))
    for epoch in fit(network, *SETS, TRAINING, state, metrics=classification):
        assert state.theta.dtype == dtype
        assert epoch.loss == pytest.approx(network.loss(state.theta, *SETS[0]), rel=1e-6)
        expected = gradient(network, state.theta, *SETS[0])
        assert epoch.gradient_norm == pytest.approx(np.linalg.norm(expected), rel=1e-4, abs=1e-6)
        assert epoch.validation_loss == network.loss(state.theta, *SETS[1])
        assert epoch.metrics == classification(network.predict(state.theta, SETS[0].x), SETS[0].y)
        assert epoch.learning_rate == 1.0


def test_float32_takes_the_same_iterations_as_float64() -> None:
    double, single = classifier(8, dtype="float64"), classifier(8)
    theta, state = start(single).theta, start(double)
    state.theta[:] = theta  # float64 starts from the same theta, not rounded
    data = Batch(SETS[0].x.astype(np.float32), SETS[0].y)
    expected = [epoch.loss for epoch in fit(double, data, None, TRAINING, state)]
    epochs, rounded = run(single, data, TRAINING)
    assert [epoch.loss for epoch in epochs] == expected
    np.testing.assert_array_equal(rounded.theta, state.theta.astype(np.float32))


def test_a_layer_that_is_normalized_over_its_units_can_be_trained() -> None:
    layers = (LayerSpec(8, "tanh", normalization="layer"), LayerSpec(3, "softmax"))
    epochs, _ = run(Network(Spec(2, layers, "cross_entropy")), SETS[0], TRAINING)
    assert epochs[-1].loss < epochs[0].loss < np.log(3)


L2 = Regularization(l2=0.01)


def max_gradient(network: Network, theta: Array, data: Batch) -> float:
    return float(np.abs(gradient(network, theta, *data)).max())


def test_a_gradient_within_its_tolerance_has_converged() -> None:
    network, optimizer = classifier(dtype="float64"), LBFGS(gradient_tolerance=1e-3, loss_tolerance=0.0)
    state, gradients = start(network, optimizer), []
    for epoch in fit(network, SETS[0], None, replace(TRAINING, optimizer=optimizer), state):
        gradients.append(max_gradient(network, state.theta, SETS[0]))
        assert epoch.stop_reason == ("converged" if gradients[-1] <= 1e-3 else None)
    assert state.stop_reason == "converged"
    assert len(gradients) > 3


def test_a_loss_that_falls_by_less_than_its_tolerance_has_converged() -> None:
    optimizer = LBFGS(gradient_tolerance=0.0, loss_tolerance=1e-3)
    training = replace(TRAINING, optimizer=optimizer, regularization=L2)
    epochs, state = run(classifier(8, dtype="float64"), SETS[0], training)
    losses = np.array([epoch.loss for epoch in epochs])
    assert state.stop_reason == "converged"
    assert losses.max() < 1
    assert (-np.diff(losses)[:-1] > 1e-3).all()
    assert losses[-2] - losses[-1] <= 1e-3


def test_a_start_at_the_optimum_is_one_epoch_that_has_converged_and_changes_nothing() -> None:
    network, training = classifier(dtype="float64"), replace(TRAINING, epochs=500, regularization=L2)
    _, optimum = run(network, SETS[0], training)
    state = start(network)
    state.theta[:] = optimum.theta
    optimizer = LBFGS(gradient_tolerance=1e-4)
    (epoch,) = fit(network, SETS[0], None, replace(training, optimizer=optimizer), state)
    assert (epoch.epoch, epoch.stop_reason) == (1, "converged")
    assert epoch.loss == optimum.loss
    np.testing.assert_array_equal(state.theta, optimum.theta)


def test_a_run_that_had_converged_continues_with_smaller_tolerances() -> None:
    network, rough = classifier(dtype="float64"), replace(TRAINING, optimizer=LBFGS(gradient_tolerance=1e-2))
    state = start(network)
    losses = [epoch.loss for epoch in fit(network, SETS[0], None, rough, state)]
    assert state.stop_reason == "converged"
    state.stop_reason = None
    further = list(fit(network, SETS[0], None, TRAINING, state))
    assert further[0].epoch == len(losses) + 1
    assert further[-1].loss < further[0].loss < losses[-1]
    assert state.stop_reason == "converged"
    assert max_gradient(network, state.theta, SETS[0]) <= 1e-5


def test_a_line_search_that_finds_no_lower_loss_ends_the_run_and_changes_nothing() -> None:
    optimizer = LBFGS(gradient_tolerance=0.0, loss_tolerance=0.0, max_line_search=1)
    network, training = regressor(), replace(TRAINING, optimizer=optimizer, epochs=500)
    x = SETS[0].x
    # so steep that the first trial of the line search overshoots the minimum, and it may make no second one
    data = Batch(x, 1e6 * x[:, :1])
    state = start(network, optimizer)
    state.theta[:] = [1e6 + 0.01, 0.0, 0.0]
    before = network.loss(state.theta, *data)
    epochs = list(fit(network, data, None, training, state))
    assert [epoch.stop_reason for epoch in epochs] == ["converged"]
    assert state.stop_reason == "converged"
    assert epochs[0].loss == pytest.approx(before, rel=1e-12)
    np.testing.assert_array_equal(state.theta, [1e6 + 0.01, 0.0, 0.0])


def test_divergence_names_the_layer_and_gives_no_advice_about_a_learning_rate() -> None:
    network, optimizer = regressor(4, 4, activation="linear"), LBFGS()
    state = start(network, optimizer)
    data = Batch(np.full((ROWS, 2), 1e160), np.zeros((ROWS, 1)))  # the loss would be about 1e320
    theta = state.theta.copy()
    with pytest.raises(Diverged, match=r"behind the output layer.*No epoch came before.*scale the inputs") as caught:
        list(fit(network, data, None, TRAINING, state))
    assert (caught.value.epoch, state.epoch) == (1, 0)
    np.testing.assert_array_equal(state.theta, theta)
    assert not state.slots.any()


def test_divergence_in_a_later_epoch_leaves_the_state_of_the_last_complete_one() -> None:
    # theta falls from 1 towards 0, and a trial below 0 makes the square of exp(-10000 theta) infinite
    network = Network(Spec(1, (LayerSpec(1, "exponential", use_bias=False),), "squared_error", "float64"))
    data, training = Batch(np.array([[1.0], [-1e4]]), np.zeros((2, 1))), replace(TRAINING, batch_size=2)
    state, expected = start(network), start(network)
    state.theta[:] = expected.theta[:] = 1.0
    done: list[Any] = []
    with pytest.raises(Diverged, match="last finite loss was") as caught:
        done.extend(fit(network, data, None, training, state))
    assert caught.value.epoch == len(done) + 1 == state.epoch + 1 > 1
    assert list(fit(network, data, None, replace(training, epochs=len(done)), expected))[-1].loss == done[-1].loss
    assert checkpoint(state)[0] == checkpoint(expected)[0]


def test_chunks_and_single_epochs_are_the_same_bit_for_bit() -> None:
    network, training = classifier(8), replace(TRAINING, epochs=500, metrics_every=20, regularization=L2)
    single, chunked = start(network), start(network)
    expected = list(fit(network, *SETS, training, single, metrics=classification))
    chunks = list(fit_in_chunks(network, *SETS, training, chunked, metrics=classification))
    assert [epoch for chunk in chunks for epoch in chunk] == expected
    assert checkpoint(chunked) == checkpoint(single)
    assert single.stop_reason == "converged"
    assert len(chunks) < len(expected)


REJECTED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"regularization": Regularization(l1=0.1)}, {}, "l1"),
    ({"regularization": Regularization(weight_decay=0.1)}, {}, "weight_decay"),
    ({"regularization": Regularization(max_norm=1.0)}, {}, "max_norm"),
    ({"regularization": Regularization(clip_norm=1.0)}, {}, "not clipped"),
    ({"regularization": Regularization(clip_value=1.0)}, {}, "not clipped"),
    ({"schedule": Exponential(0.9)}, {}, "schedule"),
    ({"batch_size": ROWS - 1}, {}, f"all {ROWS}"),
    ({"engine": "numba"}, {}, "engine"),
    ({}, {"dropout": 0.1}, "dropout"),
    ({}, {"normalization": "batch"}, "batch normalization"),
]


@pytest.mark.parametrize(("changes", "layer", "reason"), REJECTED, ids=str)
def test_settings_that_contradict_lbfgs_are_rejected_with_the_reason(
    changes: dict[str, Any], layer: dict[str, Any], reason: str
) -> None:
    layers = (LayerSpec(4, "tanh", **layer), LayerSpec(3, "softmax"))
    with pytest.raises(Invalid, match=f"lbfgs.*{reason}"):
        run(Network(Spec(2, layers, "cross_entropy")), SETS[0], replace(TRAINING, **changes))


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"history": 0}, "at least 1"),
        ({"max_line_search": 0}, "at least 1"),
        ({"gradient_tolerance": -1.0}, "not negative"),
        ({"loss_tolerance": -1.0}, "not negative"),
    ],
    ids=str,
)
def test_hyper_parameters_out_of_bounds_are_rejected(parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(Invalid, match=f"lbfgs.*{reason}"):
        LBFGS(**parameters)
