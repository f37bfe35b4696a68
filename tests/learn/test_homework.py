"""Homework: a student's numbers against those of the trace."""

import copy
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Model, homework, trace
from tests.learn.learner import Learner, load_model

ROW, TARGET = [5.1, 3.5, 1.4, 0.2], "virginica"
HIDDEN = [{"units": 3, "activation": "tanh"}, {"units": 2, "activation": "logistic", "normalization": "layer"}]
ORDER = [  # of a network with these layers, as it is computed by hand
    "input", "layers.0.a", "layers.0.h", "layers.1.z", "layers.1.a", "layers.1.h", "layers.2.a", "layers.2.h", "loss",
    "layers.2.gradients.h", "layers.2.gradients.a", "layers.2.gradients.weight", "layers.2.gradients.bias",
    "layers.1.gradients.h", "layers.1.gradients.a", "layers.1.gradients.z", "layers.1.gradients.scale",
    "layers.1.gradients.shift", "layers.1.gradients.weight", "layers.1.gradients.bias", "layers.0.gradients.h",
    "layers.0.gradients.a", "layers.0.gradients.weight", "layers.0.gradients.bias", "update.layers.0.weight",
    "update.layers.0.bias", "update.layers.1.weight", "update.layers.1.bias", "update.layers.1.scale",
    "update.layers.1.shift", "update.layers.2.weight", "update.layers.2.bias", "updated.layers.0.weight",
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    learner = Learner(tmp_path_factory.mktemp("iris"), sample="iris")
    return load_model(learner.trained(learner.plan("species", epochs=3, hidden=HIDDEN)))


def right_answers(model: Model) -> dict[str, Any]:
    answers = trace(model, [ROW], [TARGET], max_numbers=10_000)
    changes = {name: change for name, change in answers["update"].items() if name != "learning_rate"}
    updated = {name: (model.theta[name] + np.array(change)).tolist() for name, change in changes.items()}
    return {**answers, "updated": updated}


def checked(model: Model, answers: Any, tolerance: float = 1e-6, **options: Any) -> dict[str, Any]:
    options = {"reveal": False, "learning_rate": None, "max_numbers": 10_000, **options}
    return homework(model, ROW, TARGET, answers, tolerance=tolerance, **options)


def changed(answers: dict[str, Any], step: str, by: float) -> dict[str, Any]:
    """The answers with the last number of a step changed."""
    answers, parts = copy.deepcopy(answers), step.split(".")
    path: list[Any] = [parts[0], ".".join(parts[1:])] if parts[0].startswith("update") else parts
    place: Any = answers
    path = [int(part) if part.isdigit() else part for part in path]
    while isinstance(place[path[-1]] if len(path) == 1 else place[path[0]], dict | list):
        if len(path) == 1:
            place, path = place[path[0]], [-1]
        else:
            place, path = place[path[0]], path[1:]
    place[path[0]] += by
    return answers


def test_the_numbers_of_the_trace_are_right_and_need_not_be_complete(model: Model) -> None:
    answers = right_answers(model)
    found = checked(model, answers)
    assert found == {"correct": True, "checked": len(ORDER) + 7, "first_wrong": None}
    assert checked(model, {"layers": [{"name": "layers.2", "a": answers["layers"][2]["a"]}]})["checked"] == 1
    assert checked(model, {"layers": [{}, {}, {"h": answers["layers"][2]["h"]}]})["correct"]


@pytest.mark.parametrize("step", ORDER)
def test_a_wrong_number_is_found_in_its_step(model: Model, step: str) -> None:
    answers = changed(right_answers(model), step, 1e-3)
    found = checked(model, answers)
    assert (found["correct"], found["first_wrong"]["step"]) == (False, step)
    assert set(found["first_wrong"]) == {"step", "pointer", "rule", "formula"}
    place: Any = {"answers": answers}
    for part in found["first_wrong"]["pointer"].split("/")[1:]:
        place = place[int(part)] if isinstance(place, list) else place[part]
    assert isinstance(place, float)


def test_of_two_wrong_steps_the_first_in_the_order_of_the_computation_is_named(model: Model) -> None:
    answers = right_answers(model)
    for step in reversed(ORDER):
        answers = changed(answers, step, 1e-3)
        assert checked(model, answers)["first_wrong"]["step"] == step


def test_the_right_numbers_are_shown_only_on_request(model: Model) -> None:
    answers = changed(right_answers(model), "layers.2.gradients.a", 0.5)
    hidden = checked(model, answers)
    right = right_answers(model)["layers"][2]["gradients"]["a"]
    for number in right[0]:
        assert str(number)[:6] not in str(hidden)
    shown = checked(model, answers, reveal=True)
    assert shown["first_wrong"] == {**hidden["first_wrong"], "expected": right}
    assert shown["first_wrong"]["pointer"] == "/answers/layers/2/gradients/a/0/2"
    assert "∂L/∂a = (h - y)" in shown["first_wrong"]["rule"]


def test_the_tolerance_is_absolute_for_small_numbers_and_relative_for_large_ones(model: Model) -> None:
    loss = right_answers(model)["loss"]
    assert loss > 1
    assert checked(model, {"loss": loss * 1.009}, tolerance=0.01)["correct"]
    assert not checked(model, {"loss": loss * 1.011}, tolerance=0.01)["correct"]
    h = right_answers(model)["layers"][2]["h"]
    assert checked(model, {"layers": [{}, {}, {"h": [[h[0][0] + 0.009, *h[0][1:]]]}]}, tolerance=0.01)["correct"]
    assert not checked(model, {"layers": [{}, {}, {"h": [[h[0][0] + 0.011, *h[0][1:]]]}]}, tolerance=0.01)["correct"]


def test_the_update_is_that_of_the_given_learning_rate(model: Model) -> None:
    update = {"layers.2.bias": trace(model, [ROW], [TARGET], 2.0, max_numbers=10_000)["update"]["layers.2.bias"]}
    assert checked(model, {"update": update}, learning_rate=2.0)["correct"]
    assert checked(model, {"update": update})["first_wrong"]["step"] == "update.layers.2.bias"


@pytest.mark.parametrize(
    ("answers", "pointer", "detail"),
    [
        ({}, "/answers", "there is no answer"),
        ({"loss": None}, "/answers", "there is no answer"),
        ({"los": 1}, "/answers/los", "no value 'los': here it has: input, layers, loss, update"),
        ({"loss": "much"}, "/answers/loss", "send a number"),
        ({"loss": True}, "/answers/loss", "send a number"),
        ({"loss": [1]}, "/answers/loss", "send a number"),
        ({"input": [1, 2, 3, 4]}, "/answers/input", "1 lists (rows of the matrix) of 4 numbers"),
        ({"input": [[1, 2, 3]]}, "/answers/input/0", "of 4 numbers"),
        ({"input": [[1, 2, 3, "x" * 1000]]}, "/answers/input/0/3", "of 4 numbers"),
        ({"layers": {}}, "/answers/layers", "JSON array"),
        ({"layers": [1]}, "/answers/layers/0", "JSON object"),
        ({"layers": [{"g": 1}]}, "/answers/layers/0/g", "no value 'layers.0.g': here it has: a, gradients, h"),
        ({"layers": [{"gradients": {"w": 1}}]}, "/answers/layers/0/gradients/w", "a, bias, h, weight"),
        ({"layers": [{}, {}, {}, {"a": [[1]]}]}, "/answers/layers/3/a", "no value 'layers.3.a'"),
        ({"layers": [{"name": "layers.1"}, {}]}, "/answers/layers/1", "appears twice"),
        ({"update": [1]}, "/answers/update", "JSON object"),
        ({"update": {"w": 1}}, "/answers/update/w", "layers.0.bias"),
        ({"updated": {"layers.0.bias": [1]}}, "/answers/updated/layers.0.bias", "a list of 3 numbers"),
    ],
)
def test_answers_that_do_not_fit_the_trace_are_rejected_with_their_pointer(
    model: Model, answers: Any, pointer: str, detail: str
) -> None:
    with pytest.raises(errors.Invalid) as raised:
        checked(model, answers)
    (problem,) = raised.value.problems
    assert problem.pointer == pointer
    assert detail in problem.detail


def test_an_answer_whose_right_value_is_not_finite_cannot_be_judged(iris: Learner) -> None:
    plan = iris.plan("petal_width", features=["petal_length"], hidden=[{"units": 2, "activation": "relu"}], epochs=1)
    model = load_model(iris.trained(plan))
    theta = {name: np.full(value.shape, 1e300) for name, value in model.theta.items()}
    overflowing = Model(model.spec, model.encoder, model.target, model.columns, theta)
    options: Any = {"tolerance": 0.1, "reveal": False, "learning_rate": 1e300, "max_numbers": 10_000}
    given: Any = {"layers": [{"h": [[0.0, 0.0]]}], "loss": 1.0, "update": {"layers.1.bias": [0.0]}}
    with np.errstate(all="ignore"):
        traced = trace(overflowing, [[1e300]], [1.0], 1e300, max_numbers=10_000)
        assert (traced["loss"], traced["layers"][0]["h"]) == (None, [[None, None]])
        with pytest.raises(errors.Invalid) as raised:
            homework(overflowing, [1e300], 1.0, given, **options)
        assert homework(overflowing, [1e300], 1.0, {"input": traced["input"]}, **options)["correct"]
    problems = {each.pointer: each.detail for each in raised.value.problems}
    assert list(problems) == ["/answers/layers/0/h", "/answers/loss", "/answers/update/layers.1.bias"]
    assert problems["/answers/loss"] == "the right value of loss is not finite for this row: leave it out"


def test_of_many_mistakes_the_first_are_listed(model: Model) -> None:
    for answers in ({"layers": [1] * 100_000}, {str(n): 1 for n in range(100_000)}, {"update": {"x": 1, "y": 2}}):
        with pytest.raises(errors.Invalid) as raised:
            checked(model, answers)
        assert 2 <= len(raised.value.problems) <= errors.MAX_PROBLEMS


def test_row_and_target_are_named_in_errors(model: Model) -> None:
    options: Any = {"tolerance": 0.1, "reveal": False, "learning_rate": None, "max_numbers": 10_000}
    for row, target, pointer in (
        ([1, 2, 3, "x"], TARGET, "/row/3"), ([1, 2], TARGET, "/row"), (7, TARGET, "/row"), (ROW, "rose", "/target"),
        (ROW, None, "/target"), (ROW, {"colour": 1}, "/target/colour"),
    ):  # fmt: skip
        with pytest.raises(errors.Invalid) as raised:
            homework(model, row, target, {"loss": 1}, **options)
        assert [each.pointer for each in raised.value.problems] == [pointer]
    with pytest.raises(errors.Invalid, match="the limit is 10") as raised:
        homework(model, ROW, TARGET, {"loss": 1}, **{**options, "max_numbers": 10})
    assert raised.value.problems[0].pointer == "/row"


def test_the_rule_of_a_perceptron_is_that_of_its_mistakes(iris: Learner) -> None:
    model = load_model(iris.trained(iris.neuron_plan("species", "perceptron", epochs=1)))
    update = trace(model, [ROW], [TARGET], max_numbers=10_000)["update"]
    bias = update["layers.0.bias"]
    assert checked(model, {"update": {"layers.0.bias": bias}})["correct"]
    found = checked(model, {"update": {"layers.0.bias": [bias[0] + 1, *bias[1:]]}})
    assert found["first_wrong"]["rule"].startswith("the perceptron rule")
    with pytest.raises(errors.Invalid, match=r"no value 'layers\.0\.gradients\.a'"):
        checked(model, {"layers": [{"gradients": {"a": [[1, 2, 3]]}}]})
