"""Training: what an epoch reports, what a run learns, and how it ends."""

import tracemalloc

import numpy as np
import pytest

from backpropd.errors import Diverged, Invalid
from backpropd.nn import LBFGS, SGD, Adam, Batch, EarlyStopping, Epoch, Network, State, Training, fit
from backpropd.nn.evaluation.metrics import classification, regression
from backpropd.nn.inspection.gradient_check import gradient
from tests.nn.data import XOR, XOR_TARGETS, Array, blobs, classifier, regressor, run, separator


@pytest.mark.parametrize("activation", ["tanh", "logistic", "relu"])
def test_xor_is_learned_with_one_hidden_layer(activation: str) -> None:
    network = separator(8, activation=activation)
    epochs, state = run(network, Batch(XOR, XOR_TARGETS), Training(Adam(0.1), 300, 4))
    assert classification(network.predict(state.theta, XOR), XOR_TARGETS)["accuracy"] == 1.0
    assert epochs[-1].loss < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_xor_cannot_be_learned_without_a_hidden_layer(seed: int) -> None:
    network = separator()
    _, state = run(network, Batch(XOR, XOR_TARGETS), Training(Adam(0.1), 300, 4), seed=seed)
    assert classification(network.predict(state.theta, XOR), XOR_TARGETS)["accuracy"] <= 0.75
    assert network.loss(state.theta, XOR, XOR_TARGETS) == pytest.approx(np.log(2), abs=1e-3)


def test_a_linear_layer_finds_the_least_squares_line() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 2))
    y = x @ [[2.0], [-3.0]] + 0.5 + 0.1 * rng.standard_normal((60, 1))
    _, state = run(regressor(), Batch(x, y), Training(SGD(0.1), 500, 60))
    expected = np.linalg.lstsq(np.c_[x, np.ones(60)], y)[0].ravel()
    np.testing.assert_allclose(state.theta, expected, rtol=1e-8)


def test_a_full_batch_epoch_reports_the_loss_and_gradient_before_its_step_and_steps_once() -> None:
    network, data = classifier(4, dtype="float64"), blobs(30)
    state = State.start(network, SGD(0.1), np.random.default_rng(0))
    theta = state.theta.copy()
    expected = gradient(network, theta, *data)
    epoch = next(fit(network, data, None, Training(SGD(0.1), 1, 30), state))
    assert epoch.epoch == 1
    assert epoch.loss == pytest.approx(network.loss(theta, *data), rel=1e-12)
    assert epoch.gradient_norm == pytest.approx(np.linalg.norm(expected), rel=1e-12)
    assert epoch.learning_rate == 0.1
    assert epoch.stop_reason == "epochs"
    assert (epoch.validation_loss, epoch.metrics, epoch.validation_metrics) == (None, {}, None)
    np.testing.assert_allclose(state.theta, theta - 0.1 * expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("rows", "batch_size", "steps"), [(30, 10, 3), (31, 10, 4), (30, 30, 1), (30, 100, 1), (3, 1, 3), (1, 1, 1)]
)
def test_every_row_is_used_once_an_epoch_with_any_batch_size(rows: int, batch_size: int, steps: int) -> None:
    # a learning rate of 1e-300 changes nothing, so the mean over the batches is the loss over all rows
    network, data = classifier(4, dtype="float64"), blobs(rows)
    (epoch, *_), state = run(network, data, Training(SGD(1e-300), 2, batch_size))
    assert state.steps == 2 * steps
    assert epoch.loss == pytest.approx(network.loss(state.theta, *data), rel=1e-12)


def test_a_batch_larger_than_the_data_is_the_full_batch() -> None:
    _, full = run(classifier(4), blobs(30), Training(SGD(0.1), 3, 30))
    _, larger = run(classifier(4), blobs(30), Training(SGD(0.1), 3, 1000))
    np.testing.assert_array_equal(full.theta, larger.theta)


def test_the_gradient_norm_is_the_mean_over_the_batches() -> None:
    network, data = classifier(4, dtype="float64"), blobs(20)
    (epoch,), state = run(network, data, Training(SGD(1e-300), 1, 1))
    rows = [gradient(network, state.theta, data.x[i : i + 1], data.y[i : i + 1]) for i in range(20)]
    assert epoch.gradient_norm == pytest.approx(np.mean([np.linalg.norm(row) for row in rows]), rel=1e-10)


def test_rows_are_shuffled_anew_every_epoch() -> None:
    network, permutations = classifier(), []

    class Recording(np.random.Generator):
        def permutation(self, x, axis=0):  # type: ignore[no-untyped-def]
            permutations.append(super().permutation(x, axis))
            return permutations[-1]

    state = State.start(network, SGD(0.1), Recording(np.random.PCG64(0)))
    list(fit(network, blobs(20), None, Training(SGD(0.1), 3, 7), state))
    assert len({tuple(each) for each in permutations}) == 3
    assert all(sorted(each) == list(range(20)) for each in permutations)


