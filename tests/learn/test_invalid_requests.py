"""Invalid requests are rejected with the pointer of each problem and a way to fix it."""

from pathlib import Path
from typing import Any

import pytest

from backpropd import errors
from tests.learn.learner import Learner

TABLE = "x,z,y,c,flag,low,empty_weight,part,w\n" + "".join(
    f"{n},{n % 7},{n * 1.5},{'abc'[n % 3]},{'yes' if n % 2 else 'no'},{n - 5},{'' if n == 3 else 1},"
    f"{'train' if n % 4 else 'test'},{1 + n % 2}\n"
    for n in range(40)
)
SGD = {"name": "sgd", "learning_rate": 0.1}
RESTARTS = {"name": "cosine", "restart_multiplier": 2}
PLATEAU = {"name": "reduce_on_plateau"}
ACCURACY = {"monitor": "validation_accuracy"}
NTK = {"parametrization": "ntk"}
LATE = {"monitor": "loss", "patience": 1, "min_delta": 0.0, "start_epoch": 31}
BATCH = {"units": 4, "activation": "tanh", "normalization": "batch"}


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    """A table of numbers, classes, booleans, a weight and a split column."""
    return Learner(tmp_path / "table", TABLE)


@pytest.mark.parametrize(
    ("target", "changes", "pointer", "reason"),
    [
        ("y", {"label_smoothing": 0.1}, "/training/label_smoothing", "cross_entropy"),
        ("c", {"label_smoothing": 0.1, "loss": "squared_error"}, "/training/label_smoothing", "cross_entropy"),
        ("y", {"class_weight": "balanced"}, "/training/class_weight", "sample_weight"),
        (["flag", "w"], {"class_weight": "balanced", "task": "classification"}, "/target/1", "0 and 1"),
        ("c", {"class_weight": {"a": 0.0}}, "/training/class_weight", "the weight 0"),
        ("c", {"class_weight": {"a/z": 1.0}}, "/training/class_weight/a~1z", "is no class"),
        ("y", {"sample_weight": "nothing"}, "/training/sample_weight", "there is no column"),
        ("y", {"sample_weight": "y"}, "/training/sample_weight", "is a target"),
        ("y", {"sample_weight": "low"}, "/training/sample_weight", "negative"),
        ("y", {"sample_weight": "c"}, "/training/sample_weight", "kind category"),
        ("y", {"sample_weight": "empty_weight"}, "/training/sample_weight", "missing in 1 rows"),
        ("y", {"sample_weight": "w", "features": ["x", "w"]}, "/features/1", "the sample_weight"),
        ("y", {"validation_column": "part", "features": ["part"]}, "/features/0", "the validation_column"),
        ("y", {"validation_column": "nothing"}, "/training/validation_column", "there is no column"),
        ("y", {"validation_column": "x"}, "/training/validation_column", "must be boolean"),
        ("y", {"validation_column": "c"}, "/training/validation_column", "puts 0 of 40 rows"),
        ("flag", {"validation_column": "flag"}, "/training/validation_column", "is a target"),
        ("y", {"validation_column": "c", "validation_fraction": 0.1}, "/training/validation_column", "different ways"),
        ("y", {"optimizer": {**SGD, "nesterov": True}}, "/training/optimizer/nesterov", "momentum above 0"),
        ("y", {"optimizer": SGD, "weight_decay": 10.0}, "/training/weight_decay", "below 1"),
        ("y", {"schedule": {"name": "cosine", "period": 31}}, "/training/schedule/period", "shorten it"),
        ("y", {"schedule": RESTARTS}, "/training/schedule/restart_multiplier", "give a period"),
        ("y", {"schedule": {"name": "step", "every": 30}}, "/training/schedule/every", "after the last epoch"),
        ("y", {"schedule": {**PLATEAU, "patience": 30}}, "/training/schedule/patience", "not shorter than the run"),
        ("y", {"schedule": {**PLATEAU, "minimum_rate": 1.0}}, "/training/schedule/minimum_rate", "is below it"),
        ("y", {"warmup_epochs": 30}, "/training/warmup_epochs", "must leave an epoch"),
        ("y", {"early_stopping": LATE}, "/training/early_stopping/start_epoch", "before this epoch"),
        ("y", {"early_stopping": ACCURACY}, "/training/early_stopping/monitor", "has no accuracy"),
        ("y", {"network": NTK, "optimizer": SGD}, "/network/parametrization", "use adam"),
        ("y", {"network": NTK, "optimizer": "lbfgs"}, "/network/parametrization", "use adam"),
        ("y", {"hidden": [BATCH], "batch_size": 1}, "/network/hidden", "no variance"),
        ("y", {"hidden": [{**BATCH, "units": 1, "normalization": "layer"}]}, "/network/hidden", "every value is 0"),
        ("y", {"network": {"initializer": "zeros"}}, "/network/initializer", "stay equal"),
        ("low", {"loss": "poisson", "task": "regression"}, "/target", "not negative"),
        ("y", {"loss": "poisson", "network": {"output_activation": "linear"}}, "/training/loss", "squared_error"),
        ("y", {"loss": "binary_cross_entropy"}, "/training/loss", "squared_error"),
        ("c", {"loss": "huber"}, "/training/loss", "cross_entropy"),
        ("c", {"loss": "poisson"}, "/training/loss", "cross_entropy"),
        ("c", {"network": {"output_activation": "exponential"}}, "/network/output_activation", "softmax"),
        (["flag", "c"], {"task": "classification"}, "/target/1", "not boolean"),
        (["flag", "y"], {}, "/target", "regression needs numbers"),
    ],
)
def test_options_that_do_not_go_together_are_rejected_with_a_reason(
    learner: Learner, target: str | list[str], changes: dict[str, Any], pointer: str, reason: str
) -> None:
    with pytest.raises(errors.Invalid, match=reason) as caught:
        learner.plan(target, **changes)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("setosa", "holds numbers"),
        ("nan", "holds numbers"),
        ("1e999", "holds numbers"),
        ("-1", "lies between 0 and 6"),
        ("7", "lies between 0 and 6"),
        ("2.5", "holds whole numbers"),
        ("3.0", "write this number '3'"),
        (" 3", "write this number '3'"),
        ("-0", "write this number '0'"),
    ],
)
def test_class_weight_rejects_a_label_that_cannot_be_a_value_of_the_target(
    learner: Learner, label: str, reason: str
) -> None:
    with pytest.raises(errors.Invalid, match=reason) as caught:
        learner.plan("z", task="classification", class_weight={"0": 1.0, label: 2.0})
    assert [problem.pointer for problem in caught.value.problems] == [f"/training/class_weight/{label}"]


