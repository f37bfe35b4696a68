"""Every option of a feed-forward job, through a run: it changes what it should, and nothing else."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors, nn
from backpropd.learn import Model, spec_from_json
from backpropd.learn.checkpoint import pack, unpack
from backpropd.tabular import preview_rows
from tests.learn.learner import Learner, weights_of

NUMBERS = "x,z,y,w\n" + "".join(f"{n % 13},{n % 7},{(n % 13) * 2 - n % 7},{1 + n % 4}\n" for n in range(60))
SGD = {"name": "sgd", "learning_rate": 0.1}
HIDDEN = {"units": 6, "activation": "tanh"}


@pytest.fixture
def iris(tmp_path: Path) -> Learner:
    """The iris."""
    return Learner(tmp_path, sample="iris")


@pytest.fixture
def numbers(tmp_path: Path) -> Learner:
    """A line to learn, y = 2 x - z, and a column of weights."""
    return Learner(tmp_path, NUMBERS)


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
        {"initializer": "orthogonal"},
    ],
)
def test_an_option_of_a_layer_changes_the_result_and_survives_the_model(iris: Learner, layer: dict[str, Any]) -> None:
    plain = iris.trained(iris.plan("species", hidden=[HIDDEN]))
    plan = iris.plan("species", hidden=[{**HIDDEN, **layer}])
    assert {**plan.spec.to_json()["network"]["hidden"][0], **layer}.keys() == plan.spec.to_json()["network"]["hidden"][
        0
    ].keys()
    made = iris.trained(plan)
    assert made["metrics"]["loss"] != plain["metrics"]["loss"]
    assert made["parameters"] == plan.cost["parameters"]
    rows = preview_rows(iris.path, 150)
    model = Model.load(made["encoders"], made["weights"])
    assert model.predict(rows[:3]) == model.predict(rows)[:3]  # at prediction no chance and no batch counts


def test_parameters_are_there_as_the_layer_says(iris: Learner) -> None:
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


def test_the_delta_of_huber_is_shown_and_counts(numbers: Learner) -> None:
    plans = [
        numbers.plan("y", task="regression", loss=loss, epochs=1) for loss in ("huber", {"name": "huber", "delta": 0.1})
    ]
    assert [plan.spec.to_json()["training"]["loss"] for plan in plans] == [
        {"name": "huber", "delta": 1.0},
        {"name": "huber", "delta": 0.1},
    ]
    first, second = (numbers.trained(plan)["metrics"]["loss"] for plan in plans)
    assert second < first / 2


@pytest.mark.parametrize("activation", sorted(set(nn.ACTIVATIONS) - {"softmax"}))
def test_every_output_activation_of_regression_reaches_its_targets(numbers: Learner, activation: str) -> None:
    plan = numbers.plan(
        "y", task="regression", features=["x", "z"], network={"output_activation": activation}, epochs=300
    )
    assert numbers.trained(plan)["metrics"]["r2"] > 0.8


def test_counts_are_learned_by_poisson_in_their_own_unit(tmp_path: Path) -> None:
    rows = "".join(f"{n % 10},{round(math.exp(n % 10 / 3))}\n" for n in range(100))
    learner = Learner(tmp_path, "x,count\n" + rows)
    plan = learner.plan("count", task="regression", loss="poisson", epochs=200)
    assert plan.spec.to_json()["network"]["output_activation"] == "exponential"
    run = learner.run(plan)
    assert run.training_set.y.max() == 20
    made = learner.trained(plan)
    assert made["metrics"]["r2"] > 0.95
    assert made["metrics"]["loss"] < 0  # -log of the probability without log y!


def test_several_boolean_targets_are_labels(tmp_path: Path) -> None:
    rows = "".join(
        f"{n % 8},{n % 5},{'yes' if n % 8 > 3 else 'no'},{'true' if n % 5 > 1 else 'false'}\n" for n in range(80)
    )
    learner = Learner(tmp_path, "x,z,big,late\n" + rows)
    plan = learner.plan(["big", "late"], epochs=150)
    network = plan.spec.to_json()["network"]
    assert (plan.spec.task, network["output_activation"], network["outputs"]) == ("classification", "logistic", 2)
    made = learner.trained(plan)
    assert made["classes"] == ["big", "late"]
    assert made["metrics"]["accuracy"] > 0.95
    assert made["report"]["confusion_matrix"]["labels"] == ["big", "late"]
    (answer,) = Model.load(made["encoders"], made["weights"]).predict([[7, 0]])
    assert answer["labels"] == {"big": True, "late": False}
    assert answer["probabilities"]["big"] > 0.5 > answer["probabilities"]["late"]


def test_zeros_and_ones_are_labels_when_classification_is_asked_for(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "x,a,b\n" + "".join(f"{n},{n % 2},{n % 3 // 2}\n" for n in range(30)))
    assert learner.plan(["a", "b"]).spec.task == "regression"
    assert learner.plan(["a", "b"], task="classification").spec.to_json()["training"]["loss"] == "binary_cross_entropy"


def test_smoothed_labels_keep_the_answers_from_certainty(iris: Learner) -> None:
    def surest(**changes: Any) -> float:
        made = iris.trained(iris.plan("species", epochs=200, **changes))
        answers = Model.load(made["encoders"], made["weights"]).predict(preview_rows(iris.path, 150))
        return max(max(answer["probabilities"].values()) for answer in answers)

    assert surest(label_smoothing=0.3) < 0.9 < surest()


# ── weights of rows and classes ──────────────────────────────────────────────────────────────────────────────────


def test_a_column_of_weights_weighs_the_rows_and_is_no_feature(numbers: Learner) -> None:
    plan = numbers.plan("y", task="regression", sample_weight="w", validation_fraction=0.0)
    assert plan.spec.features == ["x", "z"]
    weight = numbers.run(plan).training_set.weight
    assert weight is not None
    assert np.allclose(weight, (1 + np.arange(60) % 4) / 2.5)
    plain = numbers.plan("y", task="regression", features=["x", "z"], validation_fraction=0.0)
    assert numbers.run(plain).training_set.weight is None
    assert numbers.trained(plan)["sha256"] != numbers.trained(plain)["sha256"]


def test_validation_rows_weigh_by_the_column_alone(numbers: Learner) -> None:
    run = numbers.run(numbers.plan("y", task="regression", sample_weight="w"))
    assert run.validation_set is not None
    assert run.validation_set.weight is not None
    assert run.validation_set.weight.mean() == pytest.approx(1)
    assert len(np.unique(run.validation_set.weight)) > 1


RARE = "x,z,y\n" + "".join(f"{n % 10},{n % 7},{'rare' if n % 10 == 9 else 'often'}\n" for n in range(100))


def test_balanced_classes_weigh_alike(tmp_path: Path) -> None:
    learner = Learner(tmp_path, RARE)
    batch = learner.run(learner.plan("y", class_weight="balanced", validation_fraction=0.0)).training_set
    assert batch.weight is not None
    assert batch.weight[batch.y[:, 0] == 1].sum() == pytest.approx(50)
    assert batch.weight[batch.y[:, 0] == 0].sum() == pytest.approx(50)


def test_classes_and_rows_weigh_together_one_on_average(tmp_path: Path) -> None:
    text = "\n".join(f"{line},{'w' if n == 0 else n}" for n, line in enumerate(RARE.strip().split("\n")))
    learner = Learner(tmp_path, text)
    run = learner.run(learner.plan("y", class_weight={"rare": 3.0}, sample_weight="w", validation_fraction=0.0))
    weight = run.training_set.weight
    assert weight is not None
    expected = np.arange(1, 101) * np.where(np.arange(100) % 10 == 9, 3.0, 1.0)
    assert np.allclose(weight, expected / expected.mean())


def test_a_class_that_weighs_more_is_found_more_often(tmp_path: Path) -> None:
    learner = Learner(tmp_path, RARE)

    def share(weight: float) -> float:
        made = learner.trained(learner.plan("y", hidden=[], features=["z"], class_weight={"rare": weight}, epochs=60))
        answers = Model.load(made["encoders"], made["weights"]).predict(preview_rows(learner.path, 100))
        return float(np.mean([answer["probabilities"]["rare"] for answer in answers]))

    assert share(1.0) < 0.25 < share(9.0)


def test_a_class_that_only_the_values_tell_fails_the_run_by_its_name(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "x,y\n" + "".join(f"{n},{2 * (n % 2)}\n" for n in range(30)))
    with pytest.raises(errors.Invalid, match="class_weight names '1', and the classes are 0, 2"):
        learner.run(learner.plan("y", class_weight={"1": 2.0}))


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


def test_decay_is_adamws_own_unless_it_is_said(iris: Learner) -> None:
    def decay(**changes: Any) -> Any:
        return iris.plan("species", **changes).spec.to_json()["training"]["weight_decay"]

    adamw = {"name": "adamw"}
    assert (decay(optimizer=adamw), decay(optimizer=adamw, weight_decay=0.0), decay()) == (0.01, 0.0, 0.0)


@pytest.mark.parametrize("penalty", [{"l1": 0.01}, {"l2": 0.05}, {"weight_decay": 1.0}])
def test_a_penalty_makes_weights_smaller(iris: Learner, penalty: dict[str, float]) -> None:
    def length(**changes: Any) -> float:
        return float(np.abs(weights_of(iris.trained(iris.plan("species", **changes)))["layers.0.weight"]).sum())

    assert length(**penalty) < 0.9 * length()


def test_no_units_weights_are_longer_than_max_norm(iris: Learner) -> None:
    def longest(**changes: Any) -> float:
        weights = weights_of(iris.trained(iris.plan("species", **changes)))
        return max(np.linalg.norm(weights[name], axis=0).max() for name in ("layers.0.weight", "layers.1.weight"))

    assert longest(max_norm=0.5) <= 0.5 + 1e-6 < longest()


@pytest.mark.parametrize("clipped", ["gradient_clip_norm", "gradient_clip_value"])
def test_a_clipped_gradient_moves_theta_by_no_more(iris: Learner, clipped: str) -> None:
    plan = iris.plan("species", optimizer=SGD, batch_size="full", epochs=1, **{clipped: 1e-3})
    run = iris.run(plan)
    before = run.state.theta.copy()
    list(run.epochs())
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
def test_a_schedule_moves_the_learning_rate(iris: Learner, schedule: Any, rates: list[float]) -> None:
    plan = iris.plan("species", schedule=schedule, epochs=4, batch_size="full", optimizer=SGD)
    assert plan.spec.to_json()["training"]["schedule"]["name"] == (schedule or {"name": "constant"})["name"]
    epochs, _ = iris.followed(plan)
    assert [epoch.learning_rate / 0.1 for epoch in epochs] == pytest.approx(rates, abs=1e-3)


def test_a_warmup_goes_before_any_schedule(iris: Learner) -> None:
    schedule = {"name": "exponential", "factor": 0.5}
    plan = iris.plan("species", schedule=schedule, warmup_epochs=2, epochs=5, batch_size="full", optimizer=SGD)
    epochs, _ = iris.followed(plan)
    assert [epoch.learning_rate / 0.1 for epoch in epochs] == pytest.approx([0.5, 1, 1, 0.5, 0.25])


# ── stopping, metrics, what is kept ──────────────────────────────────────────────────────────────────────────────


def stopping(**fields: Any) -> dict[str, Any]:
    """Early stopping that stops as soon as it may."""
    return {"monitor": "loss", "patience": 1, "min_delta": 1e3, **fields}


def test_early_stopping_waits_for_its_first_epoch(iris: Learner) -> None:
    epochs, _ = iris.followed(iris.plan("species", early_stopping=stopping(start_epoch=6)))
    assert (epochs[-1].epoch, epochs[-1].stop_reason) == (7, "early_stopping")


def test_the_best_parameters_come_back_only_if_they_should(iris: Learner) -> None:
    schedule = {"optimizer": {"name": "sgd", "learning_rate": 8.0, "momentum": 0.9}, "epochs": 25}
    losses = []
    for restore_best in (True, False):
        early = {"monitor": "validation_loss", "patience": 50, "min_delta": 0.0, "restore_best": restore_best}
        epochs, made = iris.followed(iris.plan("species", early_stopping=early, **schedule))
        held_out = [epoch.validation_loss for epoch in epochs if epoch.validation_loss is not None]
        losses.append(made["validation_metrics"]["loss"] == pytest.approx(min(held_out), rel=1e-4))
        assert min(held_out) < held_out[-1]
    assert losses == [True, False]


def test_a_run_ends_at_its_target_loss(iris: Learner) -> None:
    epochs, _ = iris.followed(iris.plan("species", target_loss=0.5, epochs=500))
    assert epochs[-1].stop_reason == "target_loss"
    assert epochs[-1].validation_loss is not None
    assert epochs[-1].validation_loss <= 0.5 < (epochs[-2].validation_loss or 0)


def test_a_run_ends_when_its_time_is_over(iris: Learner) -> None:
    ticks = itertools.count()
    epochs, _ = iris.followed(iris.plan("species", max_seconds=5.0), clock=lambda: float(next(ticks)))
    assert (len(epochs), epochs[-1].stop_reason) == (5, "max_seconds")


def test_metrics_come_when_they_are_asked_for_and_first_and_last(iris: Learner) -> None:
    epochs, _ = iris.followed(iris.plan("species", metrics_every=4, epochs=10))
    assert [epoch.epoch for epoch in epochs if epoch.metrics] == [1, 4, 8, 10]
    assert all(epoch.validation_metrics == {} for epoch in epochs if not epoch.metrics)
    without = iris.followed(iris.plan("species", metrics_every=4, epochs=2, validation_fraction=0.0))[0]
    assert [epoch.validation_metrics for epoch in without] == [None, None]


def test_automatic_metrics_follow_from_sizes_alone(tmp_path: Path, iris: Learner) -> None:
    def every(**changes: Any) -> int:
        found: int = iris.plan("species", epochs=1000, **changes).spec.to_json()["training"]["metrics_every"]
        return found

    assert every() == every(seed=7)
    slow = every(engine="numba", batch_size=1)
    fast = every(engine="numba", batch_size="full")
    assert 1 < slow < fast  # the shorter an epoch, the rarer they are
    assert every(engine="numpy", batch_size=1) == 1
    assert every(engine="numba", batch_size=1, validation_fraction=0.0) < slow  # one set to measure instead of two
    # 120 rows in batches of 32, 8 tanh units, 3 classes: 67 parameters, by the figures of cost.py
    epoch = 8 + 4 * 1.3 + 3 * 120 * 67 / 40_000
    metrics = sum(60 + 2 * 3 + 0.022 * rows * 3 + 30 + rows * 67 / 15_000 for rows in (120, 30))
    assert every(engine="numba") == math.ceil(10 * metrics / epoch)


def test_bursts_are_the_epochs_several_at_a_time(iris: Learner) -> None:
    plan = iris.plan("species", engine="numba", metrics_every=10, epochs=25)
    chunks = list(iris.run(plan).epoch_chunks())
    assert len(chunks) < 10
    assert [epoch for chunk in chunks for epoch in chunk] == list(iris.run(plan).epochs())


def test_the_path_ends_at_the_model_and_has_at_most_some_two_hundred_places(iris: Learner) -> None:
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


# ── validation ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("held_out", "others"),
    [("true", "false"), ("1", "0"), ("Validation", "train"), ("TEST", "train"), ("val", "other"), ("yes", "no")],
)
def test_a_column_says_which_rows_are_held_out(tmp_path: Path, held_out: str, others: str) -> None:
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


def test_another_table_is_validated_on(tmp_path: Path) -> None:
    learner = Learner(tmp_path / "a", "x,c,y\n" + "".join(f"{n},{'ab'[n % 2]},{'uv'[n // 20]}\n" for n in range(40)))
    other = Learner(
        tmp_path / "b", "y,c,x,more\n" + "".join(f"{'uv'[n % 2]},{'abz'[n % 3]},{n},1\n" for n in range(10))
    )
    plan = learner.plan("y", validation=other)
    assert (plan.cost["training_rows"], plan.cost["validation_rows"]) == (40, 10)
    run = learner.run(plan, validation=other.source)
    assert run.validation_set is not None
    assert (len(run.training_set.x), run.validation_set.y[:, 0].tolist()) == (40, [0, 1] * 5)
    encoder = run.untrained.encoder.column_encoders[0]
    assert np.allclose(run.validation_set.x[:, 0] * encoder.std + encoder.mean, range(10), atol=1e-4)  # type: ignore[union-attr]
    assert run.validation_set.x[2, 1:].tolist() == [0, 0, 1]  # z is a level that training did not see


def test_a_class_that_only_the_other_table_has_fails_the_run_by_its_name(tmp_path: Path) -> None:
    learner = Learner(tmp_path / "a", "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(30)))
    other = Learner(tmp_path / "b", "x,y\n1,0\n2,7\n")
    plan = learner.plan("y", validation=other)
    with pytest.raises(errors.Invalid, match="'y' holds '7', which is not one of the model's classes"):
        learner.run(plan, validation=other.source)


# ── warm starts ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_warm_start_goes_on_where_the_model_was(iris: Learner) -> None:
    plan = iris.plan("species", epochs=60)
    before = iris.trained(plan)
    again = iris.plan("species", model=before, epochs=3)
    assert (again.spec.to_json()["network"], again.spec.features) == (
        plan.spec.to_json()["network"],
        plan.spec.features,
    )
    run = iris.run(again, warm_start=before)
    assert run.network.evaluate(run.state.theta, run.training_set)[0] == before["metrics"]["loss"]
    assert next(iter(run.epochs())).loss < 0.2


def test_a_warm_start_keeps_the_models_encoders(tmp_path: Path) -> None:
    first = Learner(tmp_path / "a", "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(30)))
    second = Learner(tmp_path / "b", "x,y\n" + "".join(f"{n * 100},{n % 2}\n" for n in range(30)))
    before = first.trained(first.plan("y"))
    run = second.run(second.plan("y", model=before), warm_start=before)
    assert run.model()["encoders"]["features"] == before["encoders"]["features"]
    assert run.training_set.x.max() > 100


def test_a_warm_start_weighs_the_classes_of_its_model(tmp_path: Path) -> None:
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
def test_the_optimizer_goes_on_if_its_state_was_kept(iris: Learner, optimizer: dict[str, Any]) -> None:
    # full batches need no order, so that two halves are the whole to the bit
    settings: dict[str, Any] = {"optimizer": optimizer, "batch_size": "full", "validation_fraction": 0.0}
    whole = iris.trained(iris.plan("species", epochs=20, **settings))
    ends = []
    for kept in (True, False):
        half = iris.trained(iris.plan("species", epochs=10, keep_optimizer_state=kept, **settings))
        assert (half["training_state"] is not None) is kept
        ends.append(iris.trained(iris.plan("species", model=half, epochs=10, **settings), warm_start=half)["sha256"])
    assert [end == whole["sha256"] for end in ends] == [True, False]


def test_lbfgs_starts_with_an_empty_history_from_a_model_that_has_no_slots(iris: Learner) -> None:
    settings: dict[str, Any] = {"optimizer": {"name": "lbfgs"}, "keep_optimizer_state": True}
    before = iris.trained(iris.plan("species", epochs=5, **settings))
    _, meta = unpack(before["training_state"])
    earlier = before | {"training_state": pack({"slots": np.zeros((0, 99), np.float32)}, meta)}
    assert not iris.run(iris.plan("species", model=before, **settings), warm_start=earlier).state.slots.any()


def test_another_optimizer_starts_afresh(iris: Learner) -> None:
    before = iris.trained(iris.plan("species", keep_optimizer_state=True))
    plan = iris.plan("species", model=before, optimizer={**SGD, "momentum": 0.9})
    assert not iris.run(plan, warm_start=before).state.slots.any()


def test_a_warm_start_resumes_from_its_checkpoint_bit_for_bit(iris: Learner) -> None:
    before = iris.trained(iris.plan("species"))
    plan = iris.plan("species", model=before)
    whole = iris.trained(plan, warm_start=before)
    broken = iris.run(plan, warm_start=before)
    list(itertools.islice(broken.epochs(), 7))
    assert iris.trained(plan, checkpoint=broken.checkpoint(), warm_start=before) == whole


# ── specs of before ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_and_a_model_of_before_these_options_still_work(iris: Learner) -> None:
    plan = iris.plan("species", metrics_every=1)
    now = iris.trained(plan)
    old = {
        "loss",
        "optimizer",
        "epochs",
        "batch_size",
        "validation_fraction",
        "early_stopping",
        "seed",
        "dtype",
        "engine",
    }
    training = {name: value for name, value in plan.spec.to_json()["training"].items() if name in old}
    training["optimizer"] = {"name": "adam", "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    hidden = [
        {name: layer[name] for name in ("units", "activation", "initializer")}
        for layer in plan.spec.to_json()["network"]["hidden"]
    ]
    spec = plan.spec.to_json()
    old_spec = {**spec, "training": training, "network": {**spec["network"], "hidden": hidden}}
    before = iris.trained(plan._replace(spec=spec_from_json(old_spec)))
    before["encoders"] = {**before["encoders"], "spec": old_spec}
    assert before["sha256"] == now["sha256"]
    rows = preview_rows(iris.path, 3)
    answers = [Model.load(made["encoders"], made["weights"]).predict(rows) for made in (before, now)]
    assert answers[0] == answers[1]
    assert iris.plan("species", model=before).spec.to_json()["network"]["hidden"][0]["dropout"] == 0.0


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_report_is_of_the_validation_part_if_there_is_one(iris: Learner) -> None:
    for fraction, part, rows in ((0.2, "validation", 30), (0.0, "training", 150)):
        report = iris.trained(iris.plan("species", validation_fraction=fraction))["report"]
        assert report["part"] == part
        assert report["confusion_matrix"]["labels"] == ["setosa", "versicolor", "virginica"]
        assert np.sum(report["confusion_matrix"]["counts"]) == rows


def test_the_report_of_regression_names_its_targets_in_their_own_unit(numbers: Learner) -> None:
    report = numbers.trained(numbers.plan(["y", "w"], task="regression", epochs=1))["report"]
    assert [output["target"] for output in report["outputs"]] == ["y", "w"]
    assert max(report["outputs"][0]["residuals"]["quantiles"]["values"]) > 5
