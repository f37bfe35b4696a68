"""A warm start: what the earlier model determines, and whether a request fits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from backpropd import errors
from backpropd.errors import Problem
from backpropd.learn.network_kinds.feedforward import FeedforwardNetwork, FeedforwardSpec
from backpropd.learn.request import JobRequest
from backpropd.learn.resolve.columns import check_columns_fit, check_known_classes
from backpropd.learn.resolve.plan import LeftOut
from backpropd.learn.tables import Columns
from backpropd.tabular import FeatureEncoder, TargetEncoder

POINTER = "/training/warm_start_model_id"


class PreviousModel(NamedTuple):
    """The model that training starts from: its spec, its feature encoder and its classes."""

    spec: FeedforwardSpec
    encoder: FeatureEncoder
    classes: Sequence[str] | None

    @classmethod
    def from_json(cls, encoders: Mapping[str, Any]) -> PreviousModel:
        """From a model's stored encoders. Raises `errors.Invalid` for a model of another kind."""
        kind = encoders["spec"]["network"]["kind"]
        if kind != FeedforwardNetwork.kind:
            raise errors.Invalid(f"a {kind} model cannot be trained further: train a new one", pointer=POINTER)
        spec, target = FeedforwardSpec.from_json(encoders["spec"]), TargetEncoder.from_json(encoders["target"])
        return cls(spec, FeatureEncoder.from_json(encoders["features"]), spec.classes(target))

    @property
    def outputs(self) -> int:
        """The number of its classes, or else of its targets."""
        return len(self.spec.target if self.classes is None else self.classes)


def fill_in(request: JobRequest, before: PreviousModel) -> JobRequest:
    """The request with the model's features, task, network and loss where it states none."""
    spec, training = before.spec, request.training
    return replace(
        request,
        features=spec.features if request.features is None else request.features,
        task=spec.task if request.task == "auto" else request.task,
        network=_network(request, spec.network.to_json()),
        training=replace(training, loss=training.loss or spec.training.loss),
    )


def _network(request: JobRequest, before: dict[str, Any]) -> Mapping[str, Any]:
    """The model's network where the request has none, or leaves its layers to be decided; else the request's."""
    if request.network_given and request.network["hidden"] != "auto":
        return request.network
    stated = request.network if request.network_given else {}
    return {**before, **{name: value for name, value in stated.items() if value not in (None, "auto")}}


def left_out(spec: FeedforwardSpec, columns: Columns) -> list[LeftOut]:
    """The columns of the table that are none of the model's."""
    used = {*spec.target, *spec.columns, spec.training.sample_weight, spec.training.validation_column}
    return [LeftOut(name, "warm_start", "is no feature of the earlier model") for name in columns if name not in used]


def check(spec: FeedforwardSpec, columns: Columns, before: PreviousModel) -> None:
    """Raises `errors.Invalid` with every difference between the resolved spec, or the columns, and the model."""
    pairs = {
        "/target": (spec.target, before.spec.target),
        "/task": (spec.task, before.spec.task),
        "/features": (spec.features, before.spec.features),
        "/network/hidden": (_layers(spec), _layers(before.spec)),
        "/network/input_scaling": (spec.network.input_scaling, before.spec.network.input_scaling),
        "/network/output_activation": (spec.network.output_activation, before.spec.network.output_activation),
        "/training/loss": (spec.training.loss.name, before.spec.training.loss.name),
        "/training/dtype": (spec.training.dtype, before.spec.training.dtype),
    }
    problems = [
        Problem(pointer, f"the earlier model has {theirs}, and the request {ours}: they must be the same")
        for pointer, (ours, theirs) in pairs.items()
        if ours != theirs
    ]
    if problems:
        raise errors.Invalid.from_problems(problems)
    encoded = {info.name: info for info in before.encoder.column_infos}
    check_columns_fit(spec.columns, encoded, columns, POINTER, "the dataset")
    if before.classes is not None and len(spec.target) == 1:
        check_known_classes(set(before.classes), columns[spec.target[0]], POINTER)


def _layers(spec: FeedforwardSpec) -> list[str]:
    """The hidden layers as text: what determines the number and the meaning of the parameters."""
    return [
        f"{layer.units} {layer.activation}"
        + ("" if layer.use_bias else " without bias")
        + (f" with {layer.normalization} normalization" if layer.normalization else "")
        for layer in spec.network.hidden
    ]
