"""L-BFGS: the iterations of SciPy's own loop, the optimum of scikit-learn, and the promises of `fit`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, _lbfgsb, minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from backpropd.errors import Diverged, Invalid, JobFailed
from backpropd.nn import (
    LBFGS,
    SGD,
    Adam,
    Batch,
    EarlyStopping,
    Epoch,
    LayerSpec,
    Network,
    Regularization,
    Spec,
    State,
    Training,
    fit,
    fit_in_chunks,
)
from backpropd.nn.evaluation.metrics import classification
from backpropd.nn.feedforward.losses import LOSSES
from backpropd.nn.inspection.gradient_check import gradient
from backpropd.nn.optimization.schedules import Exponential
from tests.nn.data import Array, blobs, classifier, regressor, run, separator

ROWS = 60
TRAINING = Training(LBFGS(), 40, ROWS)
SETS = blobs(ROWS), blobs(30, seed=1)


def start(network: Network, optimizer: Any = TRAINING.optimizer) -> State:
    return State.start(network, optimizer, np.random.default_rng(0))


# ── the peers ────────────────────────────────────────────────────────────────────────────────────────────────────


def scipys_losses(network: Network, data: Batch, theta: Array, l2: float, optimizer: LBFGS, epochs: int) -> list[float]:
    """The loss after each iteration of SciPy's loop over the same function."""
    weights = np.concatenate(
        [np.full(view.size, view.ndim == 2) for view in network.layout.views(network.layout.zeros("float64")).values()]
    )

    def function(x: Array) -> tuple[float, Array]:
        penalty, slope = l2 * (weights * x) @ x, 2 * l2 * weights * x
        return network.loss(x, *data) + penalty, gradient(network, x, *data) + slope

    found: list[float] = []

    def note(intermediate_result: OptimizeResult) -> None:
        found.append(float(intermediate_result.fun))

    options = {"maxcor": optimizer.history, "maxls": optimizer.max_line_search, "maxiter": epochs}
    options |= {"ftol": optimizer.loss_tolerance, "gtol": optimizer.gradient_tolerance}
    minimize(function, theta, jac=True, method="L-BFGS-B", callback=note, options=options)
    return found


@pytest.mark.parametrize("optimizer", [LBFGS(), LBFGS(3, 5), LBFGS(gradient_tolerance=1e-2)], ids=repr)
@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize(
    "network",
    [classifier(8, dtype="float64"), classifier(6, 5, activation="relu", dtype="float64"), classifier(dtype="float64")],
    ids=["tanh", "relu", "no hidden layer"],
)
def test_every_iteration_is_that_of_scipys_own_loop(network: Network, l2: float, optimizer: LBFGS) -> None:
    training = replace(TRAINING, optimizer=optimizer, regularization=Regularization(l2=l2))
    epochs, state = run(network, SETS[0], training)
    expected = scipys_losses(network, SETS[0], start(network).theta, l2, optimizer, training.epochs)
    assert [epoch.loss for epoch in epochs] == pytest.approx(expected, rel=1e-10)
    assert state.stop_reason == ("epochs" if len(expected) == training.epochs else "converged")


HEADS = sorted((loss.fused_with or "linear", name) for name, loss in LOSSES.items() if name != "poisson")


@pytest.mark.parametrize(("output", "loss"), [*HEADS, ("exponential", "poisson")])
def test_every_loss_falls_with_every_iteration_and_weights_of_rows_count(output: str, loss: str) -> None:
    network = Network(Spec(2, (LayerSpec(5, "tanh"), LayerSpec(3, output)), loss, "float64"))
    x, classes = SETS[0].x, SETS[0].y
    y = classes if network.loss_function.takes_classes else np.eye(3)[classes]
    data = Batch(x, y, np.random.default_rng(0).uniform(0, 2, ROWS))
    epochs, state = run(network, data, replace(TRAINING, epochs=15))
    losses = [epoch.loss for epoch in epochs]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    assert losses == pytest.approx(scipys_losses(network, data, start(network).theta, 0.0, LBFGS(), 15), rel=1e-10)
    assert losses[-1] == pytest.approx(network.loss(state.theta, *data), rel=1e-12)


