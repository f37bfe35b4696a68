"""Jobs of many kinds, each of about half a second: every optimizer, and everything else that a checkpoint contains."""

from collections.abc import Mapping
from typing import Any

SMALL: list[dict[str, Any]] = [{"units": 16, "activation": "tanh"}]


def _kind(
    training: dict[str, Any],
    hidden: list[dict[str, Any]] | None = None,
    table: str = "digits",
    target: str = "digit",
    network: dict[str, Any] | None = None,
) -> dict[str, Any]:
    network = network or {"hidden": SMALL if hidden is None else hidden}
    training = {"seed": 7, **training} if "hidden" in network else training
    return {"table": table, "target": target, "network": network, "training": training}


def _optimizer(name: str, epochs: int = 500, **options: Any) -> dict[str, Any]:
    return _kind({"optimizer": {"name": name, **options}, "epochs": epochs})


KINDS: dict[str, dict[str, Any]] = {
    "sgd": _optimizer("sgd"),
    "momentum": _optimizer("sgd", learning_rate=0.01, momentum=0.9),
    "nesterov": _optimizer("sgd", learning_rate=0.01, momentum=0.9, nesterov=True),
    "adagrad": _optimizer("adagrad"),
    "rmsprop": _optimizer("rmsprop", learning_rate=0.0001, momentum=0.5),
    "adadelta": _optimizer("adadelta"),
    "adam": _optimizer("adam", learning_rate=0.0001),
    "amsgrad": _optimizer("adam", learning_rate=0.0001, amsgrad=True),
    "adamw": _kind({"optimizer": {"name": "adamw", "learning_rate": 0.0001}, "weight_decay": 0.01, "epochs": 500}),
    "nadam": _optimizer("nadam", learning_rate=0.0001),
    "lbfgs": _kind(
        {"optimizer": {"name": "lbfgs", "gradient_tolerance": 0.0, "loss_tolerance": 0.0}, "l2": 1e-3, "epochs": 150}
    ),
    "numpy engine": _kind({"engine": "numpy", "epochs": 80}),
    "early stopping": _kind(
        {"optimizer": {"name": "adam", "learning_rate": 0.0002}, "epochs": 100_000,
         "early_stopping": {"patience": 80, "start_epoch": 50}},
    ),
    "refit": _kind(
        {"optimizer": {"name": "adam", "learning_rate": 0.0002}, "epochs": 300, "refit": True,
         "early_stopping": {"patience": 100_000}},
    ),
    "ensemble": _kind(
        {"optimizer": {"name": "adam", "learning_rate": 0.0002}, "epochs": 100, "refit": True, "ensemble_size": 3,
         "early_stopping": {"patience": 100_000}},
    ),
    "dropout": _kind({"epochs": 350}, [{"units": 16, "activation": "relu", "dropout": 0.3}]),
    "batch normalization": _kind(
        {"epochs": 300}, [{"units": 16, "activation": "relu", "normalization": "batch"}]
    ),
    "layer normalization": _kind(
        {"epochs": 300}, [{"units": 16, "activation": "relu", "normalization": "layer"}]
    ),
    "step schedule": _kind({"schedule": {"name": "step", "every": 150, "factor": 0.5}, "epochs": 500}),
    "cosine with restarts": _kind(
        {"schedule": {"name": "cosine", "period": 50, "restart_multiplier": 2}, "epochs": 500}
    ),
    "one cycle after a warmup": _kind(
        {"schedule": {"name": "one_cycle", "maximum_factor": 5.0}, "warmup_epochs": 50, "epochs": 500}
    ),
    "plateau": _kind(
        {"schedule": {"name": "reduce_on_plateau", "patience": 30, "factor": 0.7}, "epochs": 500}
    ),
    "regression in float64": _kind(
        {"epochs": 1500, "dtype": "float64", "loss": "huber"}, table="diabetes", target="progression"
    ),
    "snapshots": _kind({"snapshots": {"every": 7}, "epochs": 500}),
    "perceptron": _kind({"epochs": 500}, table="iris", target="species", network={"kind": "perceptron"}),
}  # fmt: skip


def request(kind: str, dataset_ids: Mapping[str, str], times: int = 1) -> dict[str, Any]:
    """The body of `POST /v1/jobs` for a job of this kind, named after it, with `times` its epochs."""
    spec = KINDS[kind]
    body = {name: spec[name] for name in ("target", "network", "training")}
    body["training"] = {**body["training"], "epochs": times * body["training"]["epochs"]}
    return {"dataset_id": dataset_ids[spec["table"]], "name": kind, **body}
