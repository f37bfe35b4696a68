"""Options of layers, losses, targets and weights: each is resolved, and changes the trained model."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors, nn
from backpropd.tabular import preview_rows
from tests.learn.learner import Learner, load_model, weights_of

HIDDEN = {"units": 6, "activation": "tanh"}


# ── layers ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("activation", sorted(set(nn.ACTIVATIONS) - {"softmax", "exponential"}))
def test_every_hidden_activation_learns(iris: Learner, activation: str) -> None:
    plan = iris.plan("species", hidden=[{"units": 8, "activation": activation}], epochs=60)
    assert iris.trained(plan)["metrics"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    "layer",
    [
        {"dropout": 0.3},
        {"normalization": "batch"},
        {"normalization": "layer"},
        {"use_bias": False},
        {"initializer": {"name": "normal", "mean": 0.0, "std": 0.3}},
        {"initializer": {"name": "orthogonal", "gain": 1.5}},
    ],
)
def test_an_option_of_a_layer_changes_the_model_and_is_stored_with_it(iris: Learner, layer: dict[str, Any]) -> None:
    plain = iris.trained(iris.plan("species", hidden=[HIDDEN]))
    plan = iris.plan("species", hidden=[{**HIDDEN, **layer}])
    (resolved,) = plan.spec.to_json()["network"]["hidden"]
    assert {**resolved, **layer} == resolved
    made = iris.trained(plan)
    assert made["metrics"]["loss"] != plain["metrics"]["loss"]
    assert made["parameters"] == plan.cost["parameters"]
    rows = preview_rows(iris.path, 150)
    model = load_model(made)
    assert model.predict(rows[:3]) == model.predict(rows)[:3]  # neither dropout nor the batch changes predictions


def test_scaled_inputs_in_the_ntk_parametrization_are_learned_and_stored_with_the_model(iris: Learner) -> None:
    options = {"input_scaling": True, "parametrization": "ntk"}
    plan = iris.plan("species", hidden=[HIDDEN], network=options, optimizer={"name": "adam", "learning_rate": 0.05})
    network = plan.spec.to_json()["network"]
    assert {name: network[name] for name in options} == options
    made = iris.trained(plan)
    assert made["parameters"] == plan.cost["parameters"] == 4 + 5 * 6 + 7 * 3
    assert (weights_of(made)["layers.0.input_scale"] != 1).all()
    assert made["metrics"]["accuracy"] > 0.9
    rows = preview_rows(iris.path, 150)
    model = load_model(made)
    assert model.predict(rows[:1])[0]["label"] == model.predict(rows)[0]["label"]


def test_a_layer_has_the_parameters_of_its_options(iris: Learner) -> None:
    hidden = [{**HIDDEN, "use_bias": False, "normalization": "batch"}, {**HIDDEN, "normalization": "layer"}]
    names = set(weights_of(iris.trained(iris.plan("species", hidden=hidden, epochs=1))))
    assert "layers.0.bias" not in names
    assert {"layers.0.running_mean", "layers.0.scale", "layers.1.scale", "layers.1.bias"} <= names
    assert "layers.1.running_mean" not in names


def test_the_resolved_initializers_show_their_parameters_and_follow_the_activation(iris: Learner) -> None:
    hidden = [
        {**HIDDEN, "initializer": "normal"},
        {"units": 3, "activation": "selu"},
        {"units": 3, "activation": "silu"},
        {"units": 3, "activation": "tanh", "initializer": {"name": "uniform", "low": -1.0}},
    ]
    network = iris.plan("species", hidden=hidden).spec.to_json()["network"]
    assert [layer["initializer"] for layer in network["hidden"]] == [
        {"name": "normal", "mean": 0.0, "std": 0.05},
        "lecun_normal",
        "he_uniform",
        {"name": "uniform", "low": -1.0, "high": 0.05},
    ]
    general = iris.plan("species", network={"initializer": "orthogonal"}).spec.to_json()["network"]
    assert general["output_initializer"] == general["hidden"][0]["initializer"] == {"name": "orthogonal", "gain": 1.0}


# ── losses and targets ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", {"name": "huber", "delta": 0.1}])
def test_every_loss_of_regression_learns(numbers: Learner, loss: Any) -> None:
    plan = numbers.plan("y", task="regression", loss=loss, features=["x", "z"], epochs=150)
    assert numbers.trained(plan)["metrics"]["r2"] > 0.95


def test_the_delta_of_huber_is_resolved_and_used(numbers: Learner) -> None:
    small = {"name": "huber", "delta": 0.1}
    plans = [numbers.plan("y", task="regression", loss=loss, epochs=1) for loss in ("huber", small)]
    assert [plan.spec.to_json()["training"]["loss"] for plan in plans] == [{**small, "delta": 1.0}, small]
    first, second = (numbers.trained(plan)["metrics"]["loss"] for plan in plans)
    assert second < first / 2


@pytest.mark.parametrize("activation", sorted(set(nn.ACTIVATIONS) - {"softmax"}))
def test_every_output_activation_of_regression_reaches_its_targets(numbers: Learner, activation: str) -> None:
    network = {"output_activation": activation}
    plan = numbers.plan("y", task="regression", features=["x", "z"], network=network, epochs=300)
    assert numbers.trained(plan)["metrics"]["r2"] > 0.8


def test_counts_are_learned_by_poisson_in_their_own_unit(tmp_path: Path) -> None:
    rows = "".join(f"{n % 10},{round(math.exp(n % 10 / 3))}\n" for n in range(100))
    learner = Learner(tmp_path, "x,count\n" + rows)
    plan = learner.plan("count", task="regression", loss="poisson", epochs=200)
    assert plan.spec.to_json()["network"]["output_activation"] == "exponential"
    assert learner.run(plan).training_set.y.max() == 20
    made = learner.trained(plan)
    assert made["metrics"]["r2"] > 0.95
    assert made["metrics"]["loss"] < 0  # -log of the probability without log y!


def test_several_boolean_targets_are_a_multi_label_classification(tmp_path: Path) -> None:
    rows = "".join(f"{n % 8},{n % 5},{'yes' if n % 8 > 3 else 'no'},{n % 5 > 1}\n" for n in range(80))
    learner = Learner(tmp_path, "x,z,big,late\n" + rows)
    plan = learner.plan(["big", "late"], epochs=150)
    network = plan.spec.to_json()["network"]
    assert (plan.spec.task, network["output_activation"], network["outputs"]) == ("classification", "logistic", 2)
    made = learner.trained(plan)
    assert made["classes"] == ["big", "late"]
    assert made["metrics"]["accuracy"] > 0.95
    assert made["report"]["confusion_matrix"]["labels"] == ["big", "late"]
    (answer,) = load_model(made).predict([[7, 0]])
    assert answer["labels"] == {"big": True, "late": False}
    assert answer["probabilities"]["big"] > 0.5 > answer["probabilities"]["late"]


def test_targets_of_0_and_1_are_labels_if_classification_is_requested(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "x,a,b\n" + "".join(f"{n},{n % 2},{n % 3 // 2}\n" for n in range(30)))
    assert learner.plan(["a", "b"]).spec.task == "regression"
    assert learner.plan(["a", "b"], task="classification").spec.to_json()["training"]["loss"] == "binary_cross_entropy"


def test_label_smoothing_lowers_the_confidence(iris: Learner) -> None:
    def max_probability(**changes: Any) -> float:
        made = iris.trained(iris.plan("species", epochs=200, **changes))
        answers = load_model(made).predict(preview_rows(iris.path, 150))
        return max(max(answer["probabilities"].values()) for answer in answers)

    assert max_probability(label_smoothing=0.3) < 0.9 < max_probability()


# ── weights of rows and classes ──────────────────────────────────────────────────────────────────────────────────


def test_the_sample_weight_weights_the_rows_and_is_no_feature(numbers: Learner) -> None:
    plan = numbers.plan("y", task="regression", sample_weight="w", validation_fraction=0.0)
    assert plan.spec.features == ["x", "z"]
    weight = numbers.run(plan).training_set.weight
    assert weight is not None
    assert np.allclose(weight, (1 + np.arange(60) % 4) / 2.5)
    plain = numbers.plan("y", task="regression", features=["x", "z"], validation_fraction=0.0)
    assert numbers.run(plain).training_set.weight is None
    assert numbers.trained(plan)["sha256"] != numbers.trained(plain)["sha256"]


def test_validation_rows_have_the_sample_weight_alone(numbers: Learner) -> None:
    run = numbers.run(numbers.plan("y", task="regression", sample_weight="w"))
    assert run.validation_set is not None
    assert run.validation_set.weight is not None
    assert run.validation_set.weight.mean() == pytest.approx(1)
    assert len(np.unique(run.validation_set.weight)) > 1


RARE = "x,z,y\n" + "".join(f"{n % 10},{n % 7},{'rare' if n % 10 == 9 else 'often'}\n" for n in range(100))


def test_balanced_classes_have_equal_total_weights(tmp_path: Path) -> None:
    learner = Learner(tmp_path, RARE)
    batch = learner.run(learner.plan("y", class_weight="balanced", validation_fraction=0.0)).training_set
    assert batch.weight is not None
    assert batch.weight[batch.y[:, 0] == 1].sum() == pytest.approx(50)
    assert batch.weight[batch.y[:, 0] == 0].sum() == pytest.approx(50)


def test_class_and_sample_weights_multiply_and_have_the_mean_1(tmp_path: Path) -> None:
    text = "\n".join(f"{line},{'w' if n == 0 else n}" for n, line in enumerate(RARE.strip().split("\n")))
    learner = Learner(tmp_path, text)
    run = learner.run(learner.plan("y", class_weight={"rare": 3.0}, sample_weight="w", validation_fraction=0.0))
    weight = run.training_set.weight
    assert weight is not None
    expected = np.arange(1, 101) * np.where(np.arange(100) % 10 == 9, 3.0, 1.0)
    assert np.allclose(weight, expected / expected.mean())


def test_weights_whose_sum_overflows_are_scaled_like_any_others(tmp_path: Path) -> None:
    text = "\n".join(f"{line},{'w' if n == 0 else '1e308'}" for n, line in enumerate(RARE.strip().split("\n")))
    learner = Learner(tmp_path, text)
    weight = learner.run(learner.plan("y", sample_weight="w", validation_fraction=0.0)).training_set.weight
    assert weight is not None
    assert np.array_equal(weight, np.ones(100))


def test_a_class_with_a_larger_weight_is_predicted_more_often(tmp_path: Path) -> None:
    learner = Learner(tmp_path, RARE)

    def share(weight: float) -> float:
        made = learner.trained(learner.plan("y", hidden=[], features=["z"], class_weight={"rare": weight}, epochs=60))
        answers = load_model(made).predict(preview_rows(learner.path, 100))
        return float(np.mean([answer["probabilities"]["rare"] for answer in answers]))

    assert share(1.0) < 0.25 < share(9.0)


def test_a_run_rejects_a_class_weight_for_a_number_that_the_target_lacks(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "x,y\n" + "".join(f"{n},{2 * (n % 2)}\n" for n in range(30)))
    with pytest.raises(errors.Invalid, match="class_weight names '1', and the classes are 0, 2"):
        learner.run(learner.plan("y", class_weight={"1": 2.0}))
