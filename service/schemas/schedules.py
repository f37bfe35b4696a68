"""The learning-rate schedules of a request."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service.schemas.fields import Amount, Count, Factor, Input, Int


class Constant(Input):
    """The optimizer's learning rate, always."""

    name: Literal["constant"]


class Step(Input):
    """Times `factor` after every `every` epochs."""

    name: Literal["step"]
    every: Count
    factor: Factor = 0.1


class Exponential(Input):
    """Times `factor` after every epoch."""

    name: Literal["exponential"]
    factor: Factor


class Cosine(Input):
    """Half a cosine down to `minimum_factor` over `period` epochs, and again (Loshchilov and Hutter 2017)."""

    name: Literal["cosine"]
    period: Count | None = None
    minimum_factor: Annotated[float, Field(ge=0, le=1)] = 0.0
    restart_multiplier: Annotated[Int, Field(ge=1, le=100)] = 1


class InverseScaling(Input):
    """1 / t^`power` at step t."""

    name: Literal["inverse_scaling"]
    power: Annotated[float, Field(gt=0, le=10)] = 0.5


class OneCycle(Input):
    """Up to `maximum_factor`, then down to `minimum_factor` (Smith and Topin 2017)."""

    name: Literal["one_cycle"]
    maximum_factor: Annotated[float, Field(ge=1, le=1e6)] = 25.0
    rising_fraction: Factor = 0.3
    minimum_factor: Annotated[float, Field(ge=0, le=1)] = 1e-4


class ReduceOnPlateau(Input):
    """Times `factor` after `patience` epochs without gain, by the validation loss where there is one."""

    name: Literal["reduce_on_plateau"]
    factor: Factor = 0.1
    patience: Count = 10
    min_delta: Amount = 0.0
    minimum_rate: Amount = 0.0


Schedule = Constant | Step | Exponential | Cosine | InverseScaling | OneCycle | ReduceOnPlateau
