"""Gradient checks and homework as typed dictionaries."""

from typing import Any, TypedDict


class CheckedParameter(TypedDict):
    """The gradient at a parameter by backpropagation and by finite differences, in the shape of the parameter."""

    analytic: list[Any]
    numeric: list[Any]
    relative_error: list[Any]


class GradientCheck(TypedDict):
    """The gradients of the mean loss at every parameter, by name; `relative_error` is that of the whole gradient."""

    loss: float | None
    epsilon: float
    relative_error: float | None
    largest_relative_error: float | None
    parameters: dict[str, CheckedParameter]


class WrongStep(TypedDict):
    """The first wrong step of homework; `expected` is its right value, with `reveal` only."""

    step: str
    pointer: str
    rule: str
    formula: str
    expected: Any | None


class Homework(TypedDict):
    """Whether all answers are right, how many values there were, and the first step that is not right."""

    correct: bool
    checked: int
    first_wrong: WrongStep | None
