"""The same initial theta, data and settings give the losses of scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from backpropd.nn import SGD, Adam, Batch, Network, State, Training, fit
from tests.nn.data import Array, blobs, classifier, initialize_peer, regressor, separator

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