def peer_loss(kind: Any, network: Network, data: Batch, theta: Array, alpha: float) -> tuple[float, int]:
    """The peer draws a start of its own, so it makes one round first, and is then given ours."""
    peer = kind(hidden_layer_sizes=(6, 5), activation="tanh", solver="lbfgs", alpha=alpha, tol=1e-5, random_state=0)
    peer.set_params(warm_start=True, max_iter=1)
    targets = data.y.ravel()
    with pytest.warns(ConvergenceWarning):
        peer.fit(data.x, targets)
    views = network.layout.views(theta.copy())
    peer.coefs_ = [view for name, view in views.items() if name.endswith("weight")]
    peer.intercepts_ = [view for name, view in views.items() if name.endswith("bias")]
    peer.set_params(max_iter=5000, max_fun=100_000).fit(data.x, targets)
    return peer.loss_, peer.n_iter_


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        (MLPClassifier, classifier(6, 5, dtype="float64")),
        (MLPClassifier, separator(6, 5)),
        (MLPRegressor, regressor(6, 5)),
    ],
    ids=["three classes", "two classes", "regression"],
)
def test_the_same_start_ends_at_the_loss_of_scikit_learn_after_as_many_iterations(kind: Any, network: Network) -> None:
    x, classes = blobs(ROWS, classes=max(network.outputs, 2))[:2]
    data, alpha = Batch(x, classes), 2.0
    if kind is MLPRegressor:  # scikit-learn halves the square
        data = Batch(x, np.sin(2 * x[:, :1]) + x[:, 1:], np.full(ROWS, 0.5))
    elif network.outputs == 1:
        data = Batch(x, classes[:, None].astype(float))
    # scikit-learn's penalty is alpha / 2 for a row, so alpha / 2n for the mean over n
    training = Training(LBFGS(), 5000, ROWS, regularization=Regularization(l2=alpha / 2 / ROWS))
    epochs, state = run(network, data, training)
    loss, iterations = peer_loss(kind, network, data, start(network).theta, alpha)
    assert state.stop_reason == "converged"
    assert epochs[-1].loss == pytest.approx(loss, abs=1e-7)
    assert abs(len(epochs) - iterations) <= 0.1 * iterations  # rounding parts the ways


# ── the epoch ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_figures_of_an_epoch_are_those_of_theta_at_its_end(dtype: str) -> None:
    network, state = classifier(8, dtype=dtype), start(classifier(8, dtype=dtype))
    for epoch in fit(network, *SETS, TRAINING, state, metrics=classification):
        assert state.theta.dtype == dtype
        assert epoch.loss == pytest.approx(network.loss(state.theta, *SETS[0]), rel=1e-6)
        slope = gradient(network, state.theta, *SETS[0])
        assert epoch.gradient_norm == pytest.approx(np.linalg.norm(slope), rel=1e-4, abs=1e-6)
        assert epoch.validation_loss == network.loss(state.theta, *SETS[1])
        assert epoch.metrics == classification(network.predict(state.theta, SETS[0].x), SETS[0].y)
        assert epoch.learning_rate == 1.0


def test_float32_goes_the_way_of_float64_because_its_losses_are_evaluated_in_float64() -> None:
    double, single = classifier(8, dtype="float64"), classifier(8)
    theta, state = start(single).theta, start(double)
    state.theta[:] = theta  # float64 draws the same start, but does not round it
    data = Batch(SETS[0].x.astype(np.float32), SETS[0].y)
    expected = [epoch.loss for epoch in fit(double, data, None, TRAINING, state)]
    epochs, rounded = run(single, data, TRAINING)
    assert [epoch.loss for epoch in epochs] == expected
    np.testing.assert_array_equal(rounded.theta, state.theta.astype(np.float32))


