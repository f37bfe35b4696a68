"""Options of training over HTTP: resolved, used, stored with the model, or rejected with their pointer."""

from typing import Any

import pytest

from tests.service.requests import Work, read_model, sample, submit, upload
from tests.service.validation import Client

LAYER: dict[str, Any] = {
    "units": 6, "activation": "gelu", "dropout": 0.1, "use_bias": False, "normalization": "batch",
    "initializer": {"name": "normal", "mean": 0.0, "std": 0.2},
}  # fmt: skip
TRAINING: dict[str, Any] = {
    "loss": {"name": "cross_entropy"}, "label_smoothing": 0.05, "class_weight": {"setosa": 2},
    "optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
    "schedule": {"name": "cosine", "period": 4, "minimum_factor": 0.1}, "warmup_epochs": 2,
    "l1": 1e-5, "l2": 1e-4, "weight_decay": 1e-3, "max_norm": 4, "gradient_clip_norm": 5, "gradient_clip_value": 1,
    "epochs": 8, "batch_size": 16, "validation_fraction": 0.25, "max_seconds": 1000, "target_loss": 0.001,
    "early_stopping": {
        "monitor": "loss", "patience": 5, "min_delta": 0.001, "restore_best": False, "start_epoch": 2,
        "ties": "last",
    },
    "metrics_every": 3, "keep_path": True, "keep_optimizer_state": True,
    "seed": 3, "dtype": "float32", "engine": "numpy",
}  # fmt: skip
EVERYTHING: dict[str, Any] = {
    "network": {
        "hidden": [LAYER],
        "initializer": {"name": "orthogonal", "gain": 1.5},
        "input_scaling": True,
        "parametrization": "standard",
    },
    "training": TRAINING,
}


def rejected(http: Client, dataset_id: str, status: int = 422, **spec: Any) -> list[str]:
    answer = http.post("/v1/jobs", json={"dataset_id": dataset_id, "target": "species", **spec})
    assert answer.status_code == status, answer.json
    return [each["pointer"] for each in answer.json["errors"]]


def test_every_option_is_in_the_resolved_spec_as_requested(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, **EVERYTHING)
    requested = {**EVERYTHING["training"], "loss": "cross_entropy"}
    schedule = {**requested["schedule"], "restart_multiplier": 1}
    assert {name: job["training"][name] for name in requested} == {**requested, "schedule": schedule}
    assert job["network"]["hidden"] == EVERYTHING["network"]["hidden"]
    assert job["network"]["initializer"] == EVERYTHING["network"]["initializer"]
    work()
    assert read_model(http, job)["metrics"]["loss"] > 0
    epochs = http.get(f"/v1/jobs/{job['id']}/epochs").json["data"]
    assert [epoch["epoch"] for epoch in epochs if epoch["metrics"]] == [1, 3, 6, 8]
    assert epochs[1]["validation_metrics"] == {}


def test_the_resolved_spec_has_every_option_that_was_left_out(http: Client, iris: str) -> None:
    training = submit(http, iris)["training"]
    assert set(EVERYTHING["training"]) | {"validation_dataset_id", "validation_column", "sample_weight"} < set(training)
    assert (training["engine"], training["preset"], training["weight_decay"]) == ("numba", "fast", 0.0)
    assert training["schedule"] == {"name": "cosine", "period": None, "minimum_factor": 0.0, "restart_multiplier": 1}
    assert isinstance(training["metrics_every"], int)


def test_a_model_has_its_report_and_lists_do_not(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 20, "seed": 1})
    work()
    report = read_model(http, job)["report"]
    assert report["part"] == "validation"
    assert report.keys() >= {"confusion_matrix", "roc", "precision_recall", "calibration"}
    (listed,) = http.get("/v1/models").json["data"]
    assert "report" not in listed


def test_several_boolean_targets_are_predicted_each_with_its_probability(http: Client, work: Work) -> None:
    rows = "".join(f"{n % 8},{n % 5},{n % 8 > 3},{n % 5 > 1}\n" for n in range(80))
    dataset = upload(http, "x,z,big,late\n" + rows)
    job = submit(http, dataset, ["big", "late"], training={"epochs": 100, "seed": 0})
    assert (job["task"], job["training"]["loss"]) == ("classification", "binary_cross_entropy")
    work()
    model = read_model(http, job)
    path = f"/v1/models/{model['id']}/predictions"
    (answer,) = http.post(path, json={"rows": [{"x": 7, "z": 0}]}).json["predictions"]
    assert answer["labels"] == {"big": True, "late": False}
    assert answer["probabilities"].keys() == {"big", "late"}


def test_a_validation_dataset_is_used_and_cannot_be_deleted_meanwhile(http: Client, iris: str, work: Work) -> None:
    other = sample(http, "iris")
    job = submit(http, iris, training={"epochs": 2, "validation_dataset_id": other})
    assert http.delete(f"/v1/datasets/{other}").status_code == 409
    work()
    model = read_model(http, job)
    assert sum(map(sum, model["report"]["confusion_matrix"]["counts"])) == 150
    assert model["validation_metrics"]["loss"] == pytest.approx(model["metrics"]["loss"])  # the same rows
    assert http.delete(f"/v1/datasets/{other}").status_code == 204