def test_class_weight_accepts_a_label_that_may_be_a_value_of_the_target(learner: Learner, tmp_path: Path) -> None:
    assert learner.plan("z", task="classification", class_weight={"0": 1.0, "6": 2.0})
    halves = Learner(tmp_path / "halves", "x,y\n" + "".join(f"{n},{0.5 * (n % 3)}\n" for n in range(30)))
    run = halves.run(halves.plan("y", task="classification", class_weight={"0.5": 9.0}, validation_fraction=0.0))
    weight = run.training_set.weight
    assert weight is not None
    assert weight[1] == pytest.approx(9 * weight[0])


def test_several_boolean_targets_have_no_class_weight_and_no_softmax(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "x,a,b\n" + "".join(f"{n},{'yn'[n % 2]},{'yn'[n // 3 % 2]}\n" for n in range(30)))
    with pytest.raises(errors.Invalid, match="several labels") as caught:
        learner.plan(["a", "b"], class_weight="balanced")
    assert caught.value.problems[0].pointer == "/training/class_weight"
    with pytest.raises(errors.Invalid, match="needs the output activation logistic"):
        learner.plan(["a", "b"], network={"output_activation": "softmax"})


def test_every_problem_is_listed_in_one_error(learner: Learner) -> None:
    with pytest.raises(errors.Invalid) as caught:
        learner.plan("y", label_smoothing=0.1, warmup_epochs=40, optimizer={**SGD, "nesterov": True})
    pointers = {problem.pointer for problem in caught.value.problems}
    assert {"/training/label_smoothing", "/training/warmup_epochs", "/training/optimizer/nesterov"} <= pointers


def test_early_stopping_monitors_the_validation_loss_only_if_there_are_validation_rows(learner: Learner) -> None:
    early = {"monitor": "validation_loss", "patience": 1, "min_delta": 0.0}
    with pytest.raises(errors.Invalid, match="no validation rows") as caught:
        learner.plan("y", validation_fraction=0.0, early_stopping=early)
    assert [problem.pointer for problem in caught.value.problems] == ["/training/early_stopping/monitor"]
    by_column = learner.plan("y", validation_column="part", early_stopping={**early, "monitor": None})
    assert by_column.spec.to_json()["training"]["early_stopping"]["monitor"] == "validation_loss"


