"""Parameters that a request gives, and numbers that are not scaled: a textbook's example has the textbook's numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from backpropd import errors
from tests.learn.learner import Learner, Plan, epochs_of, load_model, weights_of

# Matt Mazur, A Step by Step Backpropagation Example (2015): the weights into a unit are a column here.
INITIAL: dict[str, Any] = {
    "layers.0.weight": [[0.15, 0.25], [0.20, 0.30]],
    "layers.0.bias": [0.35, 0.35],
    "layers.1.weight": [[0.40, 0.50], [0.45, 0.55]],
    "layers.1.bias": [0.60, 0.60],
}
TRAINING: dict[str, Any] = {
    "optimizer": {"name": "sgd", "learning_rate": 0.5}, "epochs": 1, "batch_size": "full", "dtype": "float64",
    "feature_scaling": "none", "target_scaling": "none",
}  # fmt: skip


@pytest.fixture
def example(tmp_path: Path) -> Learner:
    """The example's only row."""
    return Learner(tmp_path, "i1,i2,o1,o2\n0.05,0.10,0.01,0.99\n")


def plan_of(example: Learner, parameters: dict[str, Any] | None = INITIAL, **changes: Any) -> Plan:
    network = {"output_activation": "logistic", "initial_parameters": parameters, **changes.pop("network", {})}
    layer = {"units": 2, "activation": "logistic", **changes.pop("layer", {})}
    return example.plan(["o1", "o2"], hidden=[layer], network=network, **{**TRAINING, **changes})


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_the_numbers_of_mazurs_example(example: Learner, engine: str) -> None:
    run = example.run(plan_of(example, engine=engine))
    (epoch,) = epochs_of(run)
    assert epoch.loss == pytest.approx(0.298371109, abs=5e-10)  # the mean over two outputs is their sum of halves
    weights = weights_of(run.model())
    assert weights["layers.1.weight"].T.ravel() == pytest.approx(
        [0.35891648, 0.408666186, 0.511301270, 0.561370121], abs=5e-10
    )
    assert weights["layers.0.weight"].T.ravel() == pytest.approx(
        [0.149780716, 0.19956143, 0.24975114, 0.29950229], abs=5e-9
    )
    predicted = load_model(run.model()).predict([{"i1": 0.05, "i2": 0.10}])[0]
    assert 0.5 < predicted["value"]["o1"] < 0.8  # as the network computes it, not clipped to the only target


def test_after_ten_thousand_epochs_the_error_is_mazurs(example: Learner) -> None:
    """He keeps the biases as they are; moving them too, the error is smaller still."""
    made = example.trained(plan_of(example, epochs=10_000, engine="numba"))
    assert made["metrics"]["loss"] < 0.000035102


def test_parameters_that_are_not_given_are_drawn_as_ever(example: Learner) -> None:
    def started(parameters: dict[str, Any] | None) -> dict[str, Any]:
        return load(example.run(plan_of(example, parameters, snapshots={"every": 1})).snapshots[0].parameters)

    drawn, given = started(None), started({"layers.1.weight": INITIAL["layers.1.weight"]})
    assert np.array_equal(given["layers.1.weight"], INITIAL["layers.1.weight"])
    assert all(np.array_equal(given[name], drawn[name]) for name in drawn if name != "layers.1.weight")
    assert not np.array_equal(given["layers.1.weight"], drawn["layers.1.weight"])


def test_the_job_shows_them_as_given_and_the_model_does_not(example: Learner) -> None:
    plan = plan_of(example)
    assert plan.spec.to_json()["network"]["initial_parameters"] == INITIAL
    made = example.trained(plan)
    assert "initial_parameters" not in made["network"]
    assert "initial_parameters" not in made["encoders"]["spec"]["network"]
    assert "initial_parameters" not in plan_of(example, None).spec.to_json()["network"]


@pytest.mark.parametrize(
    ("parameters", "name", "detail"),
    [
        ({"layers.2.weight": [[1.0]]}, "layers.2.weight", "its parameters are layers.0.weight"),
        ({"layers.0.weight": [[1.0, 2.0]]}, "layers.0.weight", "1 rows of 2 numbers, and .* has 2 rows of 2"),
        ({"layers.0.weight": [1.0, 2.0]}, "layers.0.weight", "a list of 2 numbers, and"),
        ({"layers.0.weight": [[1.0, 2.0], [1.0]]}, "layers.0.weight", "rows of different lengths"),
        ({"layers.0.bias": [[1.0, 2.0]]}, "layers.0.bias", "has a list of 2 numbers"),
        ({"layers.0.bias": []}, "layers.0.bias", "a list of 0 numbers"),
        ({"layers.0.running_variance": [1.0, -1.0]}, "layers.0.running_variance", "a variance is not negative"),
        ({"layers.0.bias": [1e39, 0.0]}, "layers.0.bias", "beyond the range of float32"),
    ],
)
def test_names_shapes_and_numbers_are_checked(
    example: Learner, parameters: dict[str, Any], name: str, detail: str
) -> None:
    layer = {"normalization": "batch"} if "variance" in name else {}
    with pytest.raises(errors.Invalid, match=detail) as caught:
        plan_of(example, parameters, layer=layer, dtype="float32")
    assert [each.pointer for each in caught.value.problems] == [f"/network/initial_parameters/{name}"]


