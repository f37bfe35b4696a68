"""A model as one JSON document, with the parameters as nested lists."""

import json

from backpropd.export.exported_model import ExportedModel
from backpropd.export.weights import as_lists


def write(exported: ExportedModel) -> bytes:
    """The document, as an import takes it."""
    return json.dumps({**exported.description(), "weights": as_lists(exported.weights)}).encode()
