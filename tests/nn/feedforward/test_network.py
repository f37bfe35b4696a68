"""The network: its layout, passes compared with calculations by hand, and errors in specs and data."""

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import INITIALIZERS, LayerSpec, Network, Spec
from backpropd.nn.feedforward.network import BLOCK_ROWS
from backpropd.nn.inspection.gradient_check import gradient
from tests.nn.data import classifier, regressor, separator


def paper_network() -> tuple[Network, np.ndarray]:
    """Two inputs, two relu units, one linear output: W0 = [[1, -1], [2, 1]], b0 = (0, 1), W1 = (2, 3), b1 = -1."""
    layers = (LayerSpec(2, "relu"), LayerSpec(1, "linear"))
    return Network(Spec(2, layers, "squared_error", "float64")), np.array([1.0, -1, 2, 1, 0, 1, 2, 3, -1])


def test_outputs_and_loss_match_a_calculation_by_hand() -> None:
    # row 1: x = (1, 1): a0 = (1+2, -1+1+1) = (3, 1), h0 = (3, 1), h1 = 6 + 3 - 1 = 8
    # row 2: x = (3, 0): a0 = (3, -3+1) = (3, -2), h0 = (3, 0), h1 = 6 - 1 = 5
    network, theta = paper_network()
    x = np.array([[1.0, 1], [3, 0]])
    np.testing.assert_array_equal(network.predict(theta, x), [[8], [5]])
    assert network.loss(theta, x, np.array([[7.0], [8]])) == (1 + 9) / 2


def test_the_gradient_matches_a_calculation_by_hand() -> None:
    # at the output: 2 (h - y) / n = (1, -3)
    # W1: h0ᵀ (1, -3) = (3 - 9, 1 - 0) = (-6, 1); b1: -2
    # at h0: row 1 (2, 3), row 2 (-6, -9); at a0: row 1 (2, 3), row 2 (-6, 0)
    # W0: xᵀ a0's = [[1*2 + 3*-6, 1*3 + 3*0], [1*2 + 0, 1*3 + 0]] = [[-16, 3], [2, 3]]; b0: (-4, 3)
    network, theta = paper_network()
    found = gradient(network, theta, np.array([[1.0, 1], [3, 0]]), np.array([[7.0], [8]]))
    np.testing.assert_array_equal(found, [-16, 3, 2, 3, -4, 3, -6, 1, -2])


def test_the_layout_names_every_weight_and_bias_in_order() -> None:
    network = classifier(5, 4, inputs=3, classes=2)
    assert network.layout.shapes == {
        "layers.0.weight": (3, 5),
        "layers.0.bias": (5,),
        "layers.1.weight": (5, 4),
        "layers.1.bias": (4,),
        "layers.2.weight": (4, 2),
        "layers.2.bias": (2,),
    }
    assert network.parameters == 15 + 5 + 20 + 4 + 8 + 2


def test_views_share_memory_with_theta() -> None:
    network = classifier(5, inputs=3)
    theta = np.arange(network.parameters, dtype=np.float32)
    views = network.layout.views(theta)
    assert all(np.shares_memory(view, theta) for view in views.values())
    np.testing.assert_array_equal(np.concatenate([view.ravel() for view in views.values()]), theta)
    views["layers.1.bias"][:] = -1
    np.testing.assert_array_equal(theta[-3:], -1)


def test_the_weights_of_a_workspace_are_views_of_theta_and_of_the_gradient() -> None:
    network = classifier(5, inputs=3)
    theta, out = network.layout.zeros("float32"), network.layout.zeros("float32")
    workspace = network.workspace(theta, out, rows=4)
    for layer, gradients in zip(workspace.layers, workspace.gradients, strict=True):
        assert np.shares_memory(layer.weight, theta)
        assert np.shares_memory(layer.bias, theta)
        assert np.shares_memory(gradients.weight, out)
        assert np.shares_memory(gradients.bias, out)


