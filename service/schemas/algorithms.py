"""The schemas of activations, initializers, losses, optimizers and schedules, made from their declarations in `nn`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import Field, create_model, model_validator

from backpropd import nn
from backpropd.errors import Invalid
from service.schemas.fields import Input, Whole

BESIDE = ("label_smoothing", "warmup_epochs")
"""Parameters that are fields of `Training`, because they go with several algorithms."""


def schema(algorithm: type[Any], **defaults: str) -> type[Input]:
    """The schema of one algorithm: its `name`, and its hyper-parameters with their bounds and defaults."""

    def check(self: Input) -> Input:
        try:
            algorithm(**self.model_dump(exclude={"name"}))
        except Invalid as problem:
            raise ValueError(problem.detail) from problem
        return self

    fields = {"name": (Literal[algorithm.name], defaults.get("name", ...)), **_parameters(algorithm)}
    summary = " ".join((algorithm.__doc__ or "").partition("\n\n")[0].split())
    checks: dict[str, Any] = {"check": model_validator(mode="after")(check)}
    model: type[Input] = create_model(
        algorithm.__name__, __base__=Input, __doc__=summary, __validators__=checks, **fields
    )  # type: ignore[call-overload]  # the fields are dynamic
    return model


def _parameters(algorithm: type[Any]) -> dict[str, tuple[Any, Any]]:
    parameters = nn.hyperparameters(algorithm)
    return {name: (_as_json(kind), default) for name, (kind, default) in parameters.items() if name not in BESIDE}


def _as_json(kind: Any) -> Any:
    """The type with `Whole` for int."""
    if get_origin(kind) in (Union, UnionType):
        return Union[tuple(map(_as_json, get_args(kind)))]  # noqa: UP007 - made at run time
    if get_origin(kind) is Annotated and kind.__origin__ is int:
        return Annotated[int, *kind.__metadata__, Whole]
    return kind


def one_of(schemas: Iterable[type[Input]]) -> Any:
    """Any of the schemas, discriminated by `name`."""
    return Annotated[Union[tuple(schemas)], Field(discriminator="name")]  # noqa: UP007 - made at run time


def name_or_object(plain_model: str, plain_doc: str, algorithms: Mapping[str, type[Any]]) -> Any:
    """`auto`, a name, or an object with a name and parameters; algorithms without parameters share one schema."""
    plain = [name for name, each in algorithms.items() if not _parameters(each)]
    fields: dict[str, Any] = {"name": (Literal[*plain], ...)}
    shared = create_model(plain_model, __base__=Input, __doc__=plain_doc, **fields)
    own = [schema(each) for name, each in algorithms.items() if name not in plain]
    return Literal["auto", *algorithms] | one_of([shared, *own])


if TYPE_CHECKING:
    HiddenActivation: TypeAlias = str
    OutputActivation: TypeAlias = str
    Initializer: TypeAlias = str | Input
    Loss: TypeAlias = str | Input
    Optimizer: TypeAlias = Input
    Schedule: TypeAlias = Input
else:
    HiddenActivation = Literal[*(name for name, each in nn.ACTIVATIONS.items() if each.hidden)]
    OutputActivation = (
        HiddenActivation | Literal["auto", *(name for name, each in nn.ACTIVATIONS.items() if not each.hidden)]
    )
    Initializer = name_or_object("PlainInitializer", "An initializer without parameters.", nn.INITIALIZERS)
    Loss = name_or_object("PlainLoss", "A loss without parameters.", nn.LOSSES)
    Optimizer = one_of(schema(each) for each in nn.OPTIMIZERS.values())
    Schedule = one_of(schema(each) for each in nn.SCHEDULES.values())