def test_columns_can_choose_the_validation_set_and_weigh_the_rows(http: Client, work: Work) -> None:
    dataset = upload(http, "x,y,part,w\n" + "".join(f"{n},{n},{'test' if n < 9 else 'train'},{n}\n" for n in range(40)))
    job = submit(http, dataset, "y", training={"epochs": 2, "validation_column": "part", "sample_weight": "w"})
    assert job["features"] == ["x"]
    work()
    assert read_model(http, job)["validation_metrics"] is not None


def test_a_warm_start_continues_a_model_which_cannot_be_deleted_meanwhile(http: Client, iris: str, work: Work) -> None:
    network = {"hidden": [{"units": 5, "activation": "relu"}]}
    first = submit(http, iris, network=network, training={"epochs": 60, "keep_optimizer_state": True, "seed": 1})
    work()
    before = read_model(http, first)
    again = submit(http, iris, training={"epochs": 2, "warm_start_model_id": before["id"], "seed": 1})
    assert again["network"] == before["network"]
    assert http.delete(f"/v1/models/{before['id']}").status_code == 409
    work()
    (epoch, _) = http.get(f"/v1/jobs/{again['id']}/epochs").json["data"]
    assert epoch["loss"] == pytest.approx(before["metrics"]["loss"], abs=0.05)
    assert http.delete(f"/v1/models/{before['id']}").status_code == 204
    wrong = {"epochs": 2, "warm_start_model_id": read_model(http, again)["id"], "dtype": "float64"}
    assert rejected(http, iris, training=wrong) == ["/training/dtype"]


def test_a_missing_reference_is_reported_with_its_pointer(http: Client, iris: str) -> None:
    for field in ("validation_dataset_id", "warm_start_model_id"):
        assert rejected(http, iris, 404, training={field: "nothing_1"}) == [f"/training/{field}"]


@pytest.mark.parametrize(
    ("training", "pointer"),
    [
        ({"optimizer": {"name": "sgd", "amsgrad": True}}, "/training/optimizer/amsgrad"),
        ({"optimizer": {"name": "sgd", "learning_rate": 1e9}}, "/training/optimizer/learning_rate"),
        ({"optimizer": {"name": "nadam", "momentum_decay": 2}}, "/training/optimizer/momentum_decay"),
        ({"optimizer": {"name": "rmsprop", "alpha": 1}}, "/training/optimizer/alpha"),
        ({"schedule": {"name": "step"}}, "/training/schedule/every"),
        ({"schedule": {"name": "step", "every": 2, "period": 3}}, "/training/schedule/period"),
        ({"schedule": {"name": "never"}}, "/training/schedule"),
        ({"loss": {"name": "huber", "delta": 0}}, "/training/loss/delta"),
        ({"loss": {"name": "poisson", "delta": 1}}, "/training/loss/delta"),
        ({"label_smoothing": 1}, "/training/label_smoothing"),
        ({"class_weight": {"setosa": -1}}, "/training/class_weight/setosa"),
        ({"class_weight": {"rose": 1}}, "/training/class_weight/rose"),
        ({"l1": -1}, "/training/l1"),
        ({"max_norm": 0}, "/training/max_norm"),
        ({"max_seconds": 0}, "/training/max_seconds"),
        ({"metrics_every": 0}, "/training/metrics_every"),
        ({"metrics_every": "often"}, "/training/metrics_every"),
        ({"warmup_epochs": -1}, "/training/warmup_epochs"),
        ({"early_stopping": {"start_epoch": 0}}, "/training/early_stopping/start_epoch"),
        ({"validation_fraction": 0.2, "validation_column": "petal_width"}, "/training/validation_column"),
        ({"path_every": 3}, "/training/path_every"),
    ],
)
def test_an_invalid_training_option_is_rejected_with_its_pointer(
    http: Client, iris: str, training: dict[str, Any], pointer: str
) -> None:
    assert pointer in rejected(http, iris, training=training)


@pytest.mark.parametrize(
    ("layer", "pointer"),
    [
        ({"dropout": 1}, "/network/hidden/0/dropout"),
        ({"activation": "softmax"}, "/network/hidden/0/activation"),
        ({"normalization": "group"}, "/network/hidden/0/normalization"),
        ({"initializer": {"name": "normal", "gain": 1}}, "/network/hidden/0/initializer/gain"),
        ({"initializer": {"name": "uniform", "low": 2, "high": 1}}, "/network/hidden/0/initializer"),
        ({"units": 1, "normalization": "layer"}, "/network/hidden"),
    ],
)
def test_an_invalid_layer_option_is_rejected_with_its_pointer(
    http: Client, iris: str, layer: dict[str, Any], pointer: str
) -> None:
    assert pointer in rejected(http, iris, network={"hidden": [{"units": 4, **layer}]})


@pytest.mark.parametrize("name", ["sgd", "adagrad", "rmsprop", "adadelta", "adam", "adamw", "nadam", "lbfgs"])
@pytest.mark.parametrize("schedule", [None, {"name": "exponential", "factor": 0.9}, {"name": "reduce_on_plateau"}])
def test_every_optimizer_trains_or_rejects_the_schedule(
    http: Client, iris: str, work: Work, name: str, schedule: dict[str, Any] | None
) -> None:
    training = {"optimizer": {"name": name}, "schedule": schedule, "epochs": 12, "seed": 1}
    if name == "lbfgs" and schedule:
        assert "/training/optimizer" in rejected(http, iris, training=training)
        return
    job = submit(http, iris, training=training)
    work()
    assert read_model(http, job)["metrics"]["accuracy"] > 0.3
