"""A table on disk, and jobs on it as the service requests them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from backpropd.learn import Context, JobRequest, Limits, Model, Plan, Run, Source, TableDescription, WarmStart, resolve
from backpropd.nn import Epoch
from backpropd.tabular import ingest, write_sample

LIMITS = Limits(10_000, 1_000_000, 100_000_000)

TRAINING = {"epochs": 30, "seed": 1, "engine": "numpy"}


class Learner:
    """A dataset, and the plans, runs and models of jobs on it."""

    def __init__(self, folder: Path, text: str | None = None, sample: str | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.path, source = folder / "table.parquet", folder / "table.csv"
        if sample:
            write_sample(sample, source)
        else:
            source.write_text(text or "")
        self.info = ingest(source, self.path)
        self.table = TableDescription({column.name: column for column in self.info.columns}, self.info.rows)
        self.source = Source(self.table.columns, self.path)
        self.interrupt = np.zeros(1, np.int8)

    def plan(
        self,
        target: str | list[str],
        limits: Limits = LIMITS,
        validation: Learner | None = None,
        model: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Plan:
        """A resolved job; what is not `hidden`, `features`, `task` or `network` is a field of training."""
        network: dict[str, Any] = {"kind": "feedforward", "output_activation": "auto", "initializer": "auto"}
        network["hidden"] = changes.pop("hidden", [{"units": 8, "activation": "tanh"}])
        if validation:
            changes["validation_dataset_id"] = "ds_other"
        if model:
            changes["warm_start_model_id"] = "model_before"
        request = JobRequest.from_json(
            target=target,
            features=changes.pop("features", None),
            kinds=changes.pop("kinds", {}),
            task=changes.pop("task", "auto"),
            network={**network, **changes.pop("network", {})},
            network_given=changes.pop("network_given", model is None),
            training={**TRAINING, **changes},
        )
        other, encoders = validation and validation.table, model and model["encoders"]
        return resolve(request, Context(self.table, limits, other, encoders))

    def neuron_plan(
        self,
        target: str,
        kind: str,
        network: dict[str, Any] | None = None,
        *,
        limits: Limits = LIMITS,
        **training: Any,
    ) -> Plan:
        """A resolved job for a threshold neuron, with the fields of its network and of training that are given."""
        searched = {"inhibitory": "search", "threshold": "search"} if "mcc" in kind else {}
        requested = {"kind": kind, **searched, **(network or {})}
        request = JobRequest.from_json(target=target, network=requested, training=training)
        return resolve(request, Context(self.table, limits))

    def run(
        self, plan: Plan, checkpoint: bytes | None = None, warm_start: dict[str, Any] | None = None, **others: Any
    ) -> Run:
        """The run of a plan; `warm_start` is a model as a run gives it."""
        before = warm_start and WarmStart(*(warm_start[name] for name in WarmStart._fields))
        return Run(plan.spec, self.source, checkpoint, self.interrupt, warm_start=before, **others)

    def trained(self, plan: Plan, **others: Any) -> dict[str, Any]:
        """The model that a plan ends with."""
        return self.train(plan, **others)[1]

    def train(self, plan: Plan, **others: Any) -> tuple[list[Epoch], dict[str, Any]]:
        """The epochs of a plan, and the model that it ends with."""
        run = self.run(plan, **others)
        epochs = list(epochs_of(run))
        return epochs, run.model()


def assert_resumes_bit_for_bit(learner: Learner, plan: Plan, after: int) -> None:
    """A run that resumes from its checkpoint after some epochs, and one that does at its end, equal the whole one."""
    whole = learner.run(plan)
    epochs = list(epochs_of(whole))
    interrupted = learner.run(plan)
    first = list(itertools.islice(epochs_of(interrupted), after))
    resumed = learner.run(plan, interrupted.checkpoint())
    assert first + list(epochs_of(resumed)) == epochs
    assert (resumed.epoch, resumed.stop_reason) == (whole.epoch, whole.stop_reason)
    assert resumed.model() == whole.model() == learner.run(plan, resumed.checkpoint()).model()


def epochs_of(run: Run) -> Iterator[Epoch]:
    """Train on, epoch by epoch."""
    for chunk in run.epoch_chunks(max_epochs=1):
        yield from chunk


def load_model(model: dict[str, Any]) -> Model:
    """The model as a run gives it, loaded from its JSON and its weights."""
    return Model.load(model["encoders"], model["weights"])


def weights_of(model: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """A model's parameters by name."""
    found: dict[str, NDArray[Any]] = load(model["weights"])
    return found
