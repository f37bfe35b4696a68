"""A warm start: what a model that is gone on from has fixed, and whether a request fits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backpropd import errors
from backpropd.errors import Problem
from backpropd.learn.build import loss_name
from backpropd.learn.resolve.columns import refuse_new_classes, refuse_unfitting
from backpropd.tabular import ColumnInfo, FeatureEncoder

POINTER = "/training/warm_start_model_id"


def filled_in(wanted: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """The request, with the model's own features, task, network and loss where none were asked for.

    Raises `errors.Invalid` for a model of another kind.
    """
    if model["network"]["kind"] != "feedforward":
        raise errors.Invalid(f"a {model['network']['kind']} cannot be gone on from", pointer=POINTER)
    spec = model["encoders"]["spec"]
    training = dict(wanted["training"])
    if training["loss"] == "auto":
        training["loss"] = spec["training"]["loss"]
    return {
        **wanted,
        "features": model["features"] if wanted["features"] is None else wanted["features"],
        "task": model["task"] if wanted["task"] == "auto" else wanted["task"],
        "network": model["network"] if wanted["network"] is None else wanted["network"],
        "training": training,
    }


def outputs_of(model: Mapping[str, Any]) -> int:
    """How many numbers the model's answer has."""
    return len(model["target"] if model["classes"] is None else model["classes"])


def width_of(model: Mapping[str, Any]) -> int:
    """How many inputs the model takes."""
    return FeatureEncoder.from_json(model["encoders"]["features"]).width


def check(spec: Mapping[str, Any], infos: Mapping[str, ColumnInfo], model: Mapping[str, Any]) -> None:
    """Raises `errors.Invalid`, which says in what the resolved spec differs from the model's, or the columns do."""
    before = model["encoders"]["spec"]
    pairs = {
        "/network/kind": (spec["network"]["kind"], before["network"]["kind"]),
        "/target": (spec["target"], before["target"]),
        "/task": (spec["task"], before["task"]),
        "/features": (spec["features"], before["features"]),
        "/network/hidden": (_layers(spec), _layers(before)),
        "/network/output_activation": (spec["network"]["output_activation"], before["network"]["output_activation"]),
        "/training/loss": (loss_name(spec["training"]), loss_name(before["training"])),
        "/training/dtype": (spec["training"]["dtype"], before["training"]["dtype"]),
    }
    problems = [
        Problem(
            pointer, f"the model that is gone on from has {theirs}, and this asks for {ours}: they must be the same"
        )
        for pointer, (ours, theirs) in pairs.items()
        if ours != theirs
    ]
    if problems:
        raise errors.Invalid.from_problems(problems)
    encoder = FeatureEncoder.from_json(model["encoders"]["features"])
    taken = {info.name: info for info in encoder.infos}
    refuse_unfitting(spec["features"], taken, infos, POINTER, "the dataset")
    if model["classes"] is not None and len(spec["target"]) == 1:
        refuse_new_classes(set(model["classes"]), infos[spec["target"][0]], POINTER)


def _layers(spec: Mapping[str, Any]) -> list[str]:
    """The hidden layers in words: what decides how many parameters there are, and what they mean."""
    return [
        f"{layer['units']} {layer['activation']}"
        + ("" if layer.get("use_bias", True) else " without bias")
        + (f" with {kind} normalization" if (kind := layer.get("normalization")) else "")
        for layer in spec["network"]["hidden"]
    ]