def test_validation_and_metrics_are_those_of_theta_at_the_end_of_the_epoch() -> None:
    network, data, held_out = classifier(4, dtype="float64"), blobs(40), blobs(20, seed=1)
    training = Training(Adam(0.05), 3, 8)
    state = State.start(network, training.optimizer, np.random.default_rng(0))
    for epoch in fit(network, data, held_out, training, state, metrics=classification):
        assert epoch.validation_loss == network.loss(state.theta, *held_out)
        assert epoch.metrics == classification(network.predict(state.theta, data.x), data.y)
        assert epoch.validation_metrics == classification(network.predict(state.theta, held_out.x), held_out.y)


def test_validation_and_metrics_do_not_change_what_is_learned() -> None:
    network, training = classifier(4), Training(Adam(0.05), 5, 8)
    _, plain = run(network, blobs(40), training)
    watched = State.start(network, training.optimizer, np.random.default_rng(0))
    list(fit(network, blobs(40), blobs(20), training, watched, metrics=classification))
    np.testing.assert_array_equal(plain.theta, watched.theta)


def test_training_does_not_change_the_data() -> None:
    data = blobs(40)
    x, y = data.x.astype(np.float32), data.y.copy()
    run(classifier(4), Batch(x, y), Training(Adam(0.05), 3, 8))
    run(classifier(4), Batch(x, y), Training(Adam(0.05), 3, 40))
    np.testing.assert_array_equal(x, data.x.astype(np.float32))
    np.testing.assert_array_equal(y, data.y)


@pytest.mark.parametrize(
    "network", [classifier(64, inputs=2), regressor(64, dtype="float32"), separator(64, dtype="float32")]
)
def test_a_step_allocates_at_most_a_few_numbers_per_row(network: Network) -> None:
    rows = 4000
    y = np.zeros(rows, int) if network.loss_function.takes_classes else np.zeros((rows, 1))
    batch = network.batch(np.ones((rows, 2)), y)
    theta = network.initialize(np.random.default_rng(0))
    workspace, rng = network.workspace(theta, np.zeros_like(theta), rows), np.random.default_rng(0)
    tracemalloc.start()
    network.loss_and_gradient(workspace, batch, rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < rows * 40


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(dtype: str) -> None:
    training = Training(SGD(0.1, 0.9), 5, 8)
    (one, first), (two, second), (_, third) = (
        run(classifier(6, 5, dtype=dtype), blobs(45), training, blobs(20), seed=seed) for seed in (4, 4, 5)
    )
    assert one == two
    assert first.theta.tobytes() == second.theta.tobytes() != third.theta.tobytes()
    assert first.theta.dtype == dtype


OVERFIT = Training(Adam(0.1), 400, 8, EarlyStopping(patience=6))


@pytest.mark.parametrize("training", [OVERFIT, Training(LBFGS(), 400, 30, EarlyStopping(patience=6))], ids=repr)
def test_early_stopping_ends_the_run_after_patience_epochs_and_restores_the_best_parameters(training: Training) -> None:
    network, held_out = classifier(16), blobs(30, seed=1)
    epochs, state = run(network, blobs(30), training, held_out)
    found = [epoch.validation_loss for epoch in epochs]
    best = int(np.argmin(found))
    assert epochs[-1].stop_reason == state.stop_reason == "early_stopping"
    assert all(epoch.stop_reason is None for epoch in epochs[:-1])
    assert len(epochs) == best + 1 + 6 < 400
    assert (state.best_epoch, state.best_loss) == (best + 1, found[best])
    assert network.loss(state.theta, *held_out) == found[best] < found[-1]


def test_the_best_parameters_are_restored_when_the_epochs_run_out_first() -> None:
    network, held_out = classifier(16), blobs(30, seed=1)
    training = Training(Adam(0.1), 12, 8, EarlyStopping(patience=1000))
    epochs, state = run(network, blobs(30), training, held_out)
    found = [epoch.validation_loss for epoch in epochs]
    assert state.stop_reason == "epochs"
    assert network.loss(state.theta, *held_out) == min(found) < found[-1]


def test_without_restore_best_the_last_parameters_remain() -> None:
    network, held_out = classifier(16), blobs(30, seed=1)
    training = Training(Adam(0.1), 400, 8, EarlyStopping(patience=6, restore_best=False))
    epochs, state = run(network, blobs(30), training, held_out)
    assert network.loss(state.theta, *held_out) == epochs[-1].validation_loss
    assert state.best_theta is None


def test_improvements_of_less_than_min_delta_do_not_count_but_the_best_epoch_is_recorded() -> None:
    network, data = regressor(), Batch(np.ones((4, 2)), np.ones((4, 1)))
    stopping = EarlyStopping("loss", patience=3, min_delta=1e6)
    epochs, state = run(network, data, Training(SGD(0.01), 50, 4, stopping))
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4]  # the first epoch counts as an improvement
    assert epochs[3].loss < epochs[2].loss < epochs[1].loss < epochs[0].loss
    assert state.best_epoch == 4


FEATURES = np.linspace(-1, 1, 20).reshape(10, 2)
LINE = Batch(FEATURES, 100 * FEATURES[:, :1])


