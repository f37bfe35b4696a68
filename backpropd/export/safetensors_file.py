"""A model as a safetensors file: the parameters by name, and the rest as JSON in the metadata."""

import json

from safetensors.numpy import load, save

from backpropd.export.exported_model import ExportedModel
from backpropd.learn.imports import METADATA


def write(exported: ExportedModel) -> bytes:
    """The file; `METADATA` names the description in its metadata."""
    return bytes(save(load(exported.weights), {METADATA: json.dumps(exported.description())}))
