"""Optimizers: a step worked on paper, and no memory of their own."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from backpropd.nn import SGD, Adam
from backpropd.nn.optim import Optimizer


def steps(optimizer: Optimizer, gradients: list[float]) -> list[float]:
    theta, slots = np.array([1.0]), np.zeros((optimizer.slots, 1))
    path = []
    for count, gradient in enumerate(gradients, 1):
        optimizer.step(theta, np.array([gradient]), slots, count)
        path.append(float(theta[0]))
    return path


def test_sgd_goes_against_the_gradient() -> None:
    assert steps(SGD(0.1), [2.0, -1.0]) == pytest.approx([0.8, 0.9])


def test_momentum_keeps_a_share_of_the_last_step() -> None:
    # v: -0.2, then 0.5 * -0.2 - 0.1 = -0.2, then 0.5 * -0.2 = -0.1
    assert steps(SGD(0.1, 0.5), [2.0, 1.0, 0.0]) == pytest.approx([0.8, 0.6, 0.5])


def test_adam_starts_with_a_step_of_the_learning_rate_whatever_the_gradient() -> None:
    assert steps(Adam(0.1), [1000.0]) == pytest.approx([0.9])
    assert steps(Adam(0.1), [-0.001]) == pytest.approx([1.1], rel=1e-5)


def test_adam_follows_the_paper() -> None:
    theta, m, v, path, gradients = 1.0, 0.0, 0.0, [], [0.5, -2.0, 0.3, 0.1]
    for t, g in enumerate(gradients, 1):
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        theta -= 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)
        path.append(theta)
    assert steps(Adam(0.1, 0.8, 0.95, 1e-3), gradients) == pytest.approx(path, rel=1e-12)


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, 0.9), Adam()], ids=repr)
def test_a_step_keeps_float32_and_allocates_no_vector(optimizer: Optimizer) -> None:
    size = 100_000
    theta, gradient = np.ones(size, np.float32), np.ones(size, np.float32)
    slots = np.zeros((optimizer.slots, size), np.float32)
    tracemalloc.start()
    optimizer.step(theta, gradient, slots, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size
    assert theta.dtype == np.float32
    assert (theta < 1).all()
