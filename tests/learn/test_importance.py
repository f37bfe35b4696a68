"""Permutation importance and partial dependence, without the service."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Model, partial_dependence, permutation_importance
from backpropd.tabular import Table
from tests.learn.conftest import NUMBERS
from tests.learn.learner import Learner, load_model

LIMITS = {"max_operations": 10**10, "max_cells": 4_000_000}
LINEAR: dict[str, Any] = {"hidden": [], "feature_scaling": "standard", "epochs": 400, "optimizer": {"name": "lbfgs"}}
MIXED = "when,word,flag,size,y,name\n" + "".join(
    f"2024-{1 + n % 12:02}-{1 + n % 28:02},{'uuuvw'[n % 5]},{('no', 'yes', 'yes')[n % 3]},"
    f"{'' if n % 11 == 0 else n % 9},{n % 9 + 5 * (n % 5 == 3) - 2 * (n % 3 == 0)},{'ab'[n % 9 > 4]}\n"
    for n in range(120)
)


def learned(learner: Learner, target: Any, **changes: Any) -> Model:
    return load_model(learner.trained(learner.plan(target, **changes)))


def importance(model: Model, learner: Learner, **changes: Any) -> dict[str, Any]:
    return permutation_importance(model, learner.source, **{"repeats": 5, "seed": 0, **LIMITS, **changes})


def dependence(model: Model, learner: Learner, feature: str, label: Any = None, **changes: Any) -> dict[str, Any]:
    return partial_dependence(model, learner.source, feature, label, **{"points": 5, "rows": 7, **LIMITS, **changes})


def test_the_importance_in_a_linear_regression_is_twice_the_share_of_the_variance(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x, z, unused = rng.normal(size=(3, 3000))
    text = "x,z,unused,y\n" + "".join(f"{a},{b},{c},{2 * a - b}\n" for a, b, c in zip(x, z, unused, strict=True))
    learner = Learner(tmp_path, text)
    found = importance(learned(learner, "y", **LINEAR), learner, repeats=20)
    assert found["metric"] == "r2"
    assert [each["column"] for each in found["importance"]] == ["x", "z", "unused"]
    means = {each["column"]: each["mean"] for each in found["importance"]}
    # y = 2 x - z: shuffling x adds the variance of 2 (x - x'), which is 8 var(x)
    assert means["x"] == pytest.approx(8 * x.var() / (2 * x - z).var(), rel=0.05)
    assert means["z"] == pytest.approx(2 * z.var() / (2 * x - z).var(), rel=0.05)
    assert means["unused"] == pytest.approx(0, abs=1e-4)
    assert 0 < found["importance"][0]["deviation"] < 0.1


def test_the_importance_of_a_column_is_that_of_predictions_for_shuffled_rows(tmp_path: Path) -> None:
    """All inputs of a column move together: the expected drop of accuracy is over all pairs of rows."""
    learner = Learner(tmp_path, MIXED)
    model = learned(learner, "name", features=["when", "size", "word"], epochs=100)
    found = {each["column"]: each for each in importance(model, learner, repeats=100)["importance"]}
    table = Table.read(learner.path, ["name", "when", "size", "word"])
    codes = model.target.encode(table)
    x = model.encoder.transform(table)
    start = 0
    for info, encoder in zip(model.encoder.infos, model.encoder.column_encoders, strict=True):
        inputs = slice(start, start + encoder.width)
        start += encoder.width
        correct = []
        for other in x:
            changed = x.copy()
            changed[:, inputs] = other[inputs]
            h = model.network_outputs(changed)
            correct.append((h[:, 0] >= 0.5) == codes)
        whole = ((model.network_outputs(x)[:, 0] >= 0.5) == codes).mean()
        assert found[info.name]["mean"] == pytest.approx(whole - np.mean(correct), abs=0.01)


def test_importance_depends_only_on_its_seed(iris: Learner) -> None:
    model = learned(iris, "species")
    one, again, other = (importance(model, iris, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert one["metric"] == "accuracy"
    assert len(one["importance"]) == 4


def test_every_kind_of_network_has_importance_and_partial_dependence(tmp_path: Path) -> None:
    """y is a and not b: with either column shuffled, a quarter of the rows is wrong on average."""
    learner = Learner(
        tmp_path, "a,b,y\n" + "".join(f"{a},{b},{int(a and not b)}\n" for a in (0, 1) for b in (0, 1)) * 2
    )
    for kind in ("perceptron", "perceptron_network", "mcculloch_pitts"):
        model = load_model(learner.trained(learner.neuron_plan("y", kind)))
        found = importance(model, learner, repeats=100)
        assert {each["column"] for each in found["importance"]} == {"a", "b"}
        assert [each["mean"] for each in found["importance"]] == pytest.approx([0.25, 0.25], abs=0.06)
        shown = dependence(model, learner, "a", rows=8)
        assert (shown["mean"][0], shown["mean"][-1], shown["class"]) == (0, 0.5, "1")
        assert len(shown["curves"]) == 8
    multi = learned(learner, ["a", "y"], features=["b"], task="classification")
    assert importance(multi, learner)["metric"] == "accuracy"
    several = learned(learner, ["a", "y"], features=["b"], task="regression")
    assert importance(several, learner)["metric"] == "r2"


def test_a_boolean_function_takes_no_other_values_of_another_table(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "a,b,y\n0,0,0\n0,1,0\n1,0,0\n1,1,1\n")
    model = load_model(learner.trained(learner.neuron_plan("y", "perceptron_network")))
    other = Learner(tmp_path / "other", "a,b,y\n0,0,0\n0,2,0\n")
    for run in (importance, lambda model, other: dependence(model, other, "a")):
        with pytest.raises(errors.Invalid, match="'b' of the dataset has other values") as raised:
            run(model, other)
        assert [each.pointer for each in raised.value.problems] == ["/dataset_id"]


@pytest.mark.parametrize(
    ("feature", "values"),
    [("size", [0, 2, 4, 6, 8]), ("word", ["u", "v", "w"]), ("flag", [0, 1]), ("when", None)],
)
@pytest.mark.parametrize("target", ["y", "name"])
def test_a_curve_is_the_prediction_for_the_row_with_the_feature_changed(
    tmp_path: Path, feature: str, values: list[Any] | None, target: str
) -> None:
    learner = Learner(tmp_path, MIXED)
    task = "regression" if target == "y" else "classification"
    model = learned(learner, target, task=task, features=["when", "word", "flag", "size"])
    found = dependence(model, learner, feature, rows=120)
    assert values is None or found["values"] == values
    assert len(found["curves"]) == 120
    np.testing.assert_allclose(found["mean"], np.mean(found["curves"], axis=0))
    lines = [
        dict(zip(MIXED.split("\n")[0].split(","), line.split(","), strict=True)) for line in MIXED.split("\n")[1:-1]
    ]
    for row, curve in list(zip(lines, found["curves"], strict=True))[::17]:
        changed = [
            {name: value or None for name, value in {**row, feature: each}.items()} | {feature: each}
            for each in found["values"]
        ]
        predictions = model.predict(changed)
        expected = [each["value"] if target == "y" else each["probabilities"]["b"] for each in predictions]
        np.testing.assert_allclose(curve, expected, rtol=1e-5, atol=1e-6)


def test_a_class_or_a_target_is_chosen(iris: Learner, tmp_path: Path) -> None:
    numbers = Learner(tmp_path / "numbers", NUMBERS)
    model = learned(iris, "species")
    labels = ("setosa", "versicolor", "virginica")
    total = sum(np.array(dependence(model, iris, "petal_length", label)["curves"]) for label in labels)
    np.testing.assert_allclose(total, 1, rtol=1e-5)
    assert dependence(model, iris, "petal_length") == dependence(model, iris, "petal_length", "virginica")
    several = learned(numbers, ["y", "w"], features=["x", "z"], task="regression")
    with pytest.raises(errors.Invalid, match="name one of them as class: y, w"):
        dependence(several, numbers, "x")
    y, w = (dependence(several, numbers, "x", name) for name in ("y", "w"))
    assert (y["class"], w["class"]) == ("y", "w")
    assert y["mean"] != w["mean"]


def test_another_table_must_fit_the_model(tmp_path: Path, iris: Learner) -> None:
    text = iris.path.with_name("table.csv").read_text()
    model = learned(iris, "species")

    def refused(changed: str, *, both: bool = True) -> list[str]:
        other = Learner(tmp_path / "other", changed)
        found = []
        for run in (importance, *([lambda m, o: dependence(m, o, "petal_width")] if both else [])):
            with pytest.raises(errors.Invalid) as raised:
                run(model, other)
            assert {each.pointer for each in raised.value.problems} == {"/dataset_id"}
            found.append(raised.value.detail)
        return found

    header, *lines = text.splitlines()
    assert "no column 'petal_width'" in refused(text.replace("petal_width", "petal"))[0]
    words = "\n".join([header, *(line.replace(line.split(",")[3], "wide") for line in lines)])
    assert "must be of kind number" in refused(words)[0]
    assert "'rose'" in refused(text.replace("setosa", "rose"), both=False)[0]
    assert "no target 'species'" in refused(text.replace("species", "kind"), both=False)[0]
    assert refused(header + "\n")
    unknown = "\n".join([header, *(",".join([*line.split(",")[:4], ""]) for line in lines)])
    assert "no row with a target" in refused(unknown, both=False)[0]
    half = "\n".join([header, *lines[::2]]) + "\n"
    assert importance(model, Learner(tmp_path / "half", half))["metric"] == "accuracy"


def test_the_limits_are_kept(iris: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    model = learned(iris, "species")
    cost = model.network.layout.size + 50 * (8 + 3)
    with pytest.raises(errors.Invalid, match="request fewer repeats"):
        importance(model, iris, max_operations=4 * 5 * 49 * cost)
    with pytest.raises(errors.Invalid, match="fewer features or hidden units"):
        importance(model, iris, max_operations=4 * 49 * cost)
    with pytest.raises(errors.Invalid, match="50 rows have 200 inputs, and the limit is 199: train a model with"):
        importance(model, iris, max_cells=199)
    with pytest.raises(errors.Invalid, match="request fewer rows or points"):
        dependence(model, iris, "petal_width", max_operations=7 * 5 * cost - 1)
    with pytest.raises(errors.Invalid, match="operations: request fewer points"):
        dependence(model, iris, "petal_width", max_operations=5 * cost)
    with pytest.raises(errors.Invalid, match="the limit is 34: request fewer rows"):
        dependence(model, iris, "petal_width", max_cells=34)
    sizes = []
    outputs = Model.network_outputs
    monkeypatch.setattr(Model, "network_outputs", lambda self, x: (sizes.append(len(x)), outputs(self, x))[1])
    importance(model, iris, max_operations=4 * 5 * 60 * cost + 1000)
    assert set(sizes) == {60}
