"""Runs of the neurons: they go on bit for bit, stop at once, and come back from what the store keeps."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import AnyRun, Limits, load_model, resolve, start_run
from backpropd.tabular import IngestedTable, ingest, preview_rows, write_sample

LIMITS = Limits(10_000, 1_000_000, 100_000_000)
TARGETS = {"iris": "species", "xor": "y", "nor": "y"}


class Learner:
    """A sample on disk, and runs on it."""

    def __init__(self, folder: Path, sample: str) -> None:
        self.path = folder / "table.parquet"
        write_sample(sample, folder / "table.csv")
        info: IngestedTable = ingest(folder / "table.csv", self.path)
        self.target, self.rows = TARGETS[sample], info.rows
        self.columns = [column.to_json() for column in info.columns]
        self.interrupt = np.zeros(1, np.int8)

    def spec(self, kind: str, limits: Limits = LIMITS, **training: Any) -> dict[str, Any]:
        network: dict[str, Any] = {"kind": kind}
        if kind == "mcculloch_pitts":
            network |= {"inhibitory": "search", "threshold": "search"}
        wanted = {"target": self.target, "features": None, "task": "auto", "network": network, "training": training}
        return resolve(wanted, self.columns, self.rows, limits).spec

    def run(self, spec: dict[str, Any], checkpoint: bytes | None = None) -> AnyRun:
        return start_run(spec, self.columns, self.path, checkpoint, self.interrupt)


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
def test_a_run_from_a_checkpoint_equals_the_undisturbed_one_bit_for_bit(
    tmp_path: Path, sample: str, kind: str, done: int
) -> None:
    learner = Learner(tmp_path, sample)
    spec = learner.spec(kind, seed=4, epochs=20)
    whole, broken = learner.run(spec), learner.run(spec)
    epochs = list(whole.epochs())
    first = list(itertools.islice(broken.epochs(), done))
    resumed = learner.run(spec, broken.checkpoint())
    assert first + list(resumed.epochs()) == epochs
    assert (resumed.epoch, resumed.stop_reason) == (whole.epoch, whole.stop_reason)
    assert resumed.model() == whole.model()


def test_the_seed_decides_and_nothing_else(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "iris")

    def sha256(seed: int) -> Any:
        run = learner.run(learner.spec("perceptron", seed=seed, epochs=5))
        list(run.epochs())
        return run.model()["sha256"]

    assert sha256(1) == sha256(1) != sha256(2)


def test_a_run_stops_when_it_is_told_to_and_goes_on_later(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "iris")
    run = learner.run(learner.spec("perceptron", seed=1, epochs=9))
    for epoch in run.epochs():
        learner.interrupt[0] = epoch.epoch == 4
    assert (run.epoch, run.stop_reason) == (4, None)
    learner.interrupt[0] = 0
    assert [epoch.epoch for epoch in run.epochs()] == [5, 6, 7, 8, 9]


def test_bursts_are_the_epochs_one_by_one(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "iris")
    spec = learner.spec("perceptron", seed=1, epochs=5)
    chunks = learner.run(spec).epoch_chunks()
    assert list(chunks) == [[epoch] for epoch in learner.run(spec).epochs()]


@pytest.mark.parametrize(("sample", "kind"), [("iris", "perceptron"), ("nor", "mcculloch_pitts")])
def test_a_model_makes_the_mistakes_that_it_was_counted(tmp_path: Path, sample: str, kind: str) -> None:
    learner = Learner(tmp_path, sample)
    run = learner.run(learner.spec(kind, seed=1, validation_fraction=0.0))
    list(run.epochs())
    made = run.model()
    rows = preview_rows(learner.path, learner.rows)
    answers = load_model(made["encoders"], made["weights"]).predict(rows)
    wrong = sum(answer["label"] != str(row[learner.target]) for answer, row in zip(answers, rows, strict=True))
    assert wrong == made["metrics"]["mistakes"]


@pytest.mark.parametrize("limits", [Limits(100, 10, 10**9), Limits(100, 10**6, 1000)])
def test_what_does_not_fit_a_worker_is_refused(tmp_path: Path, limits: Limits) -> None:
    with pytest.raises(errors.TooLargeForMemory):
        Learner(tmp_path, "iris").spec("perceptron", limits)


def test_a_cost_covers_the_parameters_that_are_made(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "xor")
    wanted = {"target": "y", "features": None, "task": "auto", "network": {"kind": "perceptron_network"}}
    plan = resolve({**wanted, "training": {}}, learner.columns, learner.rows, LIMITS)
    assert plan.cost["parameters"] == learner.run(plan.spec).model()["parameters"] == 4 * (2 + 1) + 4 + 1
