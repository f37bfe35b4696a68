"""Checks of gradients: by finite differences, and of a student's own numbers."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SkipValidation

from service.schemas.fields import Cell, Input, Output
from service.schemas.inspection import Matrix, Vector
from service.schemas.models import RowsRequest, filled_list


class GradientCheckRequest(RowsRequest):
    """Rows, and a target for each as in a trace; `epsilon` is by how much each parameter is moved up and down."""

    targets: Annotated[
        list[Cell] | list[dict[str, Cell]] | list[list[Cell]], SkipValidation, BeforeValidator(filled_list)
    ]
    epsilon: Annotated[float, Field(ge=1e-9, le=0.1)] = 1e-5


class CheckedParameter(Output):
    """The gradient at a parameter twice, and the relative error of each number; null where one is not finite."""

    analytic: Vector | Matrix
    numeric: Vector | Matrix
    relative_error: Vector | Matrix


class GradientCheck(Output):
    """The gradients of the mean loss over the rows, by backpropagation and by central differences.

    `relative_error` is that of the whole gradient: the norm of the difference by the larger of the two norms.
    """

    loss: float | None
    epsilon: float
    relative_error: float | None
    largest_relative_error: float | None
    parameters: dict[str, CheckedParameter]


class HomeworkRequest(Input):
    """A student's numbers for one row, named and shaped as in a trace of it; what is left out is not checked.

    `answers` may have `updated` too: the parameters after the update by name. A number is right if it differs by at
    most `tolerance` times the larger of 1 and its size. `learning_rate` is that of the update, the job's unless given.
    """

    row: Annotated[dict[str, Cell] | list[Cell], SkipValidation]
    target: Annotated[Cell | dict[str, Cell] | list[Cell], SkipValidation]
    answers: dict[str, Any]
    tolerance: Annotated[float, Field(gt=0, le=1)] = 1e-4
    reveal: bool = False
    learning_rate: Annotated[float, Field(gt=0)] | None = None


class WrongStep(Output):
    """A step that is wrong, the first of its numbers that is, the rule in words, and its formula in LaTeX.

    `expected` is the right value of the step, with `reveal` only.
    """

    step: str
    pointer: str
    rule: str
    formula: str
    expected: float | Vector | Matrix | None = None


class Homework(Output):
    """Whether all answers are right, how many values there were, and the first step of the computation that is not."""

    correct: bool
    checked: int
    first_wrong: WrongStep | None
