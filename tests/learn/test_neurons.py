"""Runs of the threshold neurons: they resume bit for bit, stop when interrupted, and are loaded from the store."""

from pathlib import Path
from typing import Any

import pytest

from backpropd import errors
from backpropd.learn import Limits
from backpropd.tabular import preview_rows
from tests.learn.learner import Learner, assert_resumes_bit_for_bit, epochs_of, load_model

TARGETS = {"iris": "species", "xor": "y", "nor": "y"}


@pytest.mark.parametrize(
    ("sample", "kind", "done"),
    [
        ("iris", "perceptron", 7),
        ("xor", "perceptron", 3),
        ("xor", "perceptron_network", 1),
        ("nor", "mcculloch_pitts", 0),
        ("iris", "perceptron", 20),
    ],
)
def test_a_run_resumed_from_a_checkpoint_equals_the_uninterrupted_one_bit_for_bit(
    tmp_path: Path, sample: str, kind: str, done: int
) -> None:
    learner = Learner(tmp_path, sample=sample)
    plan = learner.neuron_plan(TARGETS[sample], kind, seed=4, epochs=20)
    assert_resumes_bit_for_bit(learner, plan, done)


def test_the_seed_alone_determines_the_model(iris: Learner) -> None:
    def sha256(seed: int) -> Any:
        return iris.trained(iris.neuron_plan("species", "perceptron", seed=seed, epochs=5))["sha256"]

    assert sha256(1) == sha256(1) != sha256(2)


def test_an_interrupted_run_stops_and_continues_later(iris: Learner) -> None:
    run = iris.run(iris.neuron_plan("species", "perceptron", seed=1, epochs=9))
    for epoch in epochs_of(run):
        iris.interrupt[0] = epoch.epoch == 4
    assert (run.epoch, run.stop_reason) == (4, None)
    iris.interrupt[0] = 0
    assert [epoch.epoch for epoch in epochs_of(run)] == [5, 6, 7, 8, 9]


def test_epoch_chunks_are_the_epochs_one_by_one(iris: Learner) -> None:
    plan = iris.neuron_plan("species", "perceptron", seed=1, epochs=5)
    assert list(iris.run(plan).epoch_chunks()) == [[epoch] for epoch in epochs_of(iris.run(plan))]


@pytest.mark.parametrize(("sample", "kind"), [("iris", "perceptron"), ("nor", "mcculloch_pitts")])
def test_a_loaded_model_makes_the_mistakes_that_its_metrics_count(tmp_path: Path, sample: str, kind: str) -> None:
    learner, target = Learner(tmp_path, sample=sample), TARGETS[sample]
    made = learner.trained(learner.neuron_plan(target, kind, seed=1, validation_fraction=0.0))
    rows = preview_rows(learner.path, learner.info.rows)
    answers = load_model(made).predict(rows)
    wrong = sum(answer["label"] != str(row[target]) for answer, row in zip(answers, rows, strict=True))
    assert wrong == made["metrics"]["mistakes"]


@pytest.mark.parametrize("limits", [Limits(100, 10, 10**9), Limits(100, 10**6, 1000)])
def test_a_job_that_is_too_large_for_a_worker_is_rejected(iris: Learner, limits: Limits) -> None:
    with pytest.raises(errors.TooLargeForMemory):
        iris.neuron_plan("species", "perceptron", limits=limits)


def test_the_cost_counts_the_parameters_of_the_model(tmp_path: Path) -> None:
    learner = Learner(tmp_path, sample="xor")
    plan = learner.neuron_plan("y", "perceptron_network")
    assert plan.cost["parameters"] == learner.trained(plan)["parameters"] == 4 * (2 + 1) + 4 + 1
