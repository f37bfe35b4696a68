"""The network of a request: its layers, their activations and initializers, or a neuron."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from backpropd import nn
from backpropd.learn.initial_parameters import MAX_NUMBERS
from backpropd.nn.hyperparameter_bounds import Fraction
from service.schemas.algorithms import HiddenActivation, Initializer, OutputActivation
from service.schemas.fields import MAX_NAMES, ColumnName, Input, StopAtFirst, Whole

MAX_INITIAL_PARAMETERS = 1000  # names: a network has at most 100 hidden layers with five parameters each


def _count_numbers(value: dict[str, Any]) -> dict[str, Any]:
    count = sum(len(row) if isinstance(row, list) else 1 for values in value.values() for row in values)
    if count > MAX_NUMBERS:
        raise ValueError(f"these are {count} numbers, and at most {MAX_NUMBERS:,} are taken: train a smaller network")
    return value


Vector = Annotated[list[float], StopAtFirst(), Field(max_length=MAX_NUMBERS)]
Matrix = Annotated[list[Vector], StopAtFirst(), Field(max_length=MAX_NUMBERS)]
InitialParameters = Annotated[
    dict[str, Vector | Matrix],
    StopAtFirst(),
    Field(max_length=MAX_INITIAL_PARAMETERS, description="by name, as GET weights gives them; the others are drawn"),
    AfterValidator(_count_numbers),
]
InputNames = Annotated[list[ColumnName], StopAtFirst(), Field(max_length=MAX_NAMES)]


class Layer(Input):
    """A hidden layer; `dropout` is the fraction of its values that is dropped in training."""

    units: Annotated[int, Field(ge=1, le=1_000_000), Whole]
    activation: Literal["auto"] | HiddenActivation = "auto"
    initializer: Initializer = "auto"
    use_bias: bool = True
    dropout: Fraction = 0.0
    normalization: nn.NormalizationKind | None = None


class Network(Input):
    """A feed-forward network; `hidden: []` is a single layer of sigmoid neurons."""

    kind: Literal["feedforward"] = "feedforward"
    hidden: Literal["auto"] | Annotated[list[Layer], Field(max_length=100)] = "auto"
    output_activation: OutputActivation = "auto"
    initializer: Initializer = "auto"
    input_scaling: Literal["auto"] | bool = "auto"
    parametrization: Literal["auto"] | nn.ParametrizationKind = "auto"
    initial_parameters: InitialParameters | None = None


class McCullochPitts(Input):
    """A neuron over boolean inputs, excitatory or inhibitory, with a threshold: given, or found by a search."""

    kind: Literal["mcculloch_pitts"]
    inhibitory: Literal["search"] | InputNames = "search"
    threshold: Literal["search"] | Annotated[int, Field(ge=0, le=2**24), Whole] = "search"


class Perceptron(Input):
    """A weighted sum and a step, trained row by row on its mistakes; one for each class if there are more than two."""

    kind: Literal["perceptron"]
    initial_parameters: InitialParameters | None = None


class PerceptronNetwork(Input):
    """A hidden perceptron for every row of a truth table, and an output perceptron: any boolean function."""

    kind: Literal["perceptron_network"]
    initial_parameters: InitialParameters | None = None


def _feedforward_by_default(value: Any) -> Any:
    return {"kind": "feedforward", **value} if isinstance(value, dict) else value


AnyNetwork = Annotated[
    Network | McCullochPitts | Perceptron | PerceptronNetwork,
    Field(discriminator="kind"),
    BeforeValidator(_feedforward_by_default),
]