def test_a_path_that_is_too_large_to_store_is_rejected(learner: Learner) -> None:
    hidden = [{"units": 710, "activation": "tanh"}] * 2
    assert learner.plan("y", hidden=hidden).cost["parameters"] > 500_000
    with pytest.raises(errors.TooLargeForMemory) as caught:
        learner.plan("y", hidden=hidden, keep_path=True, epochs=200)
    assert caught.value.problems[0].pointer == "/training/keep_path"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x,c\n1,a\n2,b\n", "has no column 'z'"),
        ("x,z,c\n1,u,a\n2,v,b\n", "'z' is of kind category in the validation dataset"),
        ("x,z,c\n1,1,a\n2,1,new\n", "holds 'new'"),
    ],
)
def test_a_validation_table_that_does_not_fit_is_rejected(
    tmp_path: Path, learner: Learner, text: str, reason: str
) -> None:
    other = Learner(tmp_path / "other", text)
    with pytest.raises(errors.Invalid, match=reason) as caught:
        learner.plan("c", features=["x", "z"], validation=other)
    assert {problem.pointer for problem in caught.value.problems} == {"/training/validation_dataset_id"}


def test_boolean_targets_must_be_boolean_in_the_validation_table(tmp_path: Path) -> None:
    learner = Learner(tmp_path / "a", "x,a,b\n" + "".join(f"{n},{n % 2},{n // 2 % 2}\n" for n in range(30)))
    other = Learner(tmp_path / "b", "x,a,b\n1,0,1\n2,1,7\n")
    with pytest.raises(errors.Invalid, match="'b' is not boolean"):
        learner.plan(["a", "b"], task="classification", validation=other)


def test_a_validation_table_must_have_the_sample_weight(tmp_path: Path, learner: Learner) -> None:
    other = Learner(tmp_path / "other", "x,c\n1,a\n2,b\n")
    with pytest.raises(errors.Invalid, match="has no column 'w'"):
        learner.plan("c", features=["x"], validation=other, sample_weight="w")


def test_every_difference_from_the_warm_start_model_is_listed(learner: Learner) -> None:
    model = learner.trained(learner.plan("c", features=["x", "z"]))
    hidden = [{"units": 8, "activation": "relu", "use_bias": False}]
    changes = {"features": ["z", "x"], "hidden": hidden, "dtype": "float64", "loss": "squared_error"}
    with pytest.raises(errors.Invalid) as caught:
        learner.plan("flag", model=model, network_given=True, **changes)
    details = {problem.pointer: problem.detail for problem in caught.value.problems}
    assert details.keys() == {"/target", "/features", "/network/hidden", "/training/loss", "/training/dtype"}
    assert "8 tanh" in details["/network/hidden"]
    assert "8 relu without bias" in details["/network/hidden"]


def test_a_warm_start_on_other_columns_or_classes_is_rejected(tmp_path: Path, learner: Learner) -> None:
    model = learner.trained(learner.plan("c", features=["x", "z"]))
    for text, reason in (("x,z,c\n1,u,a\n2,v,b\n", "'z' is of kind"), ("x,z,c\n1,1,a\n2,2,new\n", "holds 'new'")):
        other = Learner(tmp_path / reason.strip("'")[:1], text)
        with pytest.raises(errors.Invalid, match=reason):
            other.plan("c", model=model)


def test_a_warm_start_from_another_kind_of_network_is_rejected(learner: Learner) -> None:
    model = learner.trained(learner.neuron_plan("c", "perceptron", epochs=1))
    with pytest.raises(errors.Invalid, match="a perceptron model cannot be trained further"):
        learner.plan("c", model=model)


def test_a_run_whose_rows_all_have_the_weight_0_fails(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n},{'test' if n < 10 else 'train'},{int(n < 10)}\n" for n in range(40))
    learner = Learner(tmp_path, "x,y,part,w\n" + rows)
    with pytest.raises(errors.Invalid, match="the weight 0"):
        learner.run(learner.plan("y", validation_column="part", sample_weight="w"))
