"""The Open Inference Protocol, version 2: metadata, requests and answers."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SkipValidation, field_validator

from service.schemas.fields import Input, Output, Whole

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "BF16", "FP32", "FP64",
    "BYTES",
]  # fmt: skip
Length = Annotated[int, Field(ge=0), Whole]


class Parameters(Input):
    """Parameters by name; those that are not declared are for other servers, and ignored."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class RequestParameters(Parameters):
    binary_data_output: bool = False


class InputParameters(Parameters):
    binary_data_size: Length | None = None


class OutputParameters(Parameters):
    binary_data: bool | None = None
    classification: Any = None

    @field_validator("classification")
    @classmethod
    def _is_absent(cls, _: Any) -> None:
        raise ValueError("the classification extension is not supported: leave it out, and sort the probabilities")


class InferenceInput(Input):
    """A column of N rows, of the shape [N] or [N, 1]; or all features in their order, [N, features].

    `data` has the values row by row, nested or not. Without it they follow the JSON, `binary_data_size` bytes of them.
    """

    name: str
    shape: Annotated[list[Length], Field(min_length=1, max_length=2)]
    datatype: Datatype
    parameters: InputParameters = InputParameters()
    data: Annotated[list[Any] | None, SkipValidation] = None


class RequestedOutput(Input):
    name: str
    parameters: OutputParameters = OutputParameters()


class InferenceRequest(Input):
    """Rows as tensors. The model's name and version are those of the path, whatever the body says."""

    model_name: str | None = None
    model_version: str | None = None
    id: Annotated[str, Field(max_length=1000)] | None = None
    parameters: RequestParameters = RequestParameters()
    inputs: Annotated[list[InferenceInput], Field(min_length=1)]
    outputs: list[RequestedOutput] = []


class TensorMetadata(Output):
    """-1 in a shape is the number of rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(Output):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(Output):
    name: str
    version: str
    extensions: list[str]


class ServerLive(Output):
    live: bool


class ServerReady(Output):
    ready: bool


class ModelReady(Output):
    name: str
    ready: bool


class BinarySize(Output):
    binary_data_size: int


class InferenceOutput(TensorMetadata):
    """A tensor, as `data` or after the JSON. A number that is not finite is null."""

    parameters: BinarySize | None = None
    data: list[bool] | list[float | None] | list[str] | None = None


class InferenceAnswer(Output):
    """The outputs: `label` and `probabilities`, or `value`."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[InferenceOutput]
