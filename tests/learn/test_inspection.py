"""Traces and loss surfaces of a model, without the service."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Model, loss_surface, trace
from backpropd.learn.inspection.nested_lists import nested_lists
from tests.learn.learner import Learner, load_model

MAX_NUMBERS = 10_000_000
LINE = "x,y\n" + "".join(f"{n / 7},{n / 3}\n" for n in range(40))


def learned(learner: Learner, target: str, **changes: Any) -> tuple[Model, bytes]:
    """A model, and its path as the store has it."""
    made = learner.trained(learner.plan(target, keep_path=True, **changes))
    return load_model(made), made["path"]


def surface_of(model: Model, learner: Learner, path: bytes | None, **changes: Any) -> dict[str, Any]:
    query: dict[str, Any] = {"points": 5, "span": 1.0, "directions": "random", "seed": 0, "max_operations": 10**10}
    return loss_surface(model, learner.path, path, **{**query, **changes})


def test_a_trace_of_a_float32_model_is_in_float64(tmp_path: Path) -> None:
    model, _ = learned(Learner(tmp_path, LINE), "y", hidden=[])
    assert model.theta["layers.0.weight"].dtype == np.float32
    found = trace(model, [[1.2345]], [3.21], max_numbers=MAX_NUMBERS)
    scale = model.encoder.to_json()["columns"][0]["encoder"]
    assert found["input"] == [[(1.2345 - scale["mean"]) / scale["std"]]]
    (layer,) = found["layers"]
    target = (3.21 - model.target.offset[0]) / model.target.scale[0]
    assert found["loss"] == pytest.approx((layer["h"][0][0] - target) ** 2, rel=1e-12)


def test_a_trace_has_a_default_learning_rate_for_an_optimizer_without_one(iris: Learner) -> None:
    model, _ = learned(iris, "species", epochs=1, optimizer={"name": "lbfgs"})
    found = trace(model, [[1, 2, 3, 4]], ["setosa"], max_numbers=MAX_NUMBERS)
    assert found["update"]["learning_rate"] == 0.1


def test_numbers_that_are_not_finite_become_none() -> None:
    assert nested_lists(np.array([[1.0, np.nan], [np.inf, -2.0]])) == [[1.0, None], [None, -2.0]]
    assert nested_lists(np.inf) is None
    assert nested_lists(0.5) == 0.5


def test_the_path_ends_at_the_model_and_is_inside_the_grid(iris: Learner) -> None:
    model, path = learned(iris, "species")
    found = surface_of(model, iris, path, directions="path")
    assert found["path"]["epochs"] == list(range(31))
    for name in ("x", "y"):
        along = found["path"][name]
        assert along[-1] == pytest.approx(0, abs=1e-9)
        assert found[name][0] < min(along) < max(along) < found[name][-1]
    assert 0.9 < sum(found["explained"]) <= 1
    loss = np.array(found["loss"])
    assert loss[2, 0] > loss.min()
    found = surface_of(model, iris, path)  # the path is projected on random directions too
    assert (len(found["path"]["x"]), found["explained"], found["x"][-1]) == (31, None, 1.0)


def test_a_surface_is_over_a_sample_of_a_long_table(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{n % 83},{'' if n % 5 == 0 else n % 7}\n" for n in range(5000))
    learner = Learner(tmp_path, text)
    model, _ = learned(learner, "y", task="regression", epochs=2)
    one, again, other = (surface_of(model, learner, None, points=3, seed=seed) for seed in (1, 1, 2))
    assert one["rows"] == 2000
    assert one == again
    assert one["loss"][1][1] != other["loss"][1][1]
    few = Learner(tmp_path, text[: text.index("\n", 400) + 1])
    model, _ = learned(few, "y", task="regression", epochs=2)
    assert surface_of(model, few, None)["rows"] < few.info.rows


def test_far_from_the_model_a_loss_that_is_not_finite_is_none(tmp_path: Path) -> None:
    learner = Learner(tmp_path, LINE)
    model, _ = learned(learner, "y", hidden=[{"units": 8, "activation": "relu", "initializer": "auto"}] * 3)
    found = surface_of(model, learner, None, span=1e13, points=3)
    assert found["loss"][0][0] is None
    assert found["loss"][1][1] is not None


def test_a_threshold_neuron_has_no_loss_surface(iris: Learner) -> None:
    made = iris.trained(iris.neuron_plan("species", "perceptron"))
    with pytest.raises(errors.Conflict, match="no gradient"):
        surface_of(load_model(made), iris, None)
