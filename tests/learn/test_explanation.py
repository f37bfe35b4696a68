"""Explanations of predictions, without the service."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Model, explain
from backpropd.learn.inspection import explanation
from backpropd.learn.inspection.mean_inputs import mean_inputs
from tests.learn.learner import Learner, load_model

LIMITS = {"max_operations": 10**10, "max_numbers": 10**6}
ROW = {"x": 3, "z": 5}
LINEAR: dict[str, Any] = {"hidden": [], "feature_scaling": "standard"}
MIXED = "when,word,flag,size,y\n" + "".join(
    f"2024-{1 + n % 12:02}-{1 + n % 28:02},{'uuuvw'[n % 5]},{('no', 'yes', 'yes')[n % 3]},"
    f"{'' if n % 11 == 0 else n % 9},{n % 9 + 5 * (n % 5 == 3) - 2 * (n % 3 == 0)}\n"
    for n in range(120)
)

BEFORE = {"when": "2024-03-04", "word": "v", "flag": "yes", "size": 7}
AFTER = {"when": "2024-12-24", "word": "w", "flag": "no", "size": None}


def learned(learner: Learner, target: Any, **changes: Any) -> Model:
    return load_model(learner.trained(learner.plan(target, **changes)))


def assert_complete(found: dict[str, Any], tolerance: float = 1e-5) -> None:
    """The attributions add up to the difference, and the error is what remains."""
    difference = found["output"] - found["baseline"]
    remaining = abs(sum(found["attributions"].values()) - difference)
    assert remaining == pytest.approx(found["error"], abs=1e-9)
    assert remaining <= tolerance * max(1, abs(difference))


def test_a_linear_regression_is_explained_by_its_slopes(numbers: Learner) -> None:
    model = learned(numbers, "y", features=["x", "z"], epochs=50, **LINEAR)
    (found,) = explain(model, [ROW], **LIMITS)
    means = {name: numbers.table.columns[name].statistics["mean"] for name in ROW}
    value = {name: model.predict([row])[0]["value"] for name, row in (("row", ROW), ("mean", means))}
    slopes = {name: model.predict([{**ROW, name: ROW[name] + 1}])[0]["value"] - value["row"] for name in ROW}
    assert found["class"] is None
    assert found["output"] == pytest.approx(value["row"], rel=1e-5)
    assert found["baseline"] == pytest.approx(value["mean"], rel=1e-5)
    for name in ROW:
        assert found["attributions"][name] == pytest.approx(slopes[name] * (ROW[name] - means[name]), rel=1e-3)
    assert_complete(found, 1e-9)


def test_the_baseline_is_a_row_if_one_is_given(numbers: Learner) -> None:
    model = learned(numbers, "y", features=["x", "z"])
    by_name, by_order = (explain(model, [ROW], None, each, **LIMITS)[0] for each in ({"x": 1, "z": 5}, [1, 5]))
    assert by_name == by_order
    assert by_name["baseline"] == pytest.approx(model.predict([{"x": 1, "z": 5}])[0]["value"], rel=1e-5)
    assert by_name["attributions"]["z"] == 0  # it is the same in both
    assert_complete(by_name)
    with pytest.raises(errors.Invalid) as raised:
        explain(model, [ROW], None, {"x": "wide", "z": 1}, **LIMITS)
    assert [each.pointer for each in raised.value.problems] == ["/baseline/x"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        LINEAR,
        {"ensemble_size": 3, "refit": True, "early_stopping": {"patience": 5}},
        {"preset": "best", "hidden": "auto"},
    ],
)
def test_the_inputs_of_a_column_are_summed(tmp_path: Path, changes: dict[str, Any]) -> None:
    model = learned(Learner(tmp_path, MIXED), "y", task="regression", **changes)
    rows = [["2024-03-04", "v", "yes", 7], ["2024-12-24", "new", "no", None]]
    for found, predicted in zip(explain(model, rows, **LIMITS), model.predict(rows), strict=True):
        assert list(found["attributions"]) == ["when", "word", "flag", "size"]
        assert model.encoder.width > 6
        assert found["output"] == pytest.approx(predicted["value"], rel=1e-4)
        assert_complete(found)
    for name in ("when", "word", "flag", "size"):  # all other columns are as in the baseline
        (changed,) = explain(model, [{**BEFORE, name: AFTER[name]}], None, BEFORE, **LIMITS)
        assert [each for each, value in changed["attributions"].items() if value] == [name]


def test_the_mean_baseline_is_at_the_mean_of_every_column(tmp_path: Path) -> None:
    learner = Learner(tmp_path, MIXED)
    model = learned(learner, "y", task="regression", validation_fraction=0, feature_scaling="standard")
    inputs = dict(zip(model.encoder.names, mean_inputs(model), strict=True))
    assert (inputs["when"], inputs["size"], inputs["size is missing"]) == pytest.approx((0, 0, 0), abs=1e-9)
    assert inputs["flag"] == pytest.approx(0, abs=1e-9)  # standardized: the mean is 0
    assert [inputs[f"word = {level}"] for level in "uvw"] == pytest.approx([0.6, 0.2, 0.2])
    assert all(value == 0 for name, value in inputs.items() if name.startswith(("sine", "cosine")))
    robust = learned(learner, "y", task="regression", feature_scaling="robust")
    inputs = dict(zip(robust.encoder.names, mean_inputs(robust), strict=True))
    mean = learner.table.columns["size"].statistics["mean"]
    scaled = robust.encoder.of("size").scaled(np.array([mean]))  # type: ignore[union-attr]
    assert inputs["size"] == pytest.approx(float(scaled[0]))
    share = robust.encoder.of("flag").scaled(np.array([2 / 3]))  # type: ignore[union-attr]
    assert inputs["flag"] == pytest.approx(float(share[0]))


def test_a_class_is_explained_by_its_logit(iris: Learner) -> None:
    model = learned(iris, "species")
    rows = [[5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.5, 2.0]]
    predicted = explain(model, rows, **LIMITS)
    assert [each["class"] for each in predicted] == [each["label"] for each in model.predict(rows)]
    by_class = {label: explain(model, rows, label, **LIMITS) for label in ("setosa", "versicolor", "virginica")}
    for index, row in enumerate(rows):
        logits = np.array([each[index]["output"] for each in by_class.values()])
        shares = np.exp(logits) / np.exp(logits).sum()
        expected = [*model.predict([row])[0]["probabilities"].values()]
        np.testing.assert_allclose(shares, expected, rtol=1e-4)
        assert predicted[index] == by_class[predicted[index]["class"]][index]
        for each in by_class.values():
            assert_complete(each[index])
    with pytest.raises(errors.Invalid, match="setosa, versicolor, virginica"):
        explain(model, rows, "rose", **LIMITS)


def test_the_parameters_are_copied_once_for_all_classes(iris: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    built, of_class = [], explanation.ScalarOutput
    monkeypatch.setattr(
        explanation, "ScalarOutput", lambda *args, **options: (built.append(1), of_class(*args, **options))[1]
    )
    model, rows = learned(iris, "species"), [[5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.5, 2.0]]
    assert len({each["class"] for each in explain(model, rows, **LIMITS)}) == 2
    assert built == [1]


def test_the_logits_of_two_classes_of_one_output_are_opposites(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "x,y\n" + "".join(f"{n},{'no' if n < 20 else 'yes'}\n" for n in range(40)))
    model = learned(learner, "y", epochs=300)
    assert model.spec.network.outputs == 1
    no, yes = (explain(model, [[39]], label, **LIMITS)[0] for label in ("no", "yes"))
    assert yes["output"] == -no["output"] > 0
    assert yes["attributions"]["x"] == -no["attributions"]["x"] > 0
    assert explain(model, [[39]], True, **LIMITS)[0] == yes == explain(model, [[39]], **LIMITS)[0]
    probability = model.predict([[39]])[0]["probabilities"]["yes"]
    assert yes["output"] == pytest.approx(np.log(probability / (1 - probability)), rel=1e-3)


def test_several_targets_are_explained_one_by_one(tmp_path: Path) -> None:
    text = "x,u,v,a,b\n" + "".join(f"{n},{2 * n},{50 - n},{n % 2},{int(n > 20)}\n" for n in range(40))
    learner = Learner(tmp_path, text)
    model = learned(learner, ["u", "v"], features=["x"], epochs=100)
    with pytest.raises(errors.Invalid, match="name one of them as class: u, v"):
        explain(model, [[3]], **LIMITS)
    for name in ("u", "v"):
        (found,) = explain(model, [[3]], name, **LIMITS)
        assert found["class"] == name
        assert found["output"] == pytest.approx(model.predict([[3]])[0]["value"][name], rel=1e-4)
        assert_complete(found)
    labels = learned(learner, ["a", "b"], features=["x"], task="classification", epochs=100)
    (found,) = explain(labels, [[39]], **LIMITS)
    probabilities = labels.predict([[39]])[0]["probabilities"]
    assert found["class"] == max(probabilities, key=lambda name: probabilities[name])
    p = probabilities[found["class"]]
    assert found["output"] == pytest.approx(np.log(p / (1 - p)), rel=1e-3)


def test_a_threshold_neuron_has_no_gradient(iris: Learner) -> None:
    model = load_model(iris.trained(iris.neuron_plan("species", "perceptron")))
    with pytest.raises(errors.Conflict, match="no gradient"):
        explain(model, [[1, 2, 3, 4]], **LIMITS)


def test_too_many_rows_for_the_limits_are_refused(iris: Learner) -> None:
    model, rows = learned(iris, "species"), [[5.1, 3.5, 1.4, 0.2]] * 10
    for limits, match in (
        ({**LIMITS, "max_numbers": 39}, "the limit is 39: send fewer rows"),
        ({**LIMITS, "max_operations": 400_000}, "send fewer rows"),
        ({**LIMITS, "max_operations": 1000}, "fewer hidden units"),
    ):
        with pytest.raises(errors.Invalid, match=match):
            explain(model, rows, **limits)