def test_a_category_that_no_training_row_has_fails_the_job_with_the_shape(tmp_path: Path) -> None:
    rows = "".join(f"{'ab'[n % 2]},{n},{int(n == 7)}\n" for n in range(20)) + "c,3,1\n" + "a,5,0\n" * 9
    table = Learner(tmp_path, "word,y,held\n" + rows)
    weights = {"layers.0.weight": [[0.1], [0.2], [0.3]]}
    held = {"hidden": [], "features": ["word"], "network": {"initial_parameters": weights}}
    assert table.trained(table.plan("y", validation_fraction=0.0, **held))
    plan = table.plan("y", validation_column="held", **held)
    with pytest.raises(errors.Invalid, match=r"3 rows of 1 numbers, and layers\.0\.weight has 2 rows"):
        table.run(plan)


def test_a_warm_start_and_an_ensemble_take_no_initial_parameters(iris: Learner) -> None:
    start = {"initial_parameters": {"layers.0.bias": [0.0] * 8}}
    before = iris.trained(iris.plan("species"))
    with pytest.raises(errors.Invalid, match="a warm start has the parameters of its model") as caught:
        iris.plan("species", model=before, network_given=True, network=start)
    assert [each.pointer for each in caught.value.problems] == ["/network/initial_parameters"]
    stops = {"early_stopping": {"patience": 3}, "refit": True, "ensemble_size": 2}
    with pytest.raises(errors.Invalid, match="would start from the same initial_parameters"):
        iris.plan("species", network=start, **stops)


def test_a_refit_starts_from_them_too(iris: Learner) -> None:
    given = {"layers.1.bias": [1.0, 2.0, 3.0]}
    stops = {"early_stopping": {"patience": 3}, "refit": True, "optimizer": {"name": "sgd", "learning_rate": 1e-9}}
    made = iris.trained(iris.plan("species", network={"initial_parameters": given}, epochs=5, **stops))
    assert weights_of(made)["layers.1.bias"] == pytest.approx([1.0, 2.0, 3.0])


def test_a_perceptron_starts_from_them(tmp_path: Path) -> None:
    table = Learner(tmp_path, "a,b,y\n" + "0,0,0\n0,1,0\n1,0,0\n1,1,1\n" * 2)

    def plan(kind: str, parameters: dict[str, Any]) -> Plan:
        return table.neuron_plan("y", kind, {"initial_parameters": parameters}, epochs=1, seed=0)

    solved = {"layers.1.weight": [[-1.0], [-1.0], [-1.0], [1.0]]}
    epochs, made = table.train(plan("perceptron_network", solved))
    assert (epochs[0].loss, weights_of(made)["layers.1.weight"].tolist()) == (0.0, solved["layers.1.weight"])
    with pytest.raises(errors.Invalid, match="the hidden perceptrons are fixed"):
        plan("perceptron_network", {"layers.0.bias": [0.0] * 4})
    apart = {"layers.0.weight": [[1.0], [1.0]], "layers.0.bias": [-1.5]}
    epochs, _ = table.train(plan("perceptron", apart))
    assert epochs[0].loss == 0.0


def test_a_perceptron_takes_numbers_as_they_are(tmp_path: Path) -> None:
    table = Learner(tmp_path, "a,y\n1,0\n2,0\n3,1\n4,1\n")
    start = {"layers.0.weight": [[2.0]], "layers.0.bias": [-5.0]}
    plan = table.neuron_plan("y", "perceptron", {"initial_parameters": start}, epochs=3, feature_scaling="none")
    assert plan.spec.to_json()["training"]["feature_scaling"] == "none"
    epochs, made = table.train(plan)
    assert (len(epochs), epochs[0].loss) == (1, 0.0)
    assert load_model(made).encode([[3]]).tolist() == [[3.0]]


# ── without scaling ──────────────────────────────────────────────────────────────────────────────────────────────


def test_features_that_are_not_scaled_are_the_inputs(numbers: Learner) -> None:
    made = numbers.trained(numbers.plan("y", features=["x", "z"], feature_scaling="none"))
    assert load_model(made).encode([[3, 5]]).tolist() == [[3.0, 5.0]]


def test_targets_that_are_not_scaled_are_learned_as_they_are(numbers: Learner) -> None:
    plan = numbers.plan("y", target_scaling="none", hidden=[], epochs=1, feature_scaling="none", features=["x"])
    assert (plan.spec.training.target_scaling, plan.spec.training.clip_predictions) == ("none", False)
    run = numbers.run(plan)
    assert np.array_equal(run.training_set.y[:, 0] % 1, np.zeros(48))  # whole numbers, as in the table
    scaled = numbers.plan("y", hidden=[], epochs=1).spec.training
    assert (scaled.target_scaling, scaled.clip_predictions) == ("standard", True)
    assert numbers.plan("y", target_scaling="unit").spec.target_scaling == "unit"


def test_constants_are_features_and_targets_only_where_nothing_is_scaled(example: Learner) -> None:
    with pytest.raises(errors.ConstantColumn, match='target_scaling to "none"'):
        plan_of(example, target_scaling="auto", features=["i1", "i2"])
    with pytest.raises(errors.Invalid):
        plan_of(example, feature_scaling="auto", features=["i1", "i2"])
    assert plan_of(example, features=["i1", "i2"]).spec.features == ["i1", "i2"]


def test_classes_and_counts_are_never_scaled(iris: Learner, numbers: Learner) -> None:
    assert iris.plan("species").spec.training.target_scaling == "none"
    with pytest.raises(errors.Invalid, match="a network that has classes") as caught:
        iris.plan("species", target_scaling="unit")
    assert [each.pointer for each in caught.value.problems] == ["/training/target_scaling"]
    with pytest.raises(errors.Invalid, match="learns counts by poisson"):
        numbers.plan("w", task="regression", loss="poisson", target_scaling="standard")
