"""Optimizers compared with calculations by hand, and their use of memory."""

import tracemalloc

import numpy as np
import pytest

from backpropd.nn import SGD, Adadelta, Adagrad, Adam, Nadam
from backpropd.nn.optimization.optimizers import BLOCK, Optimizer
from tests.nn.data import OPTIMIZERS


def steps(optimizer: Optimizer, gradients: list[float]) -> list[float]:
    theta, slots = np.array([1.0]), np.zeros((optimizer.slots, 1))
    path = []
    for count, gradient in enumerate(gradients, 1):
        optimizer.step(theta, np.array([gradient]), slots, count, optimizer.learning_rate)
        path.append(float(theta[0]))
    return path


@pytest.mark.parametrize(
    ("optimizer", "gradients", "path"),
    [
        (SGD(0.1), [2.0, -1.0], [0.8, 0.9]),
        # v: -0.2, then 0.5 * -0.2 - 0.1 = -0.2, then 0.5 * -0.2 = -0.1
        (SGD(0.1, 0.5), [2.0, 1.0, 0.0], [0.8, 0.6, 0.5]),
        # v: -0.2, then -0.2, then -0.1; theta moves by 0.5 v - 0.1 g: -0.3, then -0.2, then -0.05
        (SGD(0.1, 0.5, nesterov=True), [2.0, 1.0, 0.0], [0.7, 0.5, 0.45]),
        (Adagrad(0.1, initial_accumulator=7.0), [3.0, 3.0], [0.925, 0.865]),
        # Adam's first step is the learning rate, for any gradient
        (Adam(0.1), [1000.0], [0.9]),
        (Adam(0.1), [-0.001], [pytest.approx(1.1, rel=1e-5)]),
    ],
    ids=repr,
)
def test_steps_are_those_of_a_calculation_by_hand(
    optimizer: Optimizer, gradients: list[float], path: list[float]
) -> None:
    assert steps(optimizer, gradients) == [pytest.approx(each) if isinstance(each, float) else each for each in path]


def test_adam_follows_the_paper() -> None:
    theta, m, v, path, gradients = 1.0, 0.0, 0.0, [], [0.5, -2.0, 0.3, 0.1]
    for t, g in enumerate(gradients, 1):
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        theta -= 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)
        path.append(theta)
    assert steps(Adam(0.1, 0.8, 0.95, 1e-3), gradients) == pytest.approx(path, rel=1e-12)


def test_amsgrad_retains_the_largest_second_moment() -> None:
    plain, ams = (steps(Adam(0.1, 0.0, 0.5, amsgrad=amsgrad), [9.0, 0.0, 0.0, 1.0]) for amsgrad in (False, True))
    assert ams[-2] - ams[-1] < plain[-2] - plain[-1]


def test_the_first_step_of_adadelta_does_not_depend_on_the_gradients_size() -> None:
    assert steps(Adadelta(), [1e3]) == pytest.approx(steps(Adadelta(), [1e6]), rel=1e-7)


def test_the_product_of_nadam_is_zero_exactly_where_one_minus_it_rounds_to_one() -> None:
    for nadam in (Nadam(), Nadam(momentum_decay=1.0)):
        product = 1.0
        for t in range(1, 500):
            product *= nadam.mu(t)
            assert 1 - nadam.mu_product(t) == 1 - product
        assert nadam.mu_product(10**15) == 0.0


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_step_keeps_float32_and_allocates_no_vector(optimizer: Optimizer) -> None:
    size = 100_000
    theta, gradient = np.ones(size, np.float32), np.ones(size, np.float32)
    slots = np.zeros((optimizer.slots, size), np.float32)
    tracemalloc.start()
    optimizer.step(theta, gradient, slots, 1, optimizer.learning_rate)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size
    assert theta.dtype == np.float32
    assert (theta < 1).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_float32_gives_the_step_of_float64_rounded(optimizer: Optimizer) -> None:
    rng = np.random.default_rng(0)
    single, double = (np.ones(9, dtype) for dtype in ("float32", "float64"))
    slots, slots_double = (np.zeros((optimizer.slots, 9), dtype) for dtype in ("float32", "float64"))
    for count in range(1, 6):
        gradient = rng.standard_normal(9).astype(np.float32)
        optimizer.step(double, gradient.astype(np.float64), slots_double, count, 0.01)
        optimizer.step(single, gradient, slots, count, 0.01)
    np.testing.assert_allclose(single, double, rtol=3e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_step_over_several_blocks_equals_the_steps_of_its_slices(optimizer: Optimizer) -> None:
    gradient = np.random.default_rng(0).standard_normal(2 * BLOCK + 5)
    whole, slots = np.ones_like(gradient), np.zeros((optimizer.slots, gradient.size))
    optimizer.step(whole, gradient.copy(), slots, 1, 0.1)
    tail, tail_slots = np.ones(7), np.zeros((optimizer.slots, 7))
    optimizer.step(tail, gradient[-7:].copy(), tail_slots, 1, 0.1)
    np.testing.assert_allclose(whole[-7:], tail, rtol=1e-15)
    np.testing.assert_allclose(slots[:, -7:], tail_slots, rtol=1e-15)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_step_uses_the_rate_that_it_is_given(optimizer: Optimizer) -> None:
    moves = []
    for rate in (0.1, 0.2):
        theta, slots = np.zeros(1), np.zeros((optimizer.slots, 1))
        optimizer.step(theta, np.ones(1), slots, 1, rate)
        moves.append(float(theta[0]))
    assert moves[1] == pytest.approx(2 * moves[0])
