"""Requests accept every algorithm as it is declared, with its defaults and bounds, and nothing else."""

import dataclasses
from typing import Any

import annotated_types
import pytest
from pydantic import TypeAdapter, ValidationError

from backpropd import nn
from service.schemas import training
from service.schemas.algorithms import HiddenActivation, Initializer, Loss, Optimizer, OutputActivation, Schedule

PARAMETERS_OF_TRAINING = {"label_smoothing", "warmup_epochs"}
REQUIRED: dict[str, dict[str, Any]] = {"step": {"every": 5}, "exponential": {"factor": 0.5}}
CASES = [
    (schema, algorithm)
    for schema, registry in (
        (Optimizer, nn.OPTIMIZERS),
        (Schedule, nn.SCHEDULES),
        (Loss, nn.LOSSES),
        (Initializer, nn.INITIALIZERS),
    )
    for algorithm in registry.values()
]


def parameters(algorithm: type[Any]) -> dict[str, Any]:
    return {name: each for name, each in nn.hyperparameters(algorithm).items() if name not in PARAMETERS_OF_TRAINING}


@pytest.mark.parametrize(("schema", "algorithm"), CASES)
def test_a_request_that_names_an_algorithm_gets_its_declared_defaults(schema: Any, algorithm: type[Any]) -> None:
    given = REQUIRED.get(algorithm.name, {})
    parsed = TypeAdapter(schema).validate_python({"name": algorithm.name, **given}, strict=True).model_dump()
    declared = dataclasses.asdict(algorithm(**given))
    assert parsed == {"name": algorithm.name, **{name: declared[name] for name in parameters(algorithm)}}


@pytest.mark.parametrize(("schema", "algorithm"), CASES)
def test_a_parameter_out_of_its_bounds_is_an_error(schema: Any, algorithm: type[Any]) -> None:
    for name, (kind, _) in parameters(algorithm).items():
        for bound in getattr(kind, "__metadata__", ()):
            match bound:
                case annotated_types.Gt(value) | annotated_types.Lt(value):
                    outside = value
                case annotated_types.Ge(value):
                    outside = value - 1
                case annotated_types.Le(value):
                    outside = value + 1
            request = {"name": algorithm.name, **REQUIRED.get(algorithm.name, {}), name: outside}
            with pytest.raises(ValidationError, match=name):
                TypeAdapter(schema).validate_python(request)


def test_a_check_of_the_declaration_itself_is_an_error_of_the_request() -> None:
    with pytest.raises(ValidationError, match="low must be below high"):
        TypeAdapter(Initializer).validate_python({"name": "uniform", "low": 1, "high": 0})


def test_a_whole_number_may_be_written_with_a_decimal_point() -> None:
    assert TypeAdapter(Schedule).validate_python({"name": "cosine", "period": 5.0}, strict=True).period == 5
    assert TypeAdapter(Optimizer).validate_python({"name": "lbfgs", "history": 5.0}, strict=True).history == 5


@pytest.mark.parametrize(("schema", "registry"), [(Loss, nn.LOSSES), (Initializer, nn.INITIALIZERS)])
def test_a_name_alone_or_auto_is_enough(schema: Any, registry: dict[str, Any]) -> None:
    for name in ("auto", *registry):
        assert TypeAdapter(schema).validate_python(name) == name


def test_hidden_layers_accept_the_hidden_activations_and_outputs_accept_all() -> None:
    for name, activation in nn.ACTIVATIONS.items():
        assert TypeAdapter(OutputActivation).validate_python(name) == name
        if activation.hidden:
            assert TypeAdapter(HiddenActivation).validate_python(name) == name
        else:
            with pytest.raises(ValidationError):
                TypeAdapter(HiddenActivation).validate_python(name)


def test_the_defaults_of_early_stopping_are_those_of_the_api() -> None:
    ours = training.EarlyStopping().model_dump()
    assert ours == dataclasses.asdict(nn.EarlyStopping()) | {"monitor": None}  # decided at submission