def test_a_layer_that_is_normalized_over_its_units_can_be_trained() -> None:
    layers = (LayerSpec(8, "tanh", normalization="layer"), LayerSpec(3, "softmax"))
    epochs, _ = run(Network(Spec(2, layers, "cross_entropy")), SETS[0], TRAINING)
    assert epochs[-1].loss < epochs[0].loss < np.log(3)


# ── how a run ends ───────────────────────────────────────────────────────────────────────────────────────────────

HELD = Regularization(l2=0.01)


def largest_slope(network: Network, theta: Array, data: Batch) -> float:
    return float(np.abs(gradient(network, theta, *data)).max())


def test_a_gradient_within_its_tolerance_has_converged() -> None:
    network, optimizer = classifier(dtype="float64"), LBFGS(gradient_tolerance=1e-3, loss_tolerance=0.0)
    state, slopes = start(network, optimizer), []
    for epoch in fit(network, SETS[0], None, replace(TRAINING, optimizer=optimizer), state):
        slopes.append(largest_slope(network, state.theta, SETS[0]))
        assert epoch.stop_reason == ("converged" if slopes[-1] <= 1e-3 else None)
    assert state.stop_reason == "converged"
    assert len(slopes) > 3


def test_a_loss_that_falls_by_less_than_its_tolerance_has_converged() -> None:
    optimizer = LBFGS(gradient_tolerance=0.0, loss_tolerance=1e-3)
    epochs, state = run(classifier(8, dtype="float64"), SETS[0], replace(TRAINING, optimizer=optimizer))
    losses = np.array([epoch.loss for epoch in epochs])
    assert state.stop_reason == "converged"
    assert losses.max() < 1
    assert (-np.diff(losses)[:-1] > 1e-3).all()
    assert losses[-2] - losses[-1] <= 1e-3


def test_a_start_at_the_optimum_is_one_epoch_that_has_converged_and_moves_nothing() -> None:
    network, training = classifier(dtype="float64"), replace(TRAINING, epochs=500, regularization=HELD)
    _, there = run(network, SETS[0], training)
    state = start(network)
    state.theta[:] = there.theta
    optimizer = LBFGS(gradient_tolerance=1e-4)
    (epoch,) = fit(network, SETS[0], None, replace(training, optimizer=optimizer), state)
    assert (epoch.epoch, epoch.stop_reason) == (1, "converged")
    assert epoch.loss == there.loss
    np.testing.assert_array_equal(state.theta, there.theta)


def test_a_run_that_had_converged_and_is_told_to_go_on_begins_anew_where_it_was() -> None:
    network, rough = classifier(dtype="float64"), replace(TRAINING, optimizer=LBFGS(gradient_tolerance=1e-2))
    state = start(network)
    losses = [epoch.loss for epoch in fit(network, SETS[0], None, rough, state)]
    assert state.stop_reason == "converged"
    state.stop_reason = None
    further = list(fit(network, SETS[0], None, TRAINING, state))
    assert further[0].epoch == len(losses) + 1
    assert further[-1].loss < further[0].loss < losses[-1]
    assert state.stop_reason == "converged"
    assert largest_slope(network, state.theta, SETS[0]) <= 1e-5


def test_a_line_search_that_finds_no_lower_loss_ends_the_run_where_it_stands() -> None:
    optimizer = LBFGS(gradient_tolerance=0.0, loss_tolerance=0.0, max_line_search=1)
    network, training = regressor(), replace(TRAINING, optimizer=optimizer, epochs=500)
    x = SETS[0].x
    # so steep that the first line search begins far beyond the lowest place, and may look no second time
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
    data = Batch(np.full((ROWS, 2), 1e160), np.zeros((ROWS, 1)))  # the loss is about 1e320
    theta = state.theta.copy()
    with pytest.raises(Diverged, match=r"behind the output layer.*No epoch came before.*scale the inputs") as caught:
        list(fit(network, data, None, TRAINING, state))
    assert (caught.value.epoch, state.epoch) == (1, 0)
    np.testing.assert_array_equal(state.theta, theta)
    assert not state.solver_integers.any()


