"""Features derived from columns: their values, what they are refused for, and models that have them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Context, JobRequest, predictor, resolve
from backpropd.learn.inspection.explanation import explain
from backpropd.learn.inspection.mean_inputs import mean_inputs
from backpropd.learn.inspection.partial_dependence import partial_dependence
from backpropd.learn.inspection.permutation_importance import permutation_importance
from backpropd.learn.inspection.response_curve import response_curve
from backpropd.learn.predictor import Predictor
from backpropd.tabular.inputs.json_rows import JsonRows
from backpropd.tabular.inputs.table_rows import TableRows
from tests.learn.learner import LIMITS, Learner, load_model

RNG = np.random.default_rng(1)
X, Z = RNG.normal(size=80).round(3), RNG.normal(size=80).round(3) + 1
TABLE = "x,z,flag,word,y\n" + "".join(
    f"{x},{z},{'yes' if n % 2 else 'no'},{'abc'[n % 3]},{x * z + np.sin(x)}\n"
    for n, (x, z) in enumerate(zip(X, Z, strict=True))
)
FEATURES = [{"product": ["z", "x"]}, {"sin": "x"}, "z", {"square": "z"}]
LOOSE = {"max_operations": 10**9, "max_cells": 10**7}


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    return Learner(tmp_path, TABLE)


def model_of(learner: Learner, features: list[Any] = FEATURES, **options: Any) -> Any:
    settings = {"epochs": 5, "validation_fraction": 0.0, "dtype": "float64", **options}
    return load_model(learner.trained(learner.plan("y", features=features, **settings)))


def standardized(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / x.std()


def test_the_inputs_are_the_values_standardized_in_the_order_of_the_features(learner: Learner) -> None:
    model = model_of(learner)
    assert model.encoder.names == ["product(z, x)", "sin(x)", "z", "square(z)"]
    assert [info.name for info in model.encoder.column_infos] == ["z", "x"] == list(model.known_columns)
    expected = np.column_stack([standardized(each) for each in (Z * X, np.sin(X), Z, Z**2)])
    rows = np.column_stack([Z, X]).tolist()
    np.testing.assert_allclose(model.encode(rows), expected, rtol=0, atol=1e-12)
    by_name = [{"x": x, "z": z, "word": "a"} for z, x in rows]
    assert model.predict(by_name) == model.predict(rows)
    assert model.array_plan is None


def test_a_linear_network_learns_a_product_that_it_is_given(learner: Learner) -> None:
    options = {"hidden": [], "epochs": 300, "optimizer": {"name": "lbfgs"}, "batch_size": "full"}
    plain = learner.trained(learner.plan("y", features=["x", "z"], **options))
    given = learner.trained(learner.plan("y", features=["x", "z", {"product": ["x", "z"]}, {"sin": "x"}], **options))
    assert plain["metrics"]["r2"] < 0.95
    assert given["metrics"]["r2"] > 0.999


def test_the_spiral_is_learned_better_with_derived_features(tmp_path: Path) -> None:
    spiral = Learner(tmp_path, sample="spiral")
    extra = [{"sin": "x1"}, {"sin": "x2"}, {"square": "x1"}, {"square": "x2"}, {"product": ["x1", "x2"]}]
    options = {"epochs": 150, "hidden": [{"units": 8, "activation": "tanh"}], "batch_size": 10}
    found = [
        spiral.trained(spiral.plan("label", features=["x1", "x2", *more], **options))["metrics"]["loss"]
        for more in ([], extra)
    ]
    assert found[1] < 0.6 * found[0]


def test_a_logarithm_of_what_is_not_positive_is_missing(learner: Learner) -> None:
    plan = learner.plan("y", features=["z", {"log": "x"}], epochs=1)
    (warning,) = plan.warnings
    assert (warning.code, warning.pointer) == ("missing_logarithm", "/features/1")
    assert "log(x)" in warning.detail
    model = model_of(learner, ["z", {"log": "x"}])
    assert model.encoder.names == ["z", "log(x)", "log(x) is missing"]
    positive = X > 0
    scaled = np.zeros(len(X))
    scaled[positive] = standardized(np.log(X[positive]))
    inputs = model.encode(np.column_stack([Z, X]).tolist())
    np.testing.assert_allclose(inputs[:, 1], scaled, atol=1e-12)
    assert inputs[:, 2].tolist() == (~positive).tolist()


def findings(model: Any, rows: list[list[Any]]) -> list[dict[str, Any]]:
    names = [info.name for info in model.encoder.column_infos]
    return [each.to_json() for each in Predictor(model, JsonRows(rows, names, (), names)).findings()]


def test_a_prediction_warns_of_missing_and_far_values(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{n},{n % 5}\n" for n in range(1, 50))
    model = model_of(Learner(tmp_path, text), [{"log": "x"}])
    assert findings(model, [[3], [49]]) == []
    zero, negative = findings(model, [[0], [2]]), findings(model, [[5], [-1], [None]])
    assert [(each["code"], each["column"], each["rows"]) for each in zero] == [("missing_value", "log(x)", [0])]
    missing = {each["column"]: each["rows"] for each in negative if each["code"] == "missing_value"}
    assert missing == {"log(x)": [1, 2], "x": [2]}
    assert "above 0" in zero[0]["detail"]
    assert [(each["code"], each["column"]) for each in findings(model, [[1e6]])] == [
        ("out_of_range", "x"),
        ("out_of_range", "log(x)"),
    ]


def test_every_row_of_a_long_table_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "BLOCK_CELLS", 0)
    trained = "x,z,word,y\n" + "".join(f"{n},{20 / n},{'ab'[n % 2]},{n % 5}\n" for n in range(1, 40))
    model = model_of(Learner(tmp_path, trained), [{"product": ["x", "z"]}, "word"])
    text = "x,z,word\n" + "2,10,a\n" * 99 + "39,20,b\n"  # both are within their ranges, and the product is not
    other = Learner(tmp_path / "other", text)
    found = Predictor(model, TableRows(other.path, 100, other.info.columns))
    assert found.is_long
    assert [(each.code, each.column, each.rows) for each in found.findings()] == [
        ("out_of_range", "product(x, z)", [99])
    ]
    h = np.concatenate([block.h for block in found.blocks()])
    np.testing.assert_allclose(h[[0, 99]], model.network_outputs(model.encode([[2, 10, "a"], [39, 20, "b"]])))


def test_values_too_large_for_a_float_give_finite_predictions(learner: Learner) -> None:
    model = model_of(learner, [{"square": "x"}, {"product": ["x", "z"]}])
    inputs = model.encode([[1e200, -1e200], [-1.7e308, 1.7e308]])
    assert inputs.tolist() == [[1e12, -1e12], [1e12, -1e12]]
    assert all(np.isfinite(each["value"]) for each in model.predict([[1e200, -1e200]]))


def test_columns_of_huge_numbers_are_trained_on(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{n}e200,{n}\n" for n in range(1, 40))
    model = model_of(Learner(tmp_path, text), ["x", {"square": "x"}])
    assert np.isfinite(model.encode([[3e200], [1]])).all()


WRONG = {
    "unknown column": ({"sin": "nothing"}, "/features/0", "no column"),
    "target": ({"square": "y"}, "/features/0", "target"),
    "word": ({"log": "word"}, "/features/0", "kind category"),
    "boolean": ({"product": ["x", "flag"]}, "/features/0", '"kinds"'),
    "same column twice": ({"product": ["x", "x"]}, "/features/0", "square"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_feature_that_cannot_be_derived_is_refused(learner: Learner, name: str) -> None:
    feature, pointer, words = WRONG[name]
    with pytest.raises(errors.Invalid) as caught:
        learner.plan("y", features=[feature, "x"])
    (problem,) = caught.value.problems or [errors.Problem(pointer, caught.value.detail)]
    assert (problem.pointer, words in problem.detail) == (pointer, True)


def test_repeated_and_too_many_features_are_refused(learner: Learner) -> None:
    for repeated in ([{"sin": "x"}, {"sin": "x"}], [{"product": ["x", "z"]}, {"product": ["z", "x"]}]):
        with pytest.raises(errors.Invalid, match="before"):
            learner.plan("y", features=repeated)
    with pytest.raises(errors.Invalid, match="1001 derived features"):
        learner.plan("y", features=[{"sin": "x"}] * 1001)


def test_the_name_of_a_column_and_of_a_derived_feature_must_differ(tmp_path: Path) -> None:
    other = Learner(tmp_path, "x,sin(x),y\n" + "".join(f"{n},{n % 7},{n % 5}\n" for n in range(40)))
    with pytest.raises(errors.Invalid, match="a column 'sin\\(x\\)'"):
        other.plan("y", features=[{"sin": "x"}])


def test_a_column_without_a_positive_number_has_no_logarithm(tmp_path: Path) -> None:
    other = Learner(tmp_path, "x,y\n" + "".join(f"{-n},{n % 5}\n" for n in range(40)))
    with pytest.raises(errors.UnusableColumn, match="above 0"):
        other.plan("y", features=[{"log": "x"}])


def test_a_feature_of_constants_alone_is_refused(tmp_path: Path) -> None:
    other = Learner(tmp_path, "x,c,d,y\n" + "".join(f"{n},2,3,{n % 5}\n" for n in range(40)))
    for feature in ({"square": "c"}, {"product": ["c", "d"]}):
        with pytest.raises(errors.ConstantColumn, match="every row"):
            other.plan("y", features=["x", feature])
    assert other.plan("y", features=[{"product": ["c", "x"]}]).spec.columns == ["c", "x"]
    assert other.plan("y", features=[{"square": "c"}], feature_scaling="none").spec.columns == ["c"]


def test_a_boolean_made_a_number_can_be_used(learner: Learner) -> None:
    model = model_of(learner, [{"product": ["x", "flag"]}], kinds={"flag": "number"})
    assert model.predict([[0.5, 1]]) == model.predict([{"x": 0.5, "flag": "yes"}])


def test_the_attributions_of_columns_add_up(learner: Learner) -> None:
    model = model_of(learner, epochs=40)
    rows = np.column_stack([Z, X])[:6].tolist()
    for baseline in ("mean", [1.0, 0.0]):
        found = explain(model, rows, None, baseline, max_operations=10**9, max_numbers=10**6)
        for each, prediction in zip(found, model.predict(rows), strict=True):
            assert list(each["attributions"]) == ["z", "x"]
            assert each["output"] == pytest.approx(prediction["value"])
            assert sum(each["attributions"].values()) == pytest.approx(each["output"] - each["baseline"], abs=1e-4)


def test_the_mean_row_has_the_features_of_the_means(learner: Learner) -> None:
    model = model_of(learner)
    np.testing.assert_allclose(mean_inputs(model), model.encode([[float(Z.mean()), float(X.mean())]])[0], atol=1e-9)


def test_importance_shuffles_a_column_with_all_that_is_derived_from_it(learner: Learner) -> None:
    model = model_of(learner, hidden=[], epochs=300, optimizer={"name": "lbfgs"}, batch_size="full")
    found = permutation_importance(model, learner.source, repeats=3, seed=0, **LOOSE)["importance"]
    means = {each["column"]: each["mean"] for each in found}
    assert set(means) == {"x", "z"}
    _, shuffle_seed = np.random.SeedSequence(0).spawn(2)
    rng, y = np.random.default_rng(shuffle_seed), X * Z + np.sin(X)

    def r2(z: np.ndarray, x: np.ndarray) -> float:
        h = np.array([each["value"] for each in model.predict(np.column_stack([z, x]).tolist())])
        return float(1 - ((y - h) ** 2).sum() / ((y - y.mean()) ** 2).sum())

    orders = [rng.permutation(len(X)) for _ in range(6)]  # of z first
    assert means["z"] == pytest.approx(r2(Z, X) - np.mean([r2(Z[order], X) for order in orders[:3]]))
    assert means["x"] == pytest.approx(r2(Z, X) - np.mean([r2(Z, X[order]) for order in orders[3:]]))


def test_curves_vary_a_column_with_all_that_is_derived_from_it(learner: Learner) -> None:
    model = model_of(learner)
    found = partial_dependence(model, learner.source, "x", points=4, rows=80, **LOOSE)
    for column, value in enumerate(found["values"]):
        h = [each["value"] for each in model.predict([[z, value] for z in Z.tolist()])]
        np.testing.assert_allclose([curve[column] for curve in found["curves"]], h)
    curve = response_curve(model, "x", 5, None, None, {"z": 2.0})
    assert curve["outputs"][0]["h"] == [each["value"] for each in model.predict([[2.0, x] for x in curve["x"]])]
    assert response_curve(model, "x", 5, None, None, {})["held"] == {"z": pytest.approx(Z.mean())}


def test_threshold_neurons_of_booleans_refuse_derived_features(tmp_path: Path) -> None:
    xor = Learner(tmp_path, "a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    for kind in ("mcculloch_pitts", "perceptron_network"):
        network = {"kind": kind, "inhibitory": "search", "threshold": "search"}
        with pytest.raises(errors.UnusableColumn, match="booleans alone"):
            xor.plan("y", features=["a", {"product": ["a", "b"]}], network=network)


def test_a_perceptron_learns_xor_with_the_product(tmp_path: Path) -> None:
    xor = Learner(tmp_path, "a,b,y\n" + "0,0,0\n0,1,1\n1,0,1\n1,1,0\n" * 5)
    mistakes = []
    for features in (["a", "b"], ["a", "b", {"product": ["a", "b"]}]):
        request = JobRequest.from_json(
            target="y", features=features, network={"kind": "perceptron"}, training={"seed": 0}
        )
        model = xor.trained(resolve(request, Context(xor.table, LIMITS)))
        mistakes.append(model["metrics"]["mistakes"] + (model["validation_metrics"] or {"mistakes": 0})["mistakes"])
    assert mistakes[0] > 0
    assert mistakes[1] == 0


def test_a_warm_start_takes_the_features_of_its_model(learner: Learner) -> None:
    before = learner.trained(learner.plan("y", features=FEATURES, epochs=3))
    plan = learner.plan("y", model=before, epochs=3)
    assert plan.spec.features == FEATURES
    assert {each.column for each in plan.left_out} == {"flag", "word"}
    after = learner.trained(plan, warm_start=before)
    assert after["encoders"]["features"] == before["encoders"]["features"]
    with pytest.raises(errors.Invalid, match="must be the same"):
        learner.plan("y", model=before, features=["z", "x"], epochs=3)


def test_a_validation_table_has_the_features_too(learner: Learner, tmp_path: Path) -> None:
    other = Learner(tmp_path / "other", TABLE)
    plan = learner.plan("y", features=FEATURES, validation=other, epochs=3)
    found = learner.trained(plan, validation=other.source)
    assert found["validation_metrics"]["loss"] == pytest.approx(found["metrics"]["loss"])
    lacking = Learner(tmp_path / "lacking", "x,y\n1,2\n2,3\n3,5\n")
    with pytest.raises(errors.Invalid, match="no column 'z'"):
        learner.plan("y", features=[{"product": ["x", "z"]}], validation=lacking)


def test_a_model_of_before_derived_features_still_loads(learner: Learner) -> None:
    stored = learner.trained(learner.plan("y", features=["x", "word"], epochs=2))
    assert "sources" not in stored["encoders"]["features"]
    assert all(set(each) == {"column", "encoder"} for each in stored["encoders"]["features"]["columns"])
    assert load_model(stored).predict([[1, "a"]]) == load_model(stored).predict([{"x": 1, "word": "a"}])
