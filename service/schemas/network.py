"""The network of a request: its layers, their activations and initializers, or a neuron."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from service.schemas.fields import Anywhere, ColumnName, Input, Int, Positive, Share


class Orthogonal(Input):
    """`gain` times a matrix with orthonormal columns or rows."""

    name: Literal["orthogonal"]
    gain: Positive = 1.0


class Uniform(Input):
    """Uniform from `low` to `high`."""

    name: Literal["uniform"]
    low: Anywhere = -0.05
    high: Anywhere = 0.05

    @model_validator(mode="after")
    def _in_order(self) -> Uniform:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Normal(Input):
    """Normal with a mean and a standard deviation."""

    name: Literal["normal"]
    mean: Anywhere = 0.0
    std: Positive = 0.05


class PlainInitializer(Input):
    """An initializer without parameters."""

    name: Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "zeros"]


InitializerName = Literal[
    "auto", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "orthogonal", "uniform",
    "normal", "zeros",
]  # fmt: skip
Initializer = InitializerName | Annotated[PlainInitializer | Orthogonal | Uniform | Normal, Field(discriminator="name")]
HiddenActivation = Literal[
    "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "linear",
]  # fmt: skip
OutputActivation = HiddenActivation | Literal["auto", "softmax", "exponential"]


class Layer(Input):
    """A hidden layer; `dropout` is the share of its values that is dropped in training."""

    units: Annotated[Int, Field(ge=1, le=1_000_000)]
    activation: HiddenActivation = "tanh"
    initializer: Initializer = "auto"
    use_bias: bool = True
    dropout: Share = 0.0
    normalization: Literal["batch", "layer"] | None = None


class Network(Input):
    """A feed-forward network; `hidden: []` is a single layer of sigmoid neurons."""

    kind: Literal["feedforward"] = "feedforward"
    hidden: Annotated[list[Layer], Field(max_length=100)] = [Layer(units=16)]
    output_activation: OutputActivation = "auto"
    initializer: Initializer = "auto"


class McCullochPitts(Input):
    """A neuron over booleans, each excitatory or inhibitory, and a threshold: set by hand, or searched for."""

    kind: Literal["mcculloch_pitts"]
    inhibitory: Literal["search"] | list[ColumnName] = "search"
    threshold: Literal["search"] | Annotated[Int, Field(ge=0, le=2**24)] = "search"


class Perceptron(Input):
    """A weighted sum and a step, learned row by row from its mistakes; one a class for more than two classes."""

    kind: Literal["perceptron"]


class PerceptronNetwork(Input):
    """A hidden perceptron for every row of a truth table, and one that learns to answer: any boolean function."""

    kind: Literal["perceptron_network"]


def _feedforward_by_default(value: Any) -> Any:
    return {"kind": "feedforward", **value} if isinstance(value, dict) else value


AnyNetwork = Annotated[
    Network | McCullochPitts | Perceptron | PerceptronNetwork,
    Field(discriminator="kind"),
    BeforeValidator(_feedforward_by_default),
]
