"""Declarations of algorithms fit together, and what the kernels do not know is an error."""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import TypeAdapter

from backpropd import nn
from backpropd.errors import Invalid
from backpropd.nn.kernels import activations, losses, updates
from backpropd.nn.kernels.arguments import settings_record
from tests.nn.data import classifier, regressor

ALGORITHMS = [
    algorithm
    for registry in (nn.OPTIMIZERS, nn.SCHEDULES, nn.LOSSES, nn.INITIALIZERS)
    for algorithm in registry.values()
]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_default_is_within_its_bounds(algorithm: type[Any]) -> None:
    for kind, default in nn.hyperparameters(algorithm).values():
        if default is not ...:
            TypeAdapter(kind).validate_python(default)


def test_facts_name_algorithms_that_exist() -> None:
    tasks = set(get_args(nn.Task))
    for activation in nn.ACTIVATIONS.values():
        assert activation.initializer in nn.INITIALIZERS
        assert set(activation.tasks) <= tasks
    for loss in nn.LOSSES.values():
        assert set(loss.tasks) <= tasks
        if loss.fused_with:
            assert set(loss.tasks) <= set(nn.ACTIVATIONS[loss.fused_with].tasks)


def test_every_task_has_a_loss_for_each_of_its_output_activations() -> None:
    for task in get_args(nn.Task):
        for name in (name for name, each in nn.ACTIVATIONS.items() if task in each.tasks):
            assert [loss for loss in nn.LOSSES.values() if task in loss.tasks and loss.fused_with in (None, name)]


@dataclass(frozen=True)
class Mine(nn.SGD):
    """An optimizer without a kernel."""

    name = "mine"


@dataclass(frozen=True)
class Extended(nn.SGD):
    """A known optimizer with a parameter that its kernel does not read."""

    dampening: float = 0.5


@pytest.mark.parametrize(("optimizer", "reason"), [(Mine(), "no compiled kernel"), (Extended(), "dampening")])
def test_an_optimizer_or_a_parameter_without_a_kernel_is_an_error(optimizer: nn.SGD, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        settings_record(classifier(3), optimizer, nn.Regularization(), 8)


def test_a_parameter_of_another_algorithm_is_nan_and_a_regularization_that_is_off_is_zero() -> None:
    (record,) = settings_record(regressor(3), nn.Adam(beta1=0.8), nn.Regularization(l1=0.5), 8)
    assert (record["beta1"], record["l1"], record["l2"], record["max_norm"]) == (0.8, 0.5, 0.0, 0.0)
    assert np.isnan([record["rho"], record["momentum"], record["delta"]]).all()


def test_an_activation_without_a_kernel_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(activations.CODES, "tanh", 99)
    network = classifier(3)
    predict = nn.row_predictor(network, network.initialize(np.random.default_rng(0)))
    with pytest.raises(NotImplementedError, match="no kernel"):
        predict(np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("codes", "name"), [(activations.CODES, "tanh"), (losses.CODES, "cross_entropy"), (updates.CODES, "adam")]
)
def test_a_run_with_an_algorithm_without_a_kernel_is_an_error(
    codes: dict[str, int], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(codes, name, 99)
    network, training = classifier(3), nn.Training(nn.Adam(), 1, 8, engine="numba")
    data = nn.Batch(np.zeros((8, 2)), np.zeros(8, int))
    state = nn.State.start(network, training.optimizer, np.random.default_rng(0))
    with pytest.raises(NotImplementedError, match="no kernel"):
        list(nn.fit(network, data, None, training, state))
