"""The datasets, jobs, epochs and models that the stand-in shows."""

from typing import Any

EPOCHS = 6
NAME = "fern\u2028moss"  # with a character that some clients take for the end of a line
FEATURES = ["height", "width"]


def a_dataset(name: str = "plants", id: str = "ds_1") -> dict[str, Any]:
    """A dataset, with a field that the client does not know."""
    columns = [{"name": column, "kind": "number", "missing": 0} for column in FEATURES]
    columns.append({"name": "kind", "kind": "category", "missing": 0, "distinct": 2})
    shown = {"id": id, "name": name, "format": "csv", "rows": 4, "bytes": 80, "sha256": "0" * 64}
    shown |= {"created_at": "2026-01-01T00:00:00Z", "dialect": None, "columns": columns, "warnings": []}
    return shown | {"width": len(columns), "from_the_future": True}


def summary_of(dataset: dict[str, Any]) -> dict[str, Any]:
    """The dataset as a list shows it."""
    return {name: value for name, value in dataset.items() if name not in ("dialect", "columns", "warnings")}


def a_job(status: str = "queued", epoch: int = 0, **fields: Any) -> dict[str, Any]:
    error = {"code": "diverged", "detail": "the loss is not finite: lower the learning rate"}
    shown = {
        "id": "job_1", "name": None, "status": status, "dataset_id": "ds_1", "target": "kind",
        "features": FEATURES, "kinds": {}, "left_out": [], "warnings": [], "task": "classification", "network": {},
        "training": {}, "progress": {"epoch": epoch, "epochs": EPOCHS}, "transitions": [], "attempts": 1, "priority": 0,
        "parent": None,
        "model_id": "model_1" if status == "succeeded" else None,
        "error": error if status == "failed" else None,
        "stop_reason": {"succeeded": "epochs", "failed": "error", "cancelled": "cancelled"}.get(status),
        "created_at": "2026-01-01T00:00:00Z", "started_at": None, "finished_at": None, "metadata": {},
    }  # fmt: skip
    return shown | fields


def an_epoch(number: int) -> dict[str, Any]:
    return {
        "epoch": number, "loss": 1 / number, "validation_loss": 1.1 / number, "metrics": {"accuracy": 0.9},
        "validation_metrics": {"accuracy": 0.8}, "gradient_norm": 0.1, "learning_rate": 0.01, "seconds": 0.001,
    }  # fmt: skip


def a_model() -> dict[str, Any]:
    return {
        "id": "model_1", "job_id": "job_1", "name": None, "task": "classification", "network": {},
        "features": FEATURES, "input_columns": FEATURES, "target": "kind",
        "classes": ["fern", "moss"], "parameters": 42,
        "metrics": {"accuracy": 0.9}, "validation_metrics": {"accuracy": 0.8}, "bytes": 168,
        "sha256": "0" * 64, "created_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
