"""Schedules compared with PyTorch, and cases that PyTorch does not have."""

import json
from typing import Any

import numpy as np
import pytest

from backpropd.nn import SCHEDULES
from backpropd.nn.optimization.schedules import (
    Constant,
    Cosine,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    Step,
)
from tests.nn.peers import starts

PYTORCH = starts.reference("schedules")
EVERY = [
    SCHEDULES[run["schedule"]["name"]](**{key: value for key, value in run["schedule"].items() if key != "name"})
    for run in PYTORCH.values()
]


def rates(schedule: Schedule, epoch: int, *, base: float = 1.0, steps: int = 4, epochs: int = 10) -> np.ndarray:
    out = np.full(steps, np.nan)
    schedule.rates(base, epoch, steps, epochs, out)
    return out


def run(schedule: Schedule, base: float, steps: int, losses: list[float]) -> list[float]:
    """The rates of all steps; what is remembered goes through JSON after every epoch, as in a checkpoint."""
    memory, found = schedule.start(), []
    for epoch, loss in enumerate(losses, 1):
        out = np.full(steps, np.nan)
        schedule.rates(base, epoch, steps, len(losses), out, memory)
        found += out.tolist()
        schedule.observe(memory, loss)
        memory = json.loads(json.dumps(memory, allow_nan=False))
    return found


def test_pytorch_reference_rates_cover_every_schedule() -> None:
    assert {figure["schedule"]["name"] for figure in PYTORCH.values()} == set(SCHEDULES)


@pytest.mark.parametrize(("schedule", "figure"), list(zip(EVERY, PYTORCH.values(), strict=True)), ids=PYTORCH)
def test_rates_match_pytorch(schedule: Schedule, figure: dict[str, Any]) -> None:
    found = run(schedule, starts.BASE, starts.STEPS_PER_EPOCH, starts.plateau_losses())
    np.testing.assert_allclose(found, figure["rates"], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("schedule", EVERY, ids=PYTORCH)
def test_the_rates_of_an_epoch_do_not_depend_on_earlier_calls(schedule: Schedule) -> None:
    ahead = [rates(schedule, epoch) for epoch in range(1, 11)]
    for epoch in reversed(range(1, 11)):
        np.testing.assert_array_equal(rates(schedule, epoch), ahead[epoch - 1])


def test_warmup_rises_linearly_to_the_base_rate_before_the_schedule_begins() -> None:
    schedule = Step(2, 0.5, warmup_epochs=2)
    np.testing.assert_allclose(rates(schedule, 1), [0.125, 0.25, 0.375, 0.5])
    np.testing.assert_allclose(rates(schedule, 2), [0.625, 0.75, 0.875, 1.0])
    for epoch, factor in [(3, 1.0), (4, 1.0), (5, 0.5), (6, 0.5), (7, 0.25)]:
        np.testing.assert_array_equal(rates(schedule, epoch), np.full(4, factor))


def test_warmup_may_take_the_whole_run() -> None:
    for kind in (Constant, Cosine, OneCycle, InverseScaling):
        schedule = kind(warmup_epochs=10)
        np.testing.assert_allclose(rates(schedule, 10, base=2.0)[-1], 2.0)


def test_cosine_is_halfway_in_the_middle_and_ends_one_step_above_its_minimum() -> None:
    schedule = Cosine(minimum_factor=0.2)
    assert rates(schedule, 1)[0] == 1
    assert rates(schedule, 6)[0] == pytest.approx(0.6)
    assert 0.2 < rates(schedule, 10)[-1] < 0.202


def test_growing_periods_restart_at_their_ends() -> None:
    schedule = Cosine(period=1, restart_multiplier=3)  # epochs 1, 2 to 4, 5 to 13, 14 …
    assert [epoch for epoch in range(1, 20) if rates(schedule, epoch)[0] == 1] == [1, 2, 5, 14]


def test_one_cycle_starts_at_the_base_rate_and_reaches_its_maximum_and_minimum() -> None:
    found = np.concatenate([rates(OneCycle(8.0, 0.25, 0.01), epoch) for epoch in range(1, 11)])
    assert (found[0], found.argmax(), found[9], found[-1]) == pytest.approx((1.0, 9, 8.0, 0.01))


@pytest.mark.parametrize(("epochs", "expected"), [(1, [1.0]), (2, [1.0, 1e-4]), (3, [1.0, 12.50005, 1e-4])])
def test_one_cycle_of_a_few_steps_is_finite_and_ends_low(epochs: int, expected: list[float]) -> None:
    found = [rates(OneCycle(), epoch, steps=1, epochs=epochs)[0] for epoch in range(1, epochs + 1)]
    np.testing.assert_allclose(found, expected)


def test_inverse_scaling_counts_steps_from_one() -> None:
    np.testing.assert_allclose(rates(InverseScaling(1.0), 2), [1 / 5, 1 / 6, 1 / 7, 1 / 8])


def test_a_plateau_is_patience_epochs_without_an_improvement_of_min_delta() -> None:
    schedule = ReduceOnPlateau(factor=0.5, patience=2, min_delta=0.1, minimum_rate=0.2)
    losses = [1.0, 0.8, 0.75, 0.71, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
    expected = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]
    np.testing.assert_allclose(run(schedule, 1.0, 1, losses), expected)


def test_a_minimum_rate_above_the_base_rate_does_not_raise_the_rate() -> None:
    np.testing.assert_array_equal(rates(ReduceOnPlateau(minimum_rate=5.0), 1), np.ones(4))
