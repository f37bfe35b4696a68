"""Optimizers, regularization, schedules, stopping and metrics, through a run."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd.learn.checkpoint import unpack
from backpropd.nn.interrupts import TIME_IS_UP
from tests.learn.learner import Learner, epochs_of, weights_of

SGD = {"name": "sgd", "learning_rate": 0.1}


# ── optimizers, regularization, schedules ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
        {"name": "adagrad", "learning_rate": 0.1},
        {"name": "rmsprop"},
        {"name": "rmsprop", "momentum": 0.5},
        {"name": "adadelta"},
        {"name": "adam", "learning_rate": 0.01, "amsgrad": True},
        {"name": "adamw", "learning_rate": 0.01},
        {"name": "nadam"},
    ],
)
def test_every_optimizer_learns_by_either_engine(iris: Learner, optimizer: dict[str, Any]) -> None:
    losses = []
    for engine in ("numpy", "numba"):
        plan = iris.plan("species", optimizer=optimizer, engine=engine, epochs=40)
        assert set(optimizer) <= set(plan.spec.to_json()["training"]["optimizer"])
        made = iris.trained(plan)
        assert made["metrics"]["accuracy"] > 0.85
        losses.append(made["metrics"]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_adamw_has_a_weight_decay_of_its_own_unless_one_is_requested(iris: Learner) -> None:
    def decay(**changes: Any) -> Any:
        return iris.plan("species", **changes).spec.to_json()["training"]["weight_decay"]

    adamw = {"name": "adamw"}
    assert (decay(optimizer=adamw), decay(optimizer=adamw, weight_decay=0.0), decay()) == (0.01, 0.0, 0.0)


@pytest.mark.parametrize("penalty", [{"l1": 0.01}, {"l2": 0.05}, {"weight_decay": 1.0}])
def test_a_penalty_makes_weights_smaller(iris: Learner, penalty: dict[str, float]) -> None:
    def length(**changes: Any) -> float:
        return float(np.abs(weights_of(iris.trained(iris.plan("species", **changes)))["layers.0.weight"]).sum())

    assert length(**penalty) < 0.9 * length()


def test_max_norm_bounds_the_norm_of_every_units_weights(iris: Learner) -> None:
    def longest(**changes: Any) -> float:
        weights = weights_of(iris.trained(iris.plan("species", **changes)))
        return max(np.linalg.norm(weights[name], axis=0).max() for name in ("layers.0.weight", "layers.1.weight"))

    assert longest(max_norm=0.5) <= 0.5 + 1e-6 < longest()


@pytest.mark.parametrize("clipped", ["gradient_clip_norm", "gradient_clip_value"])
def test_a_clipped_gradient_bounds_the_step(iris: Learner, clipped: str) -> None:
    plan = iris.plan("species", optimizer=SGD, batch_size="full", epochs=1, **{clipped: 1e-3})
    run = iris.run(plan)
    before = run.state.theta.copy()
    list(epochs_of(run))
    moved = np.abs(run.state.theta - before)
    size = np.linalg.norm(moved) if clipped == "gradient_clip_norm" else moved.max()
    assert size == pytest.approx(0.1 * 1e-3, rel=1e-2)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (None, [1, 1, 1, 1]),
        ({"name": "step", "every": 2, "factor": 0.5}, [1, 1, 0.5, 0.5]),
        ({"name": "exponential", "factor": 0.5}, [1, 0.5, 0.25, 0.125]),
        ({"name": "cosine"}, [1, 0.854, 0.5, 0.146]),
        ({"name": "cosine", "period": 2}, [1, 0.5, 1, 0.5]),
        ({"name": "inverse_scaling"}, [1, 0.707, 0.577, 0.5]),
        ({"name": "one_cycle", "maximum_factor": 4.0, "rising_fraction": 0.5}, [1, 4, 2, 1e-4]),
        ({"name": "reduce_on_plateau", "patience": 1, "min_delta": 1e5, "factor": 0.5}, [1, 1, 0.5, 0.25]),
    ],
)
def test_a_schedule_changes_the_learning_rate(iris: Learner, schedule: Any, rates: list[float]) -> None:
    plan = iris.plan("species", schedule=schedule, epochs=4, batch_size="full", optimizer=SGD)
    assert plan.spec.to_json()["training"]["schedule"]["name"] == (schedule or {"name": "constant"})["name"]
    epochs, _ = iris.train(plan)
    assert [epoch.learning_rate / 0.1 for epoch in epochs] == pytest.approx(rates, abs=1e-3)


def test_a_warmup_precedes_any_schedule(iris: Learner) -> None:
    schedule = {"name": "exponential", "factor": 0.5}
    plan = iris.plan("species", schedule=schedule, warmup_epochs=2, epochs=5, batch_size="full", optimizer=SGD)
    epochs, _ = iris.train(plan)
    assert [epoch.learning_rate / 0.1 for epoch in epochs] == pytest.approx([0.5, 1, 1, 0.5, 0.25])


# ── stopping, metrics, the path ──────────────────────────────────────────────────────────────────────────────────


def stopping(**fields: Any) -> dict[str, Any]:
    """Early stopping as soon as possible."""
    return {"monitor": "loss", "patience": 1, "min_delta": 1e3, **fields}


def test_early_stopping_waits_for_its_first_epoch(iris: Learner) -> None:
    epochs, _ = iris.train(iris.plan("species", early_stopping=stopping(start_epoch=6)))
    assert (epochs[-1].epoch, epochs[-1].stop_reason) == (7, "early_stopping")


def test_the_best_parameters_are_restored_only_with_restore_best(iris: Learner) -> None:
    schedule = {"optimizer": {"name": "sgd", "learning_rate": 8.0, "momentum": 0.9}, "epochs": 25}
    losses = []
    for restore_best in (True, False):
        early = {"monitor": "validation_loss", "patience": 50, "min_delta": 0.0, "restore_best": restore_best}
        epochs, made = iris.train(iris.plan("species", early_stopping=early, **schedule))
        held_out = [epoch.validation_loss for epoch in epochs if epoch.validation_loss is not None]
        losses.append(made["validation_metrics"]["loss"] == pytest.approx(min(held_out), rel=1e-4))
        assert min(held_out) < held_out[-1]
    assert losses == [True, False]


def test_a_run_ends_at_its_target_loss(iris: Learner) -> None:
    epochs, _ = iris.train(iris.plan("species", target_loss=0.5, epochs=500))
    assert epochs[-1].stop_reason == "target_loss"
    assert epochs[-1].validation_loss is not None
    assert epochs[-1].validation_loss <= 0.5 < (epochs[-2].validation_loss or 0)


@pytest.mark.parametrize(
    ("requested", "limit", "seconds"), [(5.0, None, 5.0), (None, 5.0, 5.0), (5.0, 9.0, 5.0), (9.0, 5.0, 5.0)]
)
def test_a_run_ends_at_max_seconds_or_at_the_limit_of_the_service(
    iris: Learner, requested: float | None, limit: float | None, seconds: float
) -> None:
    ticks = itertools.count()
    run = iris.run(
        iris.plan("species", max_seconds=requested, epochs=500), clock=lambda: float(next(ticks)), max_seconds=limit
    )
    epochs = list(epochs_of(run))
    assert (epochs[-1].stop_reason, run.state.seconds) == ("max_seconds", seconds)
    assert run.model()["metrics"]
    assert [note.code for note in run.notes] == ([] if requested == seconds else ["job_seconds_limit"])


@pytest.mark.parametrize("kind", ["perceptron", "perceptron_network"])
def test_a_threshold_neuron_ends_at_max_seconds_with_its_best_theta(tmp_path: Path, kind: str) -> None:
    ticks = itertools.count()
    contradictory = Learner(tmp_path, "a,b,y\n0,0,0\n0,0,1\n1,0,1\n1,1,0\n")
    run = contradictory.run(
        contradictory.neuron_plan("y", kind, max_seconds=5.0, epochs=100), clock=lambda: float(next(ticks))
    )
    epochs = list(epochs_of(run))
    assert (epochs[-1].stop_reason, len(epochs) < 100) == ("max_seconds", True)


def test_a_run_whose_time_is_up_in_its_first_epoch_has_a_model_of_the_steps_it_made(iris: Learner) -> None:
    run = iris.run(iris.plan("species", batch_size=1))
    before = run.state.theta.copy()
    iris.interrupt[0] = TIME_IS_UP
    try:
        assert list(epochs_of(run)) == []
        run.end()
        made = run.model()
    finally:
        iris.interrupt[0] = 0
    assert run.stop_reason == "max_seconds"
    assert np.isfinite(made["metrics"]["loss"])
    assert [note.code for note in run.notes] == ["no_epoch_finished"]
    assert np.array_equal(before, run.state.theta)  # the interrupt came before the first step


def test_metrics_every_includes_the_first_and_the_last_epoch(iris: Learner) -> None:
    epochs, _ = iris.train(iris.plan("species", metrics_every=4, epochs=10))
    assert [epoch.epoch for epoch in epochs if epoch.metrics] == [1, 4, 8, 10]
    assert all(epoch.validation_metrics == {} for epoch in epochs if not epoch.metrics)
    without = iris.train(iris.plan("species", metrics_every=4, epochs=2, validation_fraction=0.0))[0]
    assert [epoch.validation_metrics for epoch in without] == [None, None]


def test_automatic_metrics_follow_from_sizes_alone(tmp_path: Path, iris: Learner) -> None:
    def every(**changes: Any) -> int:
        found: int = iris.plan("species", epochs=1000, **changes).spec.to_json()["training"]["metrics_every"]
        return found

    assert every() == every(seed=7)
    slow = every(engine="numba", batch_size=1)
    fast = every(engine="numba", batch_size="full")
    assert 1 < slow < fast  # the shorter an epoch, the rarer the metrics
    assert every(engine="numpy", batch_size=1) == 1
    assert every(engine="numba", batch_size=1, validation_fraction=0.0) < slow  # one set to measure instead of two
    # 120 rows in batches of 32, 8 tanh units, 3 classes: 67 parameters, with the constants of cost.py
    epoch = 8 + 4 * 1.3 + 3 * 120 * 67 / 40_000
    metrics = sum(60 + 2 * 3 + 0.022 * rows * 3 + 30 + rows * 67 / 15_000 for rows in (120, 30))
    assert every(engine="numba") == math.ceil(10 * metrics / epoch)


def test_epoch_chunks_are_the_epochs_several_at_a_time(iris: Learner) -> None:
    plan = iris.plan("species", engine="numba", metrics_every=10, epochs=25)
    chunks = list(iris.run(plan).epoch_chunks())
    assert len(chunks) < 10
    assert [epoch for chunk in chunks for epoch in chunk] == list(epochs_of(iris.run(plan)))


def test_the_path_ends_at_the_model_and_has_at_most_about_200_snapshots(iris: Learner) -> None:
    made = iris.trained(iris.plan("species", keep_path=True, epochs=450))
    arrays, meta = unpack(made["path"])
    assert meta["epochs"] == [0, *range(3, 451, 3)]
    flat = np.concatenate([array.ravel() for array in weights_in_order(made)])
    assert np.array_equal(arrays["path"][-1], flat)
    assert iris.trained(iris.plan("species"))["path"] is None


def weights_in_order(made: dict[str, Any]) -> Iterator[Any]:
    """The parameters as theta has them."""
    weights = weights_of(made)
    for layer in range(2):
        yield from (weights[f"layers.{layer}.{noun}"] for noun in ("weight", "bias"))