def diverge(
    rate: float, epochs: int = 400, held_out: Batch | None = None, dtype: str = "float64"
) -> tuple[Diverged, list[Epoch], State]:
    """Train with too large a learning rate: returns the error, the epochs before it, and the state after it."""
    network, training = regressor(dtype=dtype), Training(SGD(rate), epochs, 10)
    state = State.start(network, training.optimizer, np.random.default_rng(0))
    done: list[Epoch] = []
    with pytest.raises(Diverged) as caught:
        done.extend(fit(network, LINE, held_out, training, state))
    return caught.value, done, state


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loss_that_grows_without_bound_is_divergence_and_the_error_gives_advice(dtype: str) -> None:
    error, done, _ = diverge(50.0, dtype=dtype)
    assert error.code == "diverged"
    assert error.epoch == done[-1].epoch + 1 > 2
    for text in (f"epoch {error.epoch}", f"last finite loss was {done[-1].loss:g}", "is 50", "try 5"):
        assert text in error.detail


@pytest.mark.parametrize("held_out", [None, LINE], ids=["no validation", "validation"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_number_of_every_epoch_is_finite(dtype: str, held_out: Batch | None) -> None:
    network, training = regressor(dtype=dtype), Training(SGD(50.0), 400, 10)
    state = State.start(network, training.optimizer, np.random.default_rng(0))
    epochs: list[Epoch] = []
    with pytest.raises(Diverged):
        epochs.extend(fit(network, LINE, held_out, training, state, metrics=regression))
    assert len(epochs) > 2
    for epoch in epochs:
        assert np.isfinite([epoch.loss, epoch.validation_loss or 0.0, epoch.gradient_norm]).all()
        assert np.isfinite([*epoch.metrics.values(), *(epoch.validation_metrics or {}).values()]).all()


def test_after_divergence_the_state_is_that_of_the_last_epoch_yielded() -> None:
    _, done, state = diverge(50.0)
    network, expected = regressor(), State.start(regressor(), SGD(50.0), np.random.default_rng(0))
    for epoch in fit(network, LINE, None, Training(SGD(50.0), 400, 10), expected):
        if epoch == done[-1]:
            break
    assert state.epoch == state.steps == len(done)
    assert state.arrays()["theta"].tobytes() == expected.arrays()["theta"].tobytes()
    assert state.meta() == expected.meta()


def test_a_divergence_in_the_very_last_epoch_is_caught() -> None:
    error, _, _ = diverge(50.0)
    again, before, _ = diverge(50.0, epochs=error.epoch)
    assert again.epoch == error.epoch == before[-1].epoch + 1


@pytest.mark.parametrize("rate", [1e200, 1e308])
def test_a_last_step_to_parameters_that_or_whose_loss_is_not_finite_is_caught_in_the_only_epoch(rate: float) -> None:
    # after a step at 1e200 theta is still finite, and the loss is not
    error, done, _ = diverge(rate, epochs=1)
    assert (error.epoch, done) == (1, [])
    assert "No epoch came before" in error.detail


def test_a_validation_loss_that_is_not_finite_is_divergence() -> None:
    error, _, _ = diverge(0.001, held_out=Batch(np.full((1, 2), 1e200), np.zeros((1, 1))))
    assert error.epoch == 1


def test_an_interrupt_set_between_two_epochs_ends_the_run_there() -> None:
    network, training, interrupt = classifier(4), Training(SGD(0.1), 50, 8), np.zeros(1, np.int8)
    state = State.start(network, training.optimizer, np.random.default_rng(0))
    for epoch in fit(network, blobs(30), None, training, state, interrupt=interrupt):
        if epoch.epoch == 3:
            interrupt[0] = 1
    assert state.epoch == 3


def test_an_exception_from_the_metrics_leaves_the_state_of_the_last_epoch() -> None:
    network, training, calls = classifier(4), Training(SGD(0.1), 5, 8), []

    def fails_in_the_second_epoch(h: Array, y: Array) -> dict[str, float]:
        calls.append(len(h))
        if len(calls) == 2:
            raise RuntimeError("from outside")
        return {}

    state = State.start(network, training.optimizer, np.random.default_rng(0))
    with pytest.raises(RuntimeError, match="from outside"):
        list(fit(network, blobs(30), None, training, state, metrics=fails_in_the_second_epoch))
    _, expected = run(network, blobs(30), Training(SGD(0.1), 1, 8))
    assert (state.epoch, state.steps) == (1, 4)
    assert state.theta.tobytes() == expected.theta.tobytes()


@pytest.mark.parametrize(
    "training",
    [
        Training(SGD(0.1), 0),
        Training(SGD(0.1), 5, 0),
        Training(SGD(0.1), 5, 8, EarlyStopping("loss", patience=0)),
        Training(SGD(0.1), 5, 8, EarlyStopping("validation_loss")),
    ],
    ids=["epochs", "batch_size", "patience", "nothing to monitor"],
)
def test_settings_that_contradict_each_other_are_rejected(training: Training) -> None:
    with pytest.raises(Invalid):
        run(classifier(4), blobs(30), training)
