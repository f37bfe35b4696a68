"""A stored model with what the API says about it, and the function that writes it as a file."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from backpropd import errors
from backpropd.export.formats import ExportFile
from backpropd.learn import Model
from backpropd.learn.imports import describe


class ExportedModel(NamedTuple):
    """A model, its safetensors file, and its record as the API shows it, with `training_job`, `curve` and `dataset`."""

    model: Model
    weights: bytes
    record: Mapping[str, Any]

    def description(self) -> dict[str, Any]:
        """Everything but the weights, as an import takes it."""
        told = {name: self.record[name] for name in ("name", "sha256", "metrics", "validation_metrics")}
        return {**told, **describe(self.model)}


def write(file: ExportFile, exported: ExportedModel) -> bytes:
    """The model as such a file. The module is imported when it is used: some need large libraries.

    Raises `errors.Invalid` for a model that the format cannot hold.
    """
    try:
        module = import_module(f"backpropd.export.{file.module}")
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        detail = f"this server lacks the package {error.name}, which writes this format"
        raise errors.Invalid(
            f"{detail}: choose another, or ask its operator to install it", pointer="/format"
        ) from error
    content: bytes = getattr(module, file.function)(exported)
    return content
