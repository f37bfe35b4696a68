"""A model made elsewhere, or exported from here: the fields of its description, and of its file in JSON."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SkipValidation, StringConstraints

from backpropd import nn
from service.schemas.algorithms import HiddenActivation, Initializer
from service.schemas.datasets import Kinds
from service.schemas.features import DerivedFeature
from service.schemas.fields import MAX_NAMES, ColumnName, ColumnNames, Input, Name, OneOf, StopAtFirst, Whole
from service.schemas.network import InputNames, Layer
from service.schemas.training import Training

Finite = Annotated[float, Field(ge=-1e300, le=1e300)]
Numbers = Annotated[list[Finite], StopAtFirst(), Field(max_length=MAX_NAMES)]
Texts = Annotated[list[Annotated[str, Field(max_length=1000)]], StopAtFirst(), Field(max_length=MAX_NAMES)]
Natural = Annotated[int, Field(ge=0, lt=2**53), Whole]
Share = Annotated[float, Field(ge=0, le=1)]


class ImportedLayer(Layer):
    """A hidden layer, whose activation is decided."""

    activation: HiddenActivation
    initializer: Initializer = "glorot_uniform"


class ImportedFeedforward(Input):
    """A feed-forward network, whose layers are all decided."""

    kind: Literal["feedforward"] = "feedforward"
    hidden: Annotated[list[ImportedLayer], Field(max_length=100)]
    output_activation: Annotated[str, OneOf(tuple(nn.ACTIVATIONS))]
    outputs: Natural | None = None
    initializer: Initializer = "auto"
    output_initializer: Initializer = "glorot_uniform"
    input_scaling: bool = False
    parametrization: nn.ParametrizationKind = "standard"


class ImportedMcCullochPitts(Input):
    """A McCulloch-Pitts neuron; its weights say which inputs are inhibitory, and its bias is minus the threshold."""

    kind: Literal["mcculloch_pitts"]
    inhibitory: Literal["search"] | InputNames = "search"
    threshold: Literal["search"] | Natural = "search"
    outputs: Natural | None = None


class ImportedPerceptron(Input):
    kind: Literal["perceptron"]
    outputs: Natural | None = None


class ImportedPerceptronNetwork(Input):
    kind: Literal["perceptron_network"]
    outputs: Natural | None = None
    hidden_units: Natural | None = None


class CountedNumber(Input):
    value: Finite
    count: Natural


class CountedText(Input):
    value: str
    count: Natural


class ImportedNotation(Input):
    """How a column writes its numbers."""

    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, Field(max_length=1)] | None
    prefix: Annotated[str, Field(max_length=20)] = ""
    unit: Annotated[str, Field(max_length=20)] = ""
    multipliers: bool = False
    annotated: bool = False


class ImportedColumn(Input):
    """A column and those statistics of it by which cells are read; others are ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    name: ColumnName
    kind: Literal["number", "category", "boolean", "date"]
    missing: Natural = 0
    distinct: Natural | None = None
    min: Finite | str | None = None
    max: Finite | str | None = None
    mean: Finite | None = None
    std: Finite | None = None
    whole: bool = False
    increasing: bool = False
    values: Annotated[list[CountedNumber], StopAtFirst()] | None = None
    levels: Annotated[list[CountedText], StopAtFirst()] | None = None
    format: str | None = None
    first_year: Annotated[int, Field(ge=0, le=9999), Whole] | None = None
    markers: Texts | None = None
    notation: ImportedNotation | None = None


class ImportedEncoder(Input):
    """How a column becomes inputs: a number or boolean by `mean` and `std`, a category by `levels`.

    A date has `cycles` beside the mean and deviation.
    """

    mean: Finite = 0.0
    std: Finite = 1.0
    indicator: bool = False
    smooth: bool = False
    low: Finite | None = None
    high: Finite | None = None
    cycles: Annotated[list[Literal["month", "weekday", "hour", "clock"]], Field(max_length=4)] = []
    levels: Texts = []
    frequencies: Annotated[list[Share], StopAtFirst()] | None = None
    missing: bool = False
    off: Numbers | None = None
    on: Numbers | None = None


class ImportedFeature(Input):
    """A column with its encoder; with `derived`, the feature that is encoded instead of the column."""

    derived: DerivedFeature | None = None
    column: ImportedColumn
    encoder: ImportedEncoder | None = None


class ImportedSource(Input):
    """A column that only derived features use, with the range that it had in training."""

    column: ImportedColumn
    encoder: ImportedEncoder | None = None


class TargetScaling(Input):
    """A regression's outputs times `scale` plus `offset`, within `bounds` (lowest and highest), for each target."""

    offset: Numbers
    scale: Numbers
    bounds: Annotated[list[Numbers], Field(min_length=2, max_length=2)] | None = None


class ModelDescription(Input):
    """A model without its weights. A feature that is a name, or a derived one, alone is a number that is used as it is.

    `sources` describe the columns that only derived features use; without them these are numbers.
    """

    backpropd_model: Natural = 1
    name: Name | None = None
    sha256: Annotated[str, StringConstraints(max_length=64)] | None = None
    metrics: Annotated[dict[str, Finite], Field(max_length=100)] = {}
    validation_metrics: Annotated[dict[str, Finite], Field(max_length=100)] | None = None
    task: Literal["classification", "regression"] | None = None
    network: Annotated[
        ImportedFeedforward | ImportedMcCullochPitts | ImportedPerceptron | ImportedPerceptronNetwork,
        Field(discriminator="kind"),
    ]
    training: Training | None = None
    kinds: Kinds = {}
    features: Annotated[
        list[ColumnName | DerivedFeature | ImportedFeature], StopAtFirst(), Field(min_length=1, max_length=MAX_NAMES)
    ]
    sources: Annotated[list[ImportedSource], StopAtFirst(), Field(max_length=MAX_NAMES)] = []
    target: ColumnName | ColumnNames
    classes: Annotated[Texts, Field(min_length=1)] | None = None
    scaling: TargetScaling | None = None
    columns: ColumnNames | None = None


class ModelImport(ModelDescription):
    """A model with its weights by name: `layers.0.weight` (fan_in, fan_out), `layers.0.bias`."""

    weights: Annotated[dict[str, Any], SkipValidation]
