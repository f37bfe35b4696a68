"""The formulas and rules of a trace's steps."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

from backpropd.learn import Model, trace
from backpropd.learn.inspection.latex import ACTIVATION_LATEX, LOSS_LATEX
from backpropd.learn.inspection.steps import steps
from backpropd.nn import ACTIVATIONS, LOSSES
from tests.learn.learner import Learner, load_model

TABLE = "x,u,c,y\n" + "".join(f"{n % 7},{n % 5},{n % 4},{n % 3}\n" for n in range(60))
NEURONS = "x1,x2,y\n0,0,0\n0,1,0\n1,0,0\n1,1,1\n"
HEADS: list[dict[str, Any]] = [
    {"target": "y", "task": "classification", "label_smoothing": 0.1},
    {"target": "y", "task": "classification", "loss": "squared_error"},
    {"target": "c", "task": "regression", "loss": {"name": "huber", "delta": 0.5}},
    {"target": "c", "task": "regression", "loss": "absolute_error"},
    {"target": "c", "task": "regression", "loss": "poisson"},
    {"target": ["c", "u"], "task": "regression", "network": {"output_activation": "linear"}},
]


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return Learner(tmp_path_factory.mktemp("steps"), TABLE)


def learned(learner: Learner, target: Any = "y", **changes: Any) -> Model:
    return load_model(learner.trained(learner.plan(target, **{"epochs": 1, "features": ["x"], **changes})))


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything that a trace computes, in its order of members."""
    if isinstance(value, dict):
        names = value.keys() - {"name", "activation", "learning_rate", "formulas"}
        return [each for name in value if name in names for each in paths_of(value[name], (*path, name))]
    if path[-1] == "layers":
        return [each for index, layer in enumerate(value) for each in paths_of(layer, (*path, index))]
    return [] if value is None else [path]


def assert_complete(model: Model, row: list[Any], target: Any) -> None:
    found = steps(model)
    traced = trace(model, [row], [target], max_numbers=10**6)
    assert {step.path for step in found} == set(paths_of(traced))
    assert len({step.path for step in found}) == len(found)
    for step in found:
        assert step.rule
        assert "@" not in step.formula
        MathTextParser("path").parse(f"${step.formula}$")


def test_every_activation_and_every_loss_has_a_formula() -> None:
    assert ACTIVATION_LATEX.keys() == ACTIVATIONS.keys()
    assert LOSS_LATEX.keys() == LOSSES.keys()
    for name, loss in LOSSES.items():
        assert bool(LOSS_LATEX[name].fused) == bool(loss.fused_with)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_every_value_of_a_trace_is_a_step_whose_formula_is_valid(learner: Learner, head: dict[str, Any]) -> None:
    model = learned(learner, **head)
    several = isinstance(head["target"], list)
    assert_complete(model, [2], [1, 2] if several else "1" if head["task"] == "classification" else 1)


def rules_of(model: Model) -> dict[str, str]:
    return {step.name: step.rule for step in steps(model)}


def test_rules_say_how_y_follows_from_a_scaled_target(learner: Learner) -> None:
    model = learned(learner, "c", task="regression", loss="squared_error", hidden=[])
    offset, scale = model.target.offset[0], model.target.scale[0]
    assert scale != 1
    said = f"; y is the scaled target, y = (target - offset) / scale, with the offset {offset} and the scale {scale}"
    rules = rules_of(model)
    assert rules["loss"] == "the loss is the squared_error, averaged over the rows and outputs" + said
    assert rules["layers.0.gradients.h"].endswith("is the derivative of the squared_error at it" + said)
    traced, x = trace(model, [[2]], [1.5], max_numbers=1000), (1.5 - offset) / scale
    assert traced["loss"] == pytest.approx((traced["layers"][0]["h"][0][0] - x) ** 2)
    several = learned(learner, ["c", "u"], task="regression", network={"output_activation": "linear"})
    assert rules_of(several)["loss"].endswith("y = (target - offset) / scale of each column")
    poisson = learned(learner, "c", task="regression", loss="poisson")
    assert poisson.target.scale == [1.0]
    assert "scale" not in rules_of(poisson)["loss"]


def test_rules_have_the_smoothed_targets_and_what_is_averaged_over(learner: Learner) -> None:
    smoothed = rules_of(learned(learner, task="classification", label_smoothing=0.1, hidden=[]))
    words = ", with the smoothed targets t instead of y"
    assert smoothed["loss"] == f"the loss is the cross_entropy, averaged over the rows{words}"
    at_a = "loss and softmax together have the gradient ∂L/∂a = (h - t) / n, for n rows" + words
    assert smoothed["layers.0.gradients.a"] == at_a
    plain = rules_of(learned(learner, task="classification", label_smoothing=0, hidden=[]))
    assert plain["layers.0.gradients.a"].endswith("∂L/∂a = (h - y) / n, for n rows")
    poisson = rules_of(learned(learner, "c", task="regression", loss="poisson", hidden=[]))
    assert poisson["layers.0.gradients.a"].endswith("(h - y) / (n m), for n rows and m outputs")


