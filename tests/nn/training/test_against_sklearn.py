"""The same initial theta, data and settings give the losses of scikit-learn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from backpropd.nn import LBFGS, SGD, Adam, Batch, Network, Regularization, State, Training, fit
from tests.nn.data import Array, blobs, classifier, regressor, run, separator

EPOCHS, BATCH_SIZE, HIDDEN = 20, 16, (6, 5)
SOLVERS = {
    "sgd": (SGD(0.05), {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.0}),
    "momentum": (SGD(0.05, 0.9), {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.9}),
    "nesterov": (
        SGD(0.05, 0.9, nesterov=True),
        {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0.9, "nesterovs_momentum": True},
    ),
    "adam": (Adam(0.01), {"solver": "adam", "learning_rate_init": 0.01}),
}


def initialize_peer(peer: Any, network: Network, data: Batch, theta: Array) -> None:
    """Give a model of scikit-learn our initial theta; it initializes itself, so it trains for one epoch first."""
    with pytest.warns(ConvergenceWarning):
        peer.set_params(warm_start=True, max_iter=1).fit(data.x, data.y.ravel())
    views = network.layout.views(theta.copy())
    peer.coefs_ = [view for name, view in views.items() if name.endswith("weight")]
    peer.intercepts_ = [view for name, view in views.items() if name.endswith("bias")]


class Unshuffled(np.random.Generator):
    """A generator whose permutations leave the rows in order."""

    def permutation(self, x: Any, axis: int = 0) -> Any:
        return np.arange(x)


def losses(network: Network, data: Batch, optimizer: SGD | Adam, theta: Array) -> list[float]:
    training = Training(optimizer, EPOCHS, BATCH_SIZE)
    state = State.start(network, optimizer, Unshuffled(np.random.PCG64(0)))
    state.theta[:] = theta
    return [epoch.loss for epoch in fit(network, data, None, training, state)]


def peer_losses(kind: Any, network: Network, data: Batch, settings: dict[str, Any], theta: Array) -> list[float]:
    activation = network.spec.layers[0].activation
    settings = {"nesterovs_momentum": False} | settings
    peer = kind(hidden_layer_sizes=HIDDEN, activation=activation, batch_size=BATCH_SIZE, **settings)
    peer.set_params(alpha=0.0, shuffle=False, random_state=0, tol=0.0, n_iter_no_change=1000)
    initialize_peer(peer, network, data, theta)
    peer.loss_curve_ = []
    with pytest.warns(ConvergenceWarning):
        peer.set_params(max_iter=EPOCHS).fit(data.x, data.y.ravel())
    return list(peer.loss_curve_)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_three_classes_give_the_losses_of_scikit_learn(solver: str, activation: str) -> None:
    optimizer, settings = SOLVERS[solver]
    network = classifier(*HIDDEN, activation=activation, dtype="float64")
    theta = network.initialize(np.random.default_rng(3))
    found = losses(network, blobs(100), optimizer, theta)
    assert found == pytest.approx(peer_losses(MLPClassifier, network, blobs(100), settings, theta), abs=1e-5)
    assert found[-1] < found[0]


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_two_classes_give_the_losses_of_scikit_learn(solver: str) -> None:
    optimizer, settings = SOLVERS[solver]
    network, data = separator(*HIDDEN), blobs(100, classes=2)
    data = Batch(data.x, data.y[:, None].astype(float))
    theta = network.initialize(np.random.default_rng(3))
    expected = peer_losses(MLPClassifier, network, data, settings, theta)
    assert losses(network, data, optimizer, theta) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_regression_gives_the_losses_of_scikit_learn_which_halves_the_square(solver: str) -> None:
    optimizer, settings = SOLVERS[solver]
    if isinstance(optimizer, SGD):  # Adam's steps do not depend on the scale of the loss
        optimizer = replace(optimizer, learning_rate=optimizer.learning_rate / 2)
    network, x = regressor(*HIDDEN), blobs(100).x
    data = Batch(x, np.sin(2 * x[:, :1]) + x[:, 1:])
    theta = network.initialize(np.random.default_rng(3))
    expected = peer_losses(MLPRegressor, network, data, settings, theta)
    assert np.array(losses(network, data, optimizer, theta)) / 2 == pytest.approx(expected, abs=1e-5)


def lbfgs_peer(kind: Any, network: Network, data: Batch, theta: Array, alpha: float) -> tuple[float, int]:
    peer = kind(hidden_layer_sizes=HIDDEN, activation="tanh", solver="lbfgs", alpha=alpha, tol=1e-5, random_state=0)
    initialize_peer(peer, network, data, theta)
    peer.set_params(max_iter=5000, max_fun=100_000).fit(data.x, data.y.ravel())
    return peer.loss_, peer.n_iter_


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        (MLPClassifier, classifier(*HIDDEN, dtype="float64")),
        (MLPClassifier, separator(*HIDDEN)),
        (MLPRegressor, regressor(*HIDDEN)),
    ],
    ids=["three classes", "two classes", "regression"],
)
def test_lbfgs_ends_at_the_loss_of_scikit_learn_after_no_more_iterations(kind: Any, network: Network) -> None:
    x, classes = blobs(60, classes=max(network.outputs, 2))[:2]
    data, alpha = Batch(x, classes), 2.0
    if kind is MLPRegressor:  # scikit-learn halves the square
        data = Batch(x, np.sin(2 * x[:, :1]) + x[:, 1:], np.full(60, 0.5))
    elif network.outputs == 1:
        data = Batch(x, classes[:, None].astype(float))
    # scikit-learn's penalty is alpha / 2 for a row, so alpha / 2n for the mean over n
    training = Training(LBFGS(), 5000, 60, regularization=Regularization(l2=alpha / 2 / 60))
    epochs, state = run(network, data, training)
    loss, iterations = lbfgs_peer(kind, network, data, network.initialize(np.random.default_rng(0)), alpha)
    assert state.stop_reason == "converged"
    assert epochs[-1].loss == pytest.approx(loss, abs=1e-6)
    assert len(epochs) <= 1.1 * iterations
