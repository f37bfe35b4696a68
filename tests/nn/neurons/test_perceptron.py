"""The perceptron: its rule, its two engines, convergence, and the pocket."""

import numpy as np
import pytest

from backpropd.errors import Diverged, Invalid
from backpropd.nn import Batch, Perceptron, fit_neuron, start_neuron
from tests.nn.data import XOR, XOR_TARGETS, Array, blobs, run_neuron


def separable(rows: int, inputs: int, *, margin: float, seed: int = 0) -> Batch:
    """Rows of length 1, all of them `margin` or more from a plane through the origin: their target is its side."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal(inputs)
    normal /= np.linalg.norm(normal)
    x = rng.standard_normal((100 * rows, inputs))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x = x[np.abs(x @ normal) >= margin][:rows]
    return Batch(x, (x @ normal > 0).astype(int).reshape(-1, 1))


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_only_a_row_that_is_answered_wrongly_changes_theta(engine: str) -> None:
    perceptron = Perceptron(2, learning_rate=0.5, dtype="float64", engine=engine)  # type: ignore[arg-type]
    row = np.array([[3.0, -2.0]])
    for start, target, expected in [
        ([0, 0, 0], 0, [-1.5, 1.0, -0.5]),  # a = 0 fires
        ([0, 0, 0], 1, [0, 0, 0]),
        ([0, 0, -1], 1, [1.5, -1.0, -0.5]),
        ([0, 0, -1], 0, [0, 0, -1]),
    ]:
        theta = np.array(start, float)
        batch = perceptron.batch(row, np.array([[target]]))
        assert perceptron.learn(theta, batch, np.random.default_rng(0), np.zeros(1, np.int8))
        assert theta.tolist() == expected


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_the_row_is_added_to_the_correct_class_and_subtracted_from_the_answered_one(engine: str) -> None:
    perceptron = Perceptron(2, 3, dtype="float64", engine=engine)  # type: ignore[arg-type]
    theta = np.zeros(9)
    batch = perceptron.batch(np.array([[3.0, -2.0]]), np.array([2]))
    perceptron.learn(theta, batch, np.random.default_rng(0), np.zeros(1, np.int8))
    views = perceptron.layout.views(theta)
    assert views["layers.0.weight"].tolist() == [[-3, 0, 3], [2, 0, -2]]  # of equals the first was the answer
    assert views["layers.0.bias"].tolist() == [-1, 0, 1]
    assert perceptron.predict(theta, np.array([[3.0, -2.0]])).tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("inputs", [1, 7])
def test_the_compiled_loop_gives_the_same_bytes_as_the_readable_one(inputs: int, classes: int, dtype: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1500, inputs))  # more rows than a block
    y = rng.integers(0, classes, (1500, 1) if classes == 2 else 1500)
    runs = [
        run_neuron(Perceptron(inputs, classes, 0.3, dtype, engine), x, y, epochs=2)  # type: ignore[arg-type]
        for engine in ("numba", "numpy")
    ]
    (compiled, state), (readable, reference) = runs
    assert compiled == readable
    assert compiled[-1].loss > 0
    assert state.theta.tobytes() == reference.theta.tobytes()
    assert state.theta.dtype == dtype


def test_each_epoch_has_every_row_once_in_a_new_order() -> None:
    orders = []

    class Watched(np.random.Generator):
        def permutation(self, x, axis=0):  # type: ignore[no-untyped-def]
            orders.append(super().permutation(x, axis))
            return orders[-1]

    perceptron = Perceptron(2)
    state = start_neuron(perceptron, Watched(np.random.PCG64(0)))
    list(fit_neuron(perceptron, Batch(XOR, XOR_TARGETS), None, state, epochs=8))
    assert len({tuple(order) for order in orders}) > 2
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)


def test_training_may_start_from_another_theta() -> None:
    perceptron = Perceptron(2)
    state = start_neuron(perceptron, np.random.default_rng(0))
    state.theta[:] = [1, 1, -1.5]  # an AND already
    (epoch,) = fit_neuron(perceptron, Batch(XOR, np.array([[0], [0], [0], [1]])), None, state)
    assert epoch.stop_reason == "converged"
    assert state.theta.tolist() == [1, 1, -1.5]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(3))
def test_separable_rows_are_learned_within_novikoffs_bound_and_all_answered_correctly(seed: int, dtype: str) -> None:
    margin = 0.1
    data = separable(400, 5, margin=margin, seed=seed)
    perceptron = Perceptron(5, dtype=dtype)
    epochs, state = run_neuron(perceptron, data.x, data.y, epochs=1000, seed=seed)
    assert epochs[-1].stop_reason == "converged"
    assert all(epoch.stop_reason is None for epoch in epochs[:-1])
    np.testing.assert_array_equal(perceptron.predict(state.theta, data.x), data.y)
    # A row with the 1 of its bias has the length sqrt(2), so there are at most 2 / margin^2 mistakes, which take theta
    # no farther than 2 / margin; and every epoch but the first makes one.
    assert np.linalg.norm(state.theta) <= 2 / margin
    assert len(epochs) <= 2 / margin**2 + 1


@pytest.mark.parametrize("classes", [3, 5])
def test_several_classes_are_learned_where_planes_separate_them(classes: int) -> None:
    x, y, _ = blobs(200, classes=classes, spread=0.08)
    perceptron = Perceptron(2, classes)
    epochs, state = run_neuron(perceptron, x, y, epochs=500)
    h = perceptron.predict(state.theta, x)
    assert epochs[-1].stop_reason == "converged"
    np.testing.assert_array_equal(h, np.eye(classes)[y])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(20))
def test_rows_so_near_the_plane_that_sums_are_rounded_are_answered_correctly_once_it_has_converged(
    seed: int, dtype: str
) -> None:
    # Tenths are not exact in binary: pre-activations that are 0 on paper fall on either side, by the order of the sum.
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (60, 40)) / 10
    y = (x @ rng.standard_normal(40) > 0).astype(int).reshape(-1, 1)
    perceptron = Perceptron(40, learning_rate=0.1, dtype=dtype)
    epochs, state = run_neuron(perceptron, x, y, epochs=500)
    assert epochs[-1].stop_reason == "converged"
    np.testing.assert_array_equal(perceptron.predict(state.theta, x), y)
    for row in range(60):  # alone as well as together
        assert perceptron.predict(state.theta, x[row : row + 1])[0, 0] == y[row, 0]


def test_the_metrics_are_those_of_theta_at_the_end_of_each_epoch() -> None:
    perceptron = Perceptron(2, 3)
    data, held_out = blobs(60), blobs(30, seed=1)
    state = start_neuron(perceptron, np.random.default_rng(0))
    for epoch in fit_neuron(perceptron, data, held_out, state, epochs=20):
        if epoch.stop_reason is None:  # after the last epoch theta is the pocket's
            wrong = [
                (perceptron.predict(state.theta, each.x).argmax(axis=1) != each.y).sum() for each in (data, held_out)
            ]
            assert (epoch.loss, epoch.validation_loss) == (wrong[0] / 60, wrong[1] / 30)
            assert epoch.metrics == {"mistakes": wrong[0]}
            assert epoch.validation_metrics == {"mistakes": wrong[1]}
            assert (epoch.gradient_norm, epoch.learning_rate) == (0.0, 1.0)
    assert state.epoch == 20


def test_without_a_separating_plane_theta_becomes_the_best_of_all_epochs() -> None:
    perceptron, data = Perceptron(2, 3), blobs(60)
    epochs, state = run_neuron(perceptron, data.x, data.y, epochs=30)
    losses = [epoch.loss for epoch in epochs]
    best = int(np.argmin(losses))
    assert epochs[-1].stop_reason == state.stop_reason == "epochs"
    assert (state.best_loss, state.best_epoch) == (losses[best], best + 1)
    assert losses[-1] > losses[best]
    wrong = perceptron.predict(state.theta, data.x).argmax(axis=1) != data.y
    assert wrong.mean() == losses[best]
    np.testing.assert_array_equal(state.theta, state.best_theta)


def test_xor_never_converges_for_no_line_separates_it() -> None:
    epochs, state = run_neuron(Perceptron(2), XOR, XOR_TARGETS, epochs=200)
    assert len(epochs) == 200
    assert epochs[-1].stop_reason == "epochs"
    assert min(epoch.loss for epoch in epochs) == state.best_loss == 0.25


@pytest.mark.parametrize(
    ("classes", "x", "y", "message"),
    [
        (2, [[1.0, np.nan]], [[1]], "not finite"),
        (2, [[1.0, 1e300]], [[1]], "not finite in float32"),
        (2, [[1.0, 2.0]], [[3]], "targets hold 3"),
        (2, [[1.0, 2.0]], [1], "shape (1,)"),
        (2, [[1.0, 2.0, 3.0]], [[1]], "takes (rows, 2)"),
        (3, [[1.0, 2.0]], [3], "there are 3 perceptrons"),
        (3, [[1.0, 2.0]], [-1], "run from -1"),
        (3, [[1.0, 2.0]], [1.0], "class index"),
        (3, np.empty((0, 2)), np.empty(0, int), "one row at least"),
    ],
)
def test_rows_and_targets_that_do_not_fit_are_rejected(classes: int, x: Array, y: Array, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        run_neuron(Perceptron(2, classes), np.array(x), np.array(y))
    assert message in caught.value.detail


@pytest.mark.parametrize(
    "settings",
    [{"inputs": 0}, {"classes": 1}, {"learning_rate": 0.0}, {"learning_rate": np.inf}, {"dtype": "float16"}],
    ids=str,
)
def test_parameters_out_of_range_are_rejected(settings: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        Perceptron(**{"inputs": 2} | settings)  # type: ignore[arg-type]


def test_a_theta_that_is_not_finite_is_divergence_and_restores_the_epoch_before() -> None:
    perceptron = Perceptron(1, learning_rate=1e38)
    state = start_neuron(perceptron, np.random.default_rng(0))
    with pytest.raises(Diverged, match="Lower the learning_rate"):
        list(fit_neuron(perceptron, Batch(np.full((2, 1), 1e30), np.array([[0], [1]])), None, state))
    assert (state.epoch, state.theta.tolist()) == (0, [0, 0])
