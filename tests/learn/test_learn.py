"""From a request and a table to a model: choices, rejections, runs that resume bit for bit, predictions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Limits
from backpropd.tabular import ColumnInfo, preview_rows
from tests.learn.learner import Learner, assert_resumes_bit_for_bit, load_model

MIXED = "words,number,constant,empty,y,c,late\n" + "".join(
    f"w{n} {n},{n},1,,{n * 1.5},{'ab'[n % 2]},{'' if n < 3 else n % 5}\n" for n in range(40)
)


def test_auto_becomes_documented_choices(tmp_path: Path) -> None:
    def choices(learner: Learner, target: str) -> tuple[Any, ...]:
        spec = learner.plan(target).spec.to_json()
        training = spec["training"]
        choices = spec["task"], spec["network"]["output_activation"], training["loss"]
        return *choices, training["batch_size"], training["validation_fraction"]

    mixed = Learner(tmp_path, MIXED)
    assert mixed.plan("c").spec.features == ["y", "late"]
    assert choices(mixed, "c") == ("classification", "logistic", "binary_cross_entropy", 32, 0.2)
    assert choices(mixed, "y") == ("regression", "linear", "squared_error", 32, 0.2)
    iris, xor = Learner(tmp_path, sample="iris"), Learner(tmp_path / "xor", sample="xor")
    assert choices(iris, "species") == ("classification", "softmax", "cross_entropy", 32, 0.2)
    assert choices(xor, "y") == ("classification", "logistic", "binary_cross_entropy", 4, 0.0)


@pytest.mark.parametrize(
    ("target", "changes", "kind", "pointer"),
    [
        ("nothing", {}, errors.UnknownColumn, "/target"),
        ("words", {}, errors.UnusableColumn, "/target"),
        ("empty", {}, errors.AllMissing, "/target"),
        ("constant", {}, errors.OneClass, "/target"),
        ("constant", {"task": "regression"}, errors.ConstantColumn, "/target"),
        ("c", {"task": "regression"}, errors.UnusableColumn, "/target"),
        ("y", {"features": ["empty"]}, errors.AllMissing, "/features/0"),
        ("y", {"features": ["number", "constant"]}, errors.ConstantColumn, "/features/1"),
        ("y", {"features": ["words"]}, errors.UnusableColumn, "/features/0"),
        ("y", {"features": ["y"]}, errors.Invalid, "/features/0"),
        ("y", {"batch_size": 41}, errors.Invalid, "/training/batch_size"),
        ("y", {"loss": "cross_entropy"}, errors.Invalid, "/training/loss"),
        ("y", {"network": {"output_activation": "softmax"}}, errors.Invalid, "/network/output_activation"),
        ("y", {"limits": Limits(10_000, 10, 10**9)}, errors.TooLargeForMemory, "/network"),
        ("y", {"limits": Limits(10_000, 10**6, 1000)}, errors.TooLargeForMemory, "/features"),
    ],
)
def test_an_invalid_request_is_rejected_with_its_pointer(
    tmp_path: Path, target: str, changes: dict[str, Any], kind: type[errors.Invalid], pointer: str
) -> None:
    with pytest.raises(kind) as caught:
        Learner(tmp_path, MIXED).plan(target, **changes)
    assert type(caught.value) is kind
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_the_cost_counts_the_parameters_of_the_model(iris: Learner) -> None:
    plan = iris.plan("species")
    assert plan.cost["parameters"] == iris.trained(plan)["parameters"] == 5 * 8 + 9 * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9}},
        {"optimizer": {"name": "adam", "learning_rate": 0.01}, "dtype": "float64"},
        {"early_stopping": {"monitor": "validation_loss", "patience": 4, "min_delta": 0.0}, "epochs": 200},
        {"batch_size": "full"},
    ],
)
def test_a_run_resumed_from_a_checkpoint_equals_the_uninterrupted_one_bit_for_bit(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    learner = Learner(tmp_path, sample="wine")
    assert_resumes_bit_for_bit(learner, learner.plan("cultivar", **changes), 7)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"validation_fraction": 0.25},
        {"early_stopping": {"monitor": "validation_loss", "patience": 50, "min_delta": 0.0, "restore_best": True}},
    ],
)
def test_a_model_has_the_same_metrics_before_and_after_a_resume_at_its_end(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    learner = Learner(tmp_path, sample="wine")
    plan = learner.plan("cultivar", optimizer={"name": "sgd", "learning_rate": 8.0, "momentum": 0.9}, **changes)
    run = learner.run(plan)
    (*_, (*_, last)) = run.epoch_chunks()
    made = run.model()
    assert made == learner.run(plan, run.checkpoint()).model()
    metrics = {name: made["metrics"][name] for name in last.metrics}
    assert (metrics == last.metrics) == ("early_stopping" not in changes)


def test_a_loaded_model_predicts_every_target_by_name(tmp_path: Path) -> None:
    learner = Learner(tmp_path, MIXED)
    made = learner.trained(learner.plan(["y", "number"], task="regression", features=["c", "late"]))
    rows = preview_rows(learner.path, 40)
    answers = load_model(made).predict(rows)
    assert answers[0]["value"].keys() == {"y", "number"}
    assert answers == load_model(made).predict(rows)


@pytest.mark.parametrize("activation", ["linear", "tanh", "logistic", "relu"])
def test_metrics_are_in_the_unit_of_the_target(tmp_path: Path, activation: str) -> None:
    learner = Learner(tmp_path, "x,y\n" + "".join(f"{n / 50},{1000 + 7 * n}\n" for n in range(100)))
    plan = learner.plan("y", network={"output_activation": activation}, epochs=300)
    assert learner.trained(plan)["metrics"]["rmse"] < 60  # of a range of 700


@pytest.mark.parametrize("activation", ["softmax", "logistic"])
def test_classes_can_be_learned_by_squared_error(iris: Learner, activation: str) -> None:
    plan = iris.plan("species", loss="squared_error", network={"output_activation": activation}, epochs=100)
    made = iris.trained(plan)
    assert made["metrics"]["accuracy"] > 0.9
    (answer,) = load_model(made).predict(preview_rows(iris.path, 1))
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_rows_without_a_target_are_left_out(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{n},{'' if n % 4 == 0 else 'ab'[n % 2]}\n" for n in range(40))
    learner = Learner(tmp_path, text)
    plan = learner.plan("y")
    assert plan.cost["training_rows"] + plan.cost["validation_rows"] == 30
    run = learner.run(plan)
    assert len(run.training_set.x) == plan.cost["training_rows"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("target", "activation"), [("y", "relu"), ("y", "tanh"), ("c", "relu")])
def test_predictions_for_an_outlier_are_finite(tmp_path: Path, dtype: str, target: str, activation: str) -> None:
    learner = Learner(tmp_path, text=MIXED)
    hidden = [{"units": 8, "activation": activation, "initializer": "auto"}] * 2
    trained = learner.trained(learner.plan(target, features=["number", "late"], hidden=hidden, dtype=dtype))
    model = load_model(trained)
    for x in (1e13, 1e300, 1.7e308, -1.7e308):
        (answer,) = model.predict([{"number": x, "late": -x}])
        values = answer["probabilities"].values() if target == "c" else [answer["value"]]
        assert np.isfinite(list(values)).all()


def test_a_column_whose_squares_overflow_is_scaled_and_learned(tmp_path: Path) -> None:
    learner = Learner(tmp_path, text="x,y\n" + "".join(f"{n}e300,{2 * n}.5\n" for n in range(1, 41)))
    trained = learner.trained(learner.plan("y", task="regression", epochs=200, validation_fraction=0.0))
    assert trained["encoders"]["features"]["columns"][0]["encoder"]["std"] == pytest.approx(np.arange(40).std() * 1e300)
    model = load_model(trained)
    assert model.predict([{"x": 20e300}])[0]["value"] == pytest.approx(40.5, rel=0.1)


def test_a_column_survives_its_json() -> None:
    info = ColumnInfo("x", "number", 1, 3, {"min": 0.0})
    assert ColumnInfo.from_json(info.to_json()) == info


def test_an_unseen_category_is_predicted_between_the_known_ones_by_every_seed(tmp_path: Path) -> None:
    towns = {"Aston": 10.0, "Bexley": 20.0, "Corby": 30.0}
    rows = "".join(f"{town},{n % 7},{price + n % 7}\n" for n in range(20) for town, price in towns.items())
    learner = Learner(tmp_path, "town,size,price\n" + rows)
    for seed in (1, 2, 3, 4):
        model = load_model(learner.trained(learner.plan("price", seed=seed, epochs=60)))
        rows_of = [{"town": town, "size": 3} for town in (*towns, "Derby", None)]
        low, _, high, unseen, missing = (each["value"] for each in model.predict(rows_of))
        assert low < unseen < high
        assert missing == pytest.approx(unseen)
