"""A model as an NPZ file: the parameters by name, and the rest as JSON in an array of text."""

import io
import json

import numpy as np

from backpropd.export.exported_model import ExportedModel
from backpropd.export.weights import by_name
from backpropd.learn.imports import METADATA


def write(exported: ExportedModel) -> bytes:
    """The file; `numpy.load` reads it with `allow_pickle=False`."""
    out = io.BytesIO()
    description = {METADATA: np.array(json.dumps(exported.description()))}
    np.savez(out, allow_pickle=False, **by_name(exported.weights), **description)
    return out.getvalue()
