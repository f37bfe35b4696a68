"""Inspections of a model: a trace of backpropagation, the surface of its loss, and its response curve."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Json, SkipValidation

from service.schemas.fields import Cell, ColumnName, Input, Output
from service.schemas.models import RowsRequest

Vector = list[float | None]
Matrix = list[Vector]


def _list_or_none(value: Any) -> list[Any] | None:
    """A list, whose items `learn.trace` checks."""
    if not isinstance(value, list | None):
        raise ValueError("send a JSON array here, or leave it out")
    return value


class TraceRequest(RowsRequest):
    """Rows, and a target for each: a label or a value, with several targets objects by name or arrays in their order.

    Without targets there is a forward pass alone. `learning_rate` is that of the update, the job's unless given.
    """

    targets: Annotated[
        list[Cell] | list[dict[str, Cell]] | list[list[Cell]] | None, SkipValidation, BeforeValidator(_list_or_none)
    ] = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None


class Gradients(Output):
    """The loss's gradient at a layer's h and a, one row per row of data, and at its parameters."""

    h: Matrix
    a: Matrix
    weight: Matrix
    bias: Vector | None
    z: Matrix | None = None
    scale: Vector | None = None
    shift: Vector | None = None


class LayerFormulas(Output):
    """The formula of each value of a layer in LaTeX; layer l of the formulas is `layers.(l - 1)`."""

    z: str | None = None
    a: str
    h: str
    gradients: dict[str, str] | None


class TracedLayer(Output):
    """A layer's pre-activation a and activation h, one row per row of data; z is a before normalization."""

    name: str
    activation: str
    z: Matrix | None = None
    a: Matrix
    h: Matrix
    gradients: Gradients | None
    formulas: LayerFormulas


class TraceFormulas(Output):
    """The formulas in LaTeX of the values outside the layers."""

    input: str
    loss: str | None
    update: dict[str, str] | None


class Trace(Output):
    """Every number of one forward and backward pass; null where a number is not finite."""

    loss: float | None
    input: Matrix
    layers: list[TracedLayer]
    update: dict[str, float | Vector | Matrix] | None
    formulas: TraceFormulas


class SurfaceQuery(Input):
    points: Annotated[int, Field(ge=3, le=51)] = 25
    span: Annotated[float, Field(gt=0, le=1000)] = 1.0
    directions: Literal["random", "path"] = "random"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    format: Literal["json", "png"] = "json"


class SurfacePath(Output):
    """The path of training, projected on the plane: after epochs[i] at x[i], y[i]."""

    epochs: list[int]
    x: list[float]
    y: list[float]


class Surface(Output):
    """The loss on a plane through the parameters, which are at x = y = 0: loss[j][i] is that at x[i], y[j]."""

    directions: Literal["random", "path"]
    rows: int
    x: list[float]
    y: list[float]
    loss: Matrix
    path: SurfacePath | None
    explained: list[float] | None


class CurveQuery(Input):
    feature: ColumnName | None = None
    points: Annotated[int, Field(ge=2, le=1001)] = 101
    start: Annotated[float | None, Field(ge=-1e300, le=1e300, alias="from")] = None
    stop: Annotated[float | None, Field(ge=-1e300, le=1e300, alias="to")] = None
    hold: Json[dict[str, Cell]] = Field(default="{}", validate_default=True)


class CurveOutput(Output):
    """One output, of this class or target, for each x; null where it is not finite."""

    label: str | None = None
    name: str | None = None
    h: Vector


class Curve(Output):
    """A model's outputs against one feature: `x` are numbers, dates, or the levels of a category."""

    feature: str
    x: list[float | str]
    outputs: list[CurveOutput]
    held: dict[str, Cell]