def test_divergence_on_the_way_leaves_the_state_of_the_last_epoch() -> None:
    # from 1 the steps go down towards 0, and one of them beyond, where the square of exp(-10000 theta) is infinite
    network = Network(Spec(1, (LayerSpec(1, "exponential", use_bias=False),), "squared_error", "float64"))
    data, training = Batch(np.array([[1.0], [-1e4]]), np.zeros((2, 1))), replace(TRAINING, batch_size=2)
    state, expected = start(network), start(network)
    state.theta[:] = expected.theta[:] = 1.0
    done: list[Epoch] = []
    with pytest.raises(Diverged, match="last finite loss was") as caught:
        done.extend(fit(network, data, None, training, state))
    assert caught.value.epoch == len(done) + 1 == state.epoch + 1 > 1
    assert list(fit(network, data, None, replace(training, epochs=len(done)), expected))[-1].loss == done[-1].loss
    assert {name: array.tobytes() for name, array in state.arrays().items()} == {
        name: array.tobytes() for name, array in expected.arrays().items()
    }


def test_a_target_loss_early_stopping_and_a_time_limit_end_a_run() -> None:
    def ended(**changes: Any) -> tuple[list[Epoch], State]:
        state, ticks = start(classifier(8)), iter(range(10_000))
        training = replace(TRAINING, **changes)
        return list(fit(classifier(8), *SETS, training, state, clock=lambda: float(next(ticks)))), state

    epochs, state = ended(target_loss=0.53)
    assert state.stop_reason == "target_loss"
    assert epochs[-1].validation_loss <= 0.53 < epochs[-2].validation_loss  # type: ignore[operator]
    epochs, state = ended(max_seconds=7.0)
    assert (len(epochs), state.stop_reason) == (7, "max_seconds")
    epochs, state = ended(early_stopping=EarlyStopping(patience=4))
    found = [epoch.validation_loss for epoch in epochs]
    assert (len(epochs), state.stop_reason) == (int(np.argmin(found)) + 1 + 4, "early_stopping")  # type: ignore[arg-type]
    assert classifier(8).loss(state.theta, *SETS[1]) == min(found)  # type: ignore[type-var]


# ── checkpoints and interrupts ───────────────────────────────────────────────────────────────────────────────────


def frozen(state: State) -> tuple[dict[str, bytes], str]:
    return {name: array.tobytes() for name, array in state.arrays().items()}, json.dumps(state.meta())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 25},  # more than the history is long
        {"regularization": Regularization(l2=0.05), "optimizer": LBFGS(gradient_tolerance=2e-3)},
        {"optimizer": LBFGS(3, gradient_tolerance=1e-3), "early_stopping": EarlyStopping(patience=3), "path_every": 4},
    ],
    ids=["all epochs", "converged", "early stopping"],
)
def test_a_run_resumed_from_any_epoch_equals_the_uninterrupted_one_bit_for_bit(
    options: dict[str, Any], dtype: str
) -> None:
    network, training = classifier(8, dtype=dtype), replace(TRAINING, **options)
    state = start(network, training.optimizer)
    checkpoints, epochs = [(state.arrays(), json.dumps(state.meta()))], []
    for epoch in fit(network, *SETS, training, state):
        epochs.append(epoch)
        checkpoints.append((state.arrays(), json.dumps(state.meta())))
    assert 5 < len(epochs) <= 40
    for done, (arrays, meta) in enumerate(checkpoints):
        resumed = State.restore(network, training.optimizer, arrays, json.loads(meta))
        assert list(fit(network, *SETS, training, resumed)) == epochs[done:]
        assert frozen(resumed) == frozen(state)


def test_bursts_and_single_epochs_are_the_same_to_the_bit() -> None:
    network, training = classifier(8), replace(TRAINING, epochs=500, metrics_every=20, regularization=HELD)
    single, together = start(network), start(network)
    expected = list(fit(network, *SETS, training, single, metrics=classification))
    several = list(fit_in_chunks(network, *SETS, training, together, metrics=classification))
    assert [epoch for chunk in several for epoch in chunk] == expected
    assert frozen(together) == frozen(single)
    assert single.stop_reason == "converged"
    assert len(several) < len(expected)


