"""Initializers and their parameters."""

import numpy as np
import pytest

from backpropd.nn import INITIALIZERS


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5)], ids=str)
def test_orthogonal_weights_preserve_lengths_and_angles_up_to_the_gain(shape: tuple[int, int]) -> None:
    weight = INITIALIZERS["orthogonal"](gain=3.0).draw(np.random.default_rng(0), *shape)
    assert weight.shape == shape
    gram = weight.T @ weight if shape[0] >= shape[1] else weight @ weight.T
    np.testing.assert_allclose(gram, 9 * np.eye(min(shape)), atol=1e-13)


def test_orthogonal_weights_have_no_preferred_direction() -> None:
    rng = np.random.default_rng(0)
    corners = np.array([INITIALIZERS["orthogonal"]().draw(rng, 2, 2) for _ in range(4000)])
    assert abs(corners.mean(axis=0)).max() < 4 * np.sqrt(0.5 / 4000)  # without the fixed signs, Q's corner is negative
    assert np.mean([np.linalg.det(corner) > 0 for corner in corners]) == pytest.approx(0.5, abs=0.04)


def test_uniform_and_normal_weights_follow_their_parameters() -> None:
    rng = np.random.default_rng(0)
    uniform = INITIALIZERS["uniform"](low=1.0, high=3.0).draw(rng, 300, 200)
    assert 1 <= uniform.min() < 1.001 < 2.999 < uniform.max() < 3
    normal = INITIALIZERS["normal"](mean=-1.0, std=2.0).draw(rng, 300, 200)
    assert normal.mean() == pytest.approx(-1, abs=0.04)
    assert normal.std() == pytest.approx(2, abs=0.04)


def test_zeros_gives_zeros() -> None:
    np.testing.assert_array_equal(INITIALIZERS["zeros"]().draw(np.random.default_rng(0), 2, 3), np.zeros((2, 3)))
