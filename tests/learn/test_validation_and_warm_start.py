"""Validation sets, warm starts, older specs and reports, through a run."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import spec_from_json
from backpropd.learn.checkpoint import pack, unpack
from backpropd.tabular import preview_rows
from tests.learn.learner import Learner, epochs_of, load_model

SGD = {"name": "sgd", "learning_rate": 0.1}


# ── validation ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("held_out", "others"),
    [("true", "false"), ("1", "0"), ("Validation", "train"), ("TEST", "train"), ("val", "other"), ("yes", "no")],
)
def test_the_validation_column_determines_the_validation_rows(tmp_path: Path, held_out: str, others: str) -> None:
    rows = "".join(f"{n},{n % 2},{held_out if n % 5 == 0 else others}\n" for n in range(40))
    learner = Learner(tmp_path, "x,y,part\n" + rows)
    plan = learner.plan("y", validation_column="part")
    assert plan.spec.features == ["x"]
    assert (plan.cost["training_rows"], plan.cost["validation_rows"]) == (32, 8)
    assert plan.spec.to_json()["training"]["validation_fraction"] is None
    run = learner.run(plan)
    assert run.validation_set is not None
    x = run.untrained.encoder.column_encoders[0]
    assert np.allclose(run.validation_set.x[:, 0] * x.std + x.mean, range(0, 40, 5), atol=1e-4)  # type: ignore[union-attr]


def test_the_validation_set_may_be_another_table(tmp_path: Path) -> None:
    learner = Learner(tmp_path / "a", "x,c,y\n" + "".join(f"{n},{'ab'[n % 2]},{'uv'[n // 20]}\n" for n in range(40)))
    rows = "".join(f"{'uv'[n % 2]},{'abz'[n % 3]},{n},1\n" for n in range(10))
    other = Learner(tmp_path / "b", "y,c,x,more\n" + rows)
    plan = learner.plan("y", validation=other, features=["x", "c"])
    assert (plan.cost["training_rows"], plan.cost["validation_rows"]) == (40, 10)
    run = learner.run(plan, validation=other.source)
    assert run.validation_set is not None
    assert (len(run.training_set.x), run.validation_set.y[:, 0].tolist()) == (40, [0, 1] * 5)
    encoder = run.untrained.encoder.column_encoders[0]
    assert np.allclose(run.validation_set.x[:, 0] * encoder.std + encoder.mean, range(10), atol=1e-4)  # type: ignore[union-attr]
    assert run.validation_set.x[2, 1:].tolist() == [0.5, 0.5]  # z is a level that the training set lacks


def test_a_run_rejects_a_class_that_only_the_validation_table_has(tmp_path: Path) -> None:
    learner = Learner(tmp_path / "a", "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(30)))
    other = Learner(tmp_path / "b", "x,y\n1,0\n2,7\n")
    plan = learner.plan("y", validation=other)
    with pytest.raises(errors.Invalid, match="'y' holds '7', which is not one of the model's classes"):
        learner.run(plan, validation=other.source)


# ── warm starts ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_warm_start_begins_at_the_models_loss(iris: Learner) -> None:
    plan = iris.plan("species", epochs=60)
    before = iris.trained(plan)
    again = iris.plan("species", model=before, epochs=3)
    assert (again.spec.network, again.spec.features) == (plan.spec.network, plan.spec.features)
    run = iris.run(again, warm_start=before)
    assert run.network.evaluate(run.state.theta, run.training_set)[0] == before["metrics"]["loss"]
    assert next(iter(epochs_of(run))).loss < 0.2


def test_a_warm_start_uses_the_models_encoders(tmp_path: Path) -> None:
    first = Learner(tmp_path / "a", "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(30)))
    second = Learner(tmp_path / "b", "x,y\n" + "".join(f"{n * 100},{n % 2}\n" for n in range(30)))
    before = first.trained(first.plan("y"))
    run = second.run(second.plan("y", model=before), warm_start=before)
    assert run.model()["encoders"]["features"] == before["encoders"]["features"]
    assert run.training_set.x.max() > 100


def test_a_warm_start_has_the_class_weights_of_its_models_classes(tmp_path: Path) -> None:
    first = Learner(tmp_path / "a", "x,y\n" + "".join(f"{n},{n % 3}\n" for n in range(30)))
    second = Learner(tmp_path / "b", "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(30)))
    before = first.trained(first.plan("y"))
    plan = second.plan("y", model=before, class_weight={"2": 3.0})
    assert second.run(plan, warm_start=before).network
    with pytest.raises(errors.Invalid, match="'3' is no class: they are 0, 1, 2"):
        second.plan("y", model=before, class_weight={"3": 3.0})


@pytest.mark.parametrize(
    "optimizer", [{"name": "adam", "learning_rate": 0.01}, {**SGD, "momentum": 0.9}, {"name": "lbfgs"}], ids=str
)
def test_the_optimizer_continues_if_its_state_was_stored(iris: Learner, optimizer: dict[str, Any]) -> None:
    # full batches are not shuffled, so two halves equal the whole bit for bit
    settings: dict[str, Any] = {"optimizer": optimizer, "batch_size": "full", "validation_fraction": 0.0}
    whole = iris.trained(iris.plan("species", epochs=20, **settings))
    ends = []
    for stored in (True, False):
        half = iris.trained(iris.plan("species", epochs=10, keep_optimizer_state=stored, **settings))
        assert (half["training_state"] is not None) is stored
        ends.append(iris.trained(iris.plan("species", model=half, epochs=10, **settings), warm_start=half)["sha256"])
    assert [end == whole["sha256"] for end in ends] == [True, False]


def test_lbfgs_starts_with_an_empty_history_from_a_model_that_has_no_slots(iris: Learner) -> None:
    settings: dict[str, Any] = {"optimizer": {"name": "lbfgs"}, "keep_optimizer_state": True}
    before = iris.trained(iris.plan("species", epochs=5, **settings))
    _, meta = unpack(before["training_state"])
    earlier = before | {"training_state": pack({"slots": np.zeros((0, 99), np.float32)}, meta)}
    assert not iris.run(iris.plan("species", model=before, **settings), warm_start=earlier).state.slots.any()


def test_another_optimizer_starts_with_empty_slots(iris: Learner) -> None:
    before = iris.trained(iris.plan("species", keep_optimizer_state=True))
    plan = iris.plan("species", model=before, optimizer={**SGD, "momentum": 0.9})
    assert not iris.run(plan, warm_start=before).state.slots.any()


def test_a_warm_start_resumes_from_its_checkpoint_bit_for_bit(iris: Learner) -> None:
    before = iris.trained(iris.plan("species"))
    plan = iris.plan("species", model=before)
    whole = iris.trained(plan, warm_start=before)
    interrupted = iris.run(plan, warm_start=before)
    list(itertools.islice(epochs_of(interrupted), 7))
    assert iris.trained(plan, checkpoint=interrupted.checkpoint(), warm_start=before) == whole


# ── older specs ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_specs_of_jobs_and_models_that_older_versions_stored_still_work(iris: Learner) -> None:
    plan = iris.plan("species", metrics_every=1)
    now = iris.trained(plan)
    spec = plan.spec.to_json()
    old = "loss", "epochs", "batch_size", "validation_fraction", "early_stopping", "seed", "dtype", "engine"
    training = {name: spec["training"][name] for name in old}
    training["optimizer"] = {"name": "adam", "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    (layer,) = spec["network"]["hidden"]
    hidden = [{name: layer[name] for name in ("units", "activation", "initializer")}]
    old_spec = {**spec, "training": training, "network": {**spec["network"], "hidden": hidden}}
    before = iris.trained(plan._replace(spec=spec_from_json(old_spec)))
    before["encoders"] = {**before["encoders"], "spec": old_spec}
    assert before["sha256"] == now["sha256"]
    rows = preview_rows(iris.path, 3)
    answers = [load_model(made).predict(rows) for made in (before, now)]
    assert answers[0] == answers[1]
    assert iris.plan("species", model=before).spec.to_json()["network"]["hidden"][0]["dropout"] == 0.0


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_report_is_on_the_validation_set_if_there_is_one(iris: Learner) -> None:
    for fraction, part, rows in ((0.2, "validation", 30), (0.0, "training", 150)):
        report = iris.trained(iris.plan("species", validation_fraction=fraction))["report"]
        assert report["part"] == part
        assert report["confusion_matrix"]["labels"] == ["setosa", "versicolor", "virginica"]
        assert np.sum(report["confusion_matrix"]["counts"]) == rows


def test_the_report_of_regression_names_its_targets_in_their_own_unit(numbers: Learner) -> None:
    report = numbers.trained(numbers.plan(["y", "w"], task="regression", epochs=1))["report"]
    assert [output["target"] for output in report["outputs"]] == ["y", "w"]
    assert max(report["outputs"][0]["residuals"]["quantiles"]["values"]) > 5
