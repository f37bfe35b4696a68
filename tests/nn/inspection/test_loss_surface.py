"""The loss on a plane through theta: its directions, its values, and the path of training projected on it."""

import numpy as np
import pytest

from backpropd.errors import Invalid
from backpropd.nn import SGD, LayerSpec, Network, Spec, Training
from backpropd.nn.inspection.loss_surface import Plane, axes, losses, path_plane, random_plane
from tests.nn.data import blobs, classifier, run

NORMALIZED = Network(
    Spec(2, (LayerSpec(4, "tanh", normalization="batch"), LayerSpec(3, "softmax")), "cross_entropy", "float64")
)


def trained(network: Network, epochs: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Theta and its path."""
    _, state = run(network, blobs(60), Training(SGD(0.2), epochs=epochs, batch_size=20, path_every=1))
    assert state.path is not None
    return state.theta, state.path


def test_random_directions_have_the_norm_of_each_units_weights_and_leave_the_rest() -> None:
    theta, _ = trained(NORMALIZED)
    plane = random_plane(NORMALIZED.layout, theta, np.random.default_rng(0))
    views = NORMALIZED.layout.views(theta)
    for direction in plane.directions:
        for name, view in NORMALIZED.layout.views(direction).items():
            if name.endswith("weight"):
                np.testing.assert_allclose(np.linalg.norm(view, axis=0), np.linalg.norm(views[name], axis=0))
            else:
                assert not view.any()
    assert abs(np.corrcoef(plane.directions)[0, 1]) < 0.9
    assert (plane.path, plane.explained) == (None, None)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loss_at_a_point_is_that_of_the_parameters_there(dtype: str) -> None:
    network = classifier(4, dtype=dtype)
    theta, _ = trained(network)
    batch = network.batch(*blobs(50, seed=5))
    plane = random_plane(network.layout, theta, np.random.default_rng(0))
    x, y = np.array([-0.5, 0.0, 2.0]), np.array([0.0, 1.5])
    found = losses(network, theta, batch, plane, x, y)
    assert found.shape == (2, 3)
    assert found[0, 1] == network.evaluate(theta, batch)[0]
    point = (theta + 2.0 * plane.directions[0] + 1.5 * plane.directions[1]).astype(dtype)
    assert found[1, 2] == network.evaluate(point, batch)[0]


def test_running_statistics_are_those_of_theta_everywhere_on_the_plane() -> None:
    theta, path = trained(NORMALIZED)
    batch = NORMALIZED.batch(*blobs(50))
    for plane in (
        random_plane(NORMALIZED.layout, theta, np.random.default_rng(0)),
        path_plane(NORMALIZED.layout, theta, path),
    ):
        at = theta.copy()
        at[: NORMALIZED.parameters] += 0.7 * plane.directions[1]
        assert losses(NORMALIZED, theta, batch, plane, np.zeros(1), np.full(1, 0.7))[0, 0] == pytest.approx(
            NORMALIZED.evaluate(at, batch)[0], rel=1e-12
        )


def test_the_components_of_a_path_are_those_of_its_covariance() -> None:
    network = classifier(4, dtype="float64")
    theta, path = trained(network, epochs=30)
    plane = path_plane(network.layout, theta, path)
    variances, vectors = np.linalg.eigh(np.cov(path.T))
    assert plane.explained is not None
    np.testing.assert_allclose(plane.explained, variances[::-1][:2] / variances.sum())
    np.testing.assert_allclose(np.abs((plane.directions @ vectors[:, ::-1][:, :2]).round(9)), np.eye(2))
    assert plane.explained.sum() > 0.9


def test_a_path_within_a_plane_is_projected_on_itself() -> None:
    network = classifier(4, dtype="float64")
    theta = network.initialize(np.random.default_rng(0))
    directions = np.linalg.qr(np.random.default_rng(1).standard_normal((theta.size, 2)))[0].T
    steps = np.array([[-3.0, 1.0], [-2.0, -0.5], [-1.0, 0.25], [0.0, 0.0]])
    path = theta + steps @ directions
    on_path = path_plane(network.layout, theta, path)
    assert on_path.explained is not None
    assert on_path.path is not None
    assert on_path.explained.sum() == pytest.approx(1)
    np.testing.assert_allclose(on_path.path @ on_path.directions, path - theta, atol=1e-12)
    np.testing.assert_allclose(on_path.path[-1], 0, atol=1e-12)


def test_a_path_is_projected_on_the_nearest_points_of_a_random_plane() -> None:
    network = classifier(4, dtype="float64")
    theta, path = trained(network)
    plane = random_plane(network.layout, theta, np.random.default_rng(0), path)
    assert plane.path is not None
    rest = path - theta - plane.path @ plane.directions
    np.testing.assert_allclose(rest @ plane.directions.T, 0, atol=1e-9)


def test_the_grid_covers_the_path_with_a_margin() -> None:
    path = np.array([[0.0, 0.0], [4.0, 1.0], [2.0, -1.0]])
    plane = Plane(np.eye(2), np.array([0.9, 0.1]), path)
    x, y = axes(plane, 5, 1.0)
    np.testing.assert_allclose(x, [-1, 0.5, 2, 3.5, 5])
    np.testing.assert_allclose(y, [-1.5, -0.75, 0, 0.75, 1.5])
    wide, _ = axes(plane, 5, 2.0)
    np.testing.assert_allclose(wide[[0, -1]], [-4, 8])
    _, flat = axes(plane._replace(path=path * [1, 0]), 5, 1.0)
    assert flat[-1] > 0
    random_x, random_y = axes(plane._replace(explained=None), 3, 0.5)
    assert (random_x.tolist(), random_y.tolist()) == ([-0.5, 0, 0.5], [-0.5, 0, 0.5])


@pytest.mark.parametrize("points", [1, 2])
def test_a_path_that_spans_no_plane_is_rejected(points: int) -> None:
    network = classifier(4)
    theta, path = trained(network)
    with pytest.raises(Invalid, match="no plane"):
        path_plane(network.layout, theta, path[:points])
    with pytest.raises(Invalid, match="no plane"):
        path_plane(network.layout, theta, path[[3] * 5])
