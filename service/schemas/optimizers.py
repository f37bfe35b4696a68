"""The optimizers of a request, each with its parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service.schemas.fields import Amount, Input, Int, Rate, Share, Tiny


class SGD(Input):
    """Stochastic gradient descent, with momentum if asked."""

    name: Literal["sgd"]
    learning_rate: Rate = 0.1
    momentum: Share = 0.0
    nesterov: bool = False


class Adagrad(Input):
    """Adagrad (Duchi, Hazan, Singer 2011)."""

    name: Literal["adagrad"]
    learning_rate: Rate = 0.01
    initial_accumulator: Amount = 0.0
    epsilon: Tiny = 1e-10


class RMSprop(Input):
    """RMSprop (Tieleman and Hinton 2012), with momentum if asked."""

    name: Literal["rmsprop"]
    learning_rate: Rate = 0.01
    alpha: Share = 0.99
    epsilon: Tiny = 1e-8
    momentum: Share = 0.0


class Adadelta(Input):
    """Adadelta (Zeiler 2012)."""

    name: Literal["adadelta"]
    learning_rate: Rate = 1.0
    rho: Share = 0.9
    epsilon: Tiny = 1e-6


class Adam(Input):
    """Adam (Kingma and Ba 2015), or AMSGrad (Reddi, Kale, Kumar 2018)."""

    name: Literal["adam"] = "adam"
    learning_rate: Rate = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Tiny = 1e-8
    amsgrad: bool = False


class AdamW(Input):
    """Adam for decoupled weight decay (Loshchilov and Hutter 2019): see `weight_decay`."""

    name: Literal["adamw"]
    learning_rate: Rate = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Tiny = 1e-8
    amsgrad: bool = False


class Nadam(Input):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    name: Literal["nadam"]
    learning_rate: Rate = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Tiny = 1e-8
    momentum_decay: Share = 0.004


class LBFGS(Input):
    """Limited-memory BFGS with a line search over all rows at once: an iteration an epoch."""

    name: Literal["lbfgs"]
    history: Annotated[Int, Field(ge=1, le=100)] = 10
    max_line_search: Annotated[Int, Field(ge=1, le=1000)] = 20
    gradient_tolerance: Annotated[float, Field(ge=0)] = 1e-5
    loss_tolerance: Annotated[float, Field(ge=0)] = 1e7 * 2.0**-52


Optimizer = SGD | Adagrad | RMSprop | Adadelta | Adam | AdamW | Nadam | LBFGS