def test_rules_of_the_first_layer_have_the_input_scale_if_there_is_one(learner: Learner) -> None:
    hidden = [{"units": 2, "activation": "tanh"}]
    scaled = rules_of(learned(learner, hidden=hidden, network={"input_scaling": True}))
    total = (
        "the pre-activation a = (h_below s) W + b: multiply the activations below by the input scale s and the weights"
    )
    assert scaled["layers.0.a"] == f"{total}, and add the bias"
    assert scaled["layers.0.gradients.weight"] == "the gradient at the weights is ∂L/∂W = (h_below s)ᵀ ∂L/∂a"
    assert "s)" not in scaled["layers.1.a"]
    assert "(h_below s)" not in rules_of(learned(learner, hidden=hidden))["layers.0.a"]


@pytest.mark.parametrize("activation", [name for name, each in ACTIVATIONS.items() if each.hidden])
def test_every_hidden_activation_has_a_valid_formula(learner: Learner, activation: str) -> None:
    assert_complete(learned(learner, hidden=[{"units": 2, "activation": activation}]), [2], "1")


@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_a_normalized_layer_has_more_steps(learner: Learner, normalization: str) -> None:
    hidden = [{"units": 2, "activation": "tanh", "normalization": normalization, "use_bias": False}] * 2
    model = learned(learner, hidden=hidden)
    assert_complete(model, [2], "1")
    order = [step.name for step in steps(model)]
    assert order[:4] == ["input", "layers.0.z", "layers.0.a", "layers.0.h"]
    at = order.index("loss")
    assert order[at + 1 : at + 5] == [f"layers.2.gradients.{each}" for each in ("h", "a", "weight", "bias")]
    assert order[at + 5 : at + 8] == [f"layers.1.gradients.{each}" for each in ("h", "a", "z")]
    assert order[-1] == "update.layers.2.bias"


@pytest.mark.parametrize("kind", ["perceptron", "perceptron_network", "mcculloch_pitts"])
def test_a_threshold_neuron_has_steps_without_gradients(tmp_path: Path, kind: str) -> None:
    learner = Learner(tmp_path, NEURONS)
    assert_complete(load_model(learner.trained(learner.neuron_plan("y", kind))), [1, 1], 0)


def value_of(formula: str, a: np.ndarray, h: np.ndarray) -> Any:
    """The value of an activation's LaTeX, translated to Python: the formula itself is checked, not the code."""
    erf = np.vectorize(math.erf)
    python = formula.split(r", \quad")[0].replace("@a", "a").replace("@h", "h")
    python = python.replace(r"\odot", "*").replace(r"\,", "*").replace(r"\leq", "<=").replace("|a|", "abs_(a)")
    for word in ("tanh", "max", "min", "ln", "Phi", "varphi", "sigma", "lambda", "alpha"):
        python = python.replace(f"\\{word}", f"{word}_")
    while (found := re.sub(r"e\^\{((?:[^{}])*)\}", r"exp_(\1)", python)) != python or "\\frac" in python:
        python = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", found)
    python = re.sub(r"\[([^\]]*)\]", r"(\1)", python).replace("^", "**")
    python = re.sub(r"(\)|[0-9a-z_])\s*\(", lambda m: m[0] if m[1].endswith("_") else f"{m[1]}*(", python)
    python = re.sub(r"(\blambda_|\balpha_)\s*\(", r"\1*(", python)
    names = {
        "a": a, "h": h, "t": np.tanh(np.log1p(np.exp(a))), "lambda_": 1.0507009873554805, "alpha_": 1.6732632423543772,
        "tanh_": np.tanh, "max_": np.maximum, "min_": np.minimum, "ln_": np.log, "exp_": np.exp, "abs_": np.abs,
        "sigma_": lambda v: 1 / (1 + np.exp(-v)), "Phi_": lambda v: (1 + erf(v / math.sqrt(2))) / 2,
        "varphi_": lambda v: np.exp(-(v**2) / 2) / math.sqrt(2 * math.pi),
    }  # fmt: skip
    return eval(python, {"__builtins__": {}}, names)


@pytest.mark.parametrize("name", sorted(ACTIVATION_LATEX.keys() - {"softmax"}))
def test_the_formula_of_an_activation_has_its_values_and_its_slopes(name: str) -> None:
    a = np.array([[-2.0, -0.3, 0.4, 1.7]])
    h, slope = np.empty_like(a), np.empty_like(a)
    ACTIVATIONS[name].forward(a, h)
    ACTIVATIONS[name].backward(a, h, np.ones_like(a), slope)
    latex = ACTIVATION_LATEX[name]
    np.testing.assert_allclose(value_of(latex.value, a, h), h, atol=1e-12)
    np.testing.assert_allclose(value_of(latex.slope, a, h) * np.ones_like(a), slope, atol=1e-12)