class After:
    """An interrupt that comes after so many evaluations, as another thread would set it."""

    def __init__(self, evaluations: int) -> None:
        self.left = evaluations

    def __getitem__(self, index: int) -> int:
        self.left -= 1
        return int(self.left < 0)


@pytest.mark.parametrize("evaluations", range(12))
def test_an_interrupt_leaves_no_half_epoch_and_the_run_goes_on_from_there(evaluations: int) -> None:
    network, training = classifier(8), replace(TRAINING, epochs=10)
    expected, uninterrupted = run(network, SETS[0], training)
    state = start(network)
    before = list(fit(network, SETS[0], None, training, state, interrupt=After(evaluations)))  # type: ignore[arg-type]
    assert state.stop_reason is None
    assert len(before) == state.epoch <= evaluations // 1
    after = list(fit(network, SETS[0], None, training, state))
    assert before + after == expected
    assert frozen(state) == frozen(uninterrupted)


@pytest.mark.parametrize(
    ("optimizer", "other"),
    [(LBFGS(), LBFGS(history=5)), (LBFGS(), SGD(0.1)), (SGD(0.1), LBFGS()), (Adam(), LBFGS())],
    ids=["another history", "no solver", "from sgd", "from adam"],
)
def test_a_checkpoint_of_another_optimizer_is_refused(optimizer: Any, other: Any) -> None:
    state = start(classifier(4), optimizer)
    with pytest.raises(Invalid, match="does not fit"):
        State.restore(classifier(4), other, state.arrays(), state.meta())


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"regularization": Regularization(l1=0.1)}, {}, "l1"),
    ({"regularization": Regularization(weight_decay=0.1)}, {}, "weight_decay"),
    ({"regularization": Regularization(max_norm=1.0)}, {}, "max_norm"),
    ({"regularization": Regularization(clip_norm=1.0)}, {}, "not clipped"),
    ({"regularization": Regularization(clip_value=1.0)}, {}, "not clipped"),
    ({"schedule": Exponential(0.9)}, {}, "schedule"),
    ({"batch_size": ROWS - 1}, {}, f"all {ROWS}"),
    ({"engine": "numba"}, {}, "engine"),
    ({"optimizer": LBFGS(history=0)}, {}, "from 1 up"),
    ({"optimizer": LBFGS(max_line_search=0)}, {}, "from 1 up"),
    ({"optimizer": LBFGS(gradient_tolerance=-1.0)}, {}, "not negative"),
    ({"optimizer": LBFGS(loss_tolerance=-1.0)}, {}, "not negative"),
    ({}, {"dropout": 0.1}, "dropout"),
    ({}, {"normalization": "batch"}, "batch normalization"),
]


@pytest.mark.parametrize(("changes", "layer", "reason"), REFUSED, ids=str)
def test_what_lbfgs_cannot_mean_is_refused_with_the_reason(
    changes: dict[str, Any], layer: dict[str, Any], reason: str
) -> None:
    layers = (LayerSpec(4, "tanh", **layer), LayerSpec(3, "softmax"))
    with pytest.raises(Invalid, match=f"lbfgs.*{reason}"):
        run(Network(Spec(2, layers, "cross_entropy")), SETS[0], replace(TRAINING, **changes))


def test_a_scipy_whose_routine_takes_other_arguments_is_named_before_it_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def setulb() -> None:
        """setulb(m,x,l,u,nbd,f,g,factr,pgtol,wa,iwa,task,iprint,csave,lsave,isave,dsave,maxls,[n])"""  # SciPy 1.14

    monkeypatch.setattr(_lbfgsb, "setulb", setulb)
    with pytest.raises(JobFailed, match="install SciPy"):
        run(classifier(4), SETS[0], TRAINING)
