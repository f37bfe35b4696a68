"""A table on disk, and jobs on it as the service would ask for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from backpropd.learn import Limits, Plan, Run, Source, TableInfo, resolve
from backpropd.nn import Epoch
from backpropd.tabular import ingest, write_sample

LIMITS = Limits(10_000, 1_000_000, 100_000_000)
NO_FLAG = np.zeros(1, np.int8)

TRAINING = {
    "loss": "auto",
    "optimizer": {"name": "adam", "learning_rate": 0.01},
    "epochs": 30,
    "batch_size": None,
    "validation_fraction": None,
    "early_stopping": None,
    "seed": 1,
    "dtype": "float32",
    "engine": "numpy",
}


class Learner:
    """A dataset, and what a worker makes of it."""

    def __init__(self, folder: Path, text: str | None = None, sample: str | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.path = folder / "table.parquet"
        source = folder / "table.csv"
        if sample:
            write_sample(sample, source)
        else:
            source.write_text(text or "")
        self.info = ingest(source, self.path)
        self.columns = [column.to_json() for column in self.info.columns]

    @property
    def source(self) -> Source:
        """Where the table lies."""
        return Source(self.columns, self.path)

    def plan(
        self,
        target: str | list[str],
        limits: Limits = LIMITS,
        validation: Learner | None = None,
        model: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Plan:
        """A job resolved; what is not `hidden`, `features`, `task` or `network` is a field of training."""
        network = {"kind": "feedforward", "output_activation": "auto", "initializer": "auto"}
        hidden = changes.pop("hidden", [{"units": 8, "activation": "tanh"}])
        wanted_network = {**network, "hidden": hidden, **changes.pop("network", {})}
        if validation:
            changes["validation_dataset_id"] = "ds_other"
        if model:
            changes["warm_start_model_id"] = "model_before"
            wanted_network = wanted_network if "units" in changes else None  # type: ignore[assignment]
        changes.pop("units", None)
        wanted = {
            "target": target,
            "features": changes.pop("features", None),
            "task": changes.pop("task", "auto"),
            "network": wanted_network,
            "training": {**TRAINING, **changes},
        }
        other = TableInfo(validation.columns, validation.info.rows) if validation else None
        return resolve(wanted, self.columns, self.info.rows, limits, validation_table=other, model=model)

    def run(self, plan: Plan, checkpoint: bytes | None = None, **others: Any) -> Run:
        """The run of a plan."""
        return Run(plan.spec, self.columns, self.path, checkpoint, NO_FLAG, **others)

    def trained(self, plan: Plan, **others: Any) -> dict[str, Any]:
        """The model that a plan ends with."""
        return self.followed(plan, **others)[1]

    def followed(self, plan: Plan, **others: Any) -> tuple[list[Epoch], dict[str, Any]]:
        """The epochs of a plan, and the model that it ends with."""
        run = self.run(plan, **others)
        epochs = list(run.epochs())
        return epochs, run.model()


def weights_of(model: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """A model's parameters by name."""
    found: dict[str, NDArray[Any]] = load(model["weights"])
    return found
