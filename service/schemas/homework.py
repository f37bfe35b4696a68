"""Checks of gradients: by finite differences, and of a student's own numbers."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SkipValidation

from service.schemas.fields import Cell, Output
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