@pytest.mark.parametrize("rows", [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 7])
def test_predictions_in_blocks_equal_predictions_row_by_row(rows: int) -> None:
    network = classifier(4, classes=3, dtype="float64")
    rng = np.random.default_rng(0)
    theta, x = network.initialize(rng), rng.standard_normal((rows, 2))
    h = network.predict(theta, x)
    assert h.shape == (rows, 3)
    for i in {0, rows // 2, rows - 1} if rows else set():
        np.testing.assert_allclose(h[i : i + 1], network.predict(theta, x[i : i + 1]), rtol=1e-12)


def test_the_loss_over_blocks_is_the_mean_over_all_rows() -> None:
    network = regressor(3)
    rng = np.random.default_rng(0)
    theta, x = network.initialize(rng), rng.standard_normal((BLOCK_ROWS + 100, 2))
    y = rng.standard_normal((len(x), 1))
    assert network.loss(theta, x, y) == pytest.approx(np.mean((network.predict(theta, x) - y) ** 2), rel=1e-12)


@pytest.mark.parametrize("rows", [BLOCK_ROWS + 5, 1])
def test_evaluate_returns_the_outputs_of_predict(rows: int) -> None:
    network = classifier(4, dtype="float64")
    rng = np.random.default_rng(0)
    theta, x = network.initialize(rng), rng.standard_normal((rows, 2))
    _, h = network.evaluate(theta, network.batch(x, np.zeros(rows, int)))
    np.testing.assert_array_equal(h, network.predict(theta, x))


def test_rows_in_another_dtype_or_order_give_the_same_outputs() -> None:
    network = classifier(4)
    rng = np.random.default_rng(0)
    theta, x = network.initialize(rng), rng.standard_normal((9, 2)).astype(np.float32)
    for other in (x.astype(np.float64), np.asfortranarray(x)):
        np.testing.assert_array_equal(network.predict(theta, other), network.predict(theta, x))


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / 500),
        ("glorot_normal", 2 / 500),
        ("he_uniform", 2 / 300),
        ("he_normal", 2 / 300),
        ("lecun_normal", 1 / 300),
        ("orthogonal", 1 / 300),
        ("uniform", 0.1**2 / 12),
        ("normal", 0.05**2),
    ],
)
def test_an_initializer_has_the_variance_of_its_paper(name: str, variance: float) -> None:
    weight = INITIALIZERS[name]().draw(np.random.default_rng(0), 300, 200)
    assert weight.shape == (300, 200)
    assert weight.var() == pytest.approx(variance, rel=0.03)
    assert abs(weight.mean()) < 3 * np.sqrt(variance / weight.size)


def test_initializing_leaves_biases_at_zero_and_draws_the_same_for_the_same_seed() -> None:
    network = classifier(5, 4, inputs=3)
    theta = network.initialize(np.random.default_rng(7))
    np.testing.assert_array_equal(theta, network.initialize(np.random.default_rng(7)))
    views = network.layout.views(theta)
    assert theta.dtype == np.float32
    assert not any(view.any() for name, view in views.items() if name.endswith("bias"))
    assert all(view.all() for name, view in views.items() if name.endswith("weight"))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (Spec(2, (LayerSpec(3, "logistic"),), "cross_entropy"), "output activation softmax"),
        (Spec(2, (LayerSpec(1, "tanh"),), "binary_cross_entropy"), "output activation logistic"),
        (Spec(2, (LayerSpec(3, "softmax"), LayerSpec(1, "linear")), "squared_error"), "belongs to the output layer"),
        (Spec(2, (LayerSpec(3, "exponential"), LayerSpec(1, "linear")), "squared_error"), "exponential belongs to the"),
        (Spec(2, (LayerSpec(1, "softmax"),), "cross_entropy"), "always 1"),
        (Spec(2, (), "squared_error"), "output layer"),
        (Spec(0, (LayerSpec(1, "linear"),), "squared_error"), "at least 1"),
        (Spec(2, (LayerSpec(0, "linear"),), "squared_error"), "at least 1"),
        (Spec(2, (LayerSpec(1, "linear"),), "squared_error", "float16"), "float32, float64"),
        (Spec(2, (LayerSpec(1, "linear"),), "absolute"), "squared_error, absolute_error"),
        (Spec(2, (LayerSpec(1, "sigmoid"),), "squared_error"), "linear, logistic"),
        (Spec(2, (LayerSpec(1, "linear", "ones"),), "squared_error"), "glorot_uniform"),
    ],
)
def test_a_spec_without_meaning_is_an_error_with_a_reason(spec: Spec, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        Network(spec)


@pytest.mark.parametrize(
    ("network", "x", "y", "reason"),
    [
        (classifier(), np.zeros((3, 5)), np.zeros(3, int), r"takes \(rows, 2\)"),
        (classifier(), np.zeros((3, 2)), np.zeros(3), "class indices"),
        (classifier(), np.zeros((3, 2)), np.array([0, 1, 3]), "3 outputs"),
        (classifier(), np.zeros((3, 2)), np.array([0, 1, -1]), "3 outputs"),
        (classifier(), np.zeros((3, 2)), np.zeros(4, int), "3 rows and y 4"),
        (classifier(), np.zeros((0, 2)), np.zeros(0, int), "at least one"),
        (separator(), np.zeros((3, 2)), np.zeros(3), r"targets are \(rows, 1\)"),
        (regressor(), np.zeros((3, 2)), np.zeros((3, 2)), r"targets are \(rows, 1\)"),
    ],
)
def test_data_that_do_not_fit_the_network_are_an_error(
    network: Network, x: np.ndarray, y: np.ndarray, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        network.batch(x, y)
