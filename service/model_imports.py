"""From the body of a request, JSON or a safetensors file, to a model."""

import json
from typing import Any

import safetensors
from flask import request
from safetensors.numpy import load

from backpropd import errors
from backpropd.learn import Model
from backpropd.learn.imports import METADATA, read_model
from service.http.handover import hand_over
from service.http.parsing import read_body, validate
from service.http.sending import hold_inspection
from service.http.strict_json import MAX_VALUES, read_json
from service.schemas.model_imports import ModelDescription, ModelImport
from service.services import services

JSON = "application/json"
BYTES_PER_PARAMETER = 8
MAX_HEADER_BYTES = 4 * 1024**2  # of a safetensors file: the description, and the names and shapes
LENGTH_BYTES = 8  # of the header's length, which precedes it


def receive() -> tuple[Model, ModelDescription]:
    """The model in this request's body, and what its file says of it.

    Raises `errors.TooLarge`, `errors.Malformed`, and `errors.Invalid` with pointers into the description.
    """
    settings = services().settings
    is_json = request.mimetype == JSON
    limit = settings.max_json_bytes if is_json else _max_bytes()
    hand_over(limit)
    hold_inspection()
    raw = read_body(request, limit)
    described, weights = _from_json(raw) if is_json else _from_safetensors(raw)
    if len(described.features) > settings.max_columns:
        detail = f"there are {len(described.features)} features, and the limit of columns is {settings.max_columns}"
        raise errors.Invalid(detail, pointer="/features")
    return read_model(described.model_dump(exclude_unset=True), weights, settings.max_parameters), described


def _max_bytes() -> int:
    """The largest safetensors file."""
    settings = services().settings
    return min(settings.max_upload_bytes, BYTES_PER_PARAMETER * settings.max_parameters + MAX_HEADER_BYTES)


def _from_json(raw: bytes) -> tuple[ModelDescription, dict[str, Any]]:
    described = validate(ModelImport, read_json(raw, MAX_VALUES))
    if not isinstance(described.weights, dict):
        raise errors.Invalid("send the parameters by name, as a JSON object", pointer="/weights")
    return described, described.weights


def _from_safetensors(raw: bytes) -> tuple[ModelDescription, dict[str, Any]]:
    length = int.from_bytes(raw[:LENGTH_BYTES], "little")
    if MAX_HEADER_BYTES < length <= len(raw):
        raise errors.TooLarge(f"the file's header has {length} bytes, and the limit is {MAX_HEADER_BYTES}")
    try:
        weights = load(raw)
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        detail = f"the body is no safetensors file of float32 or float64 arrays ({error}), and not declared as JSON"
        raise errors.Invalid(f"{detail}: send one, or JSON with Content-Type: {JSON}") from error
    header = json.loads(raw[LENGTH_BYTES : LENGTH_BYTES + length])
    metadata = header.get("__metadata__") or {}
    if METADATA not in metadata:
        detail = f"the file's metadata has no {METADATA}: put the network, features, target and classes there, as JSON"
        raise errors.Invalid(detail, pointer="/__metadata__")
    return validate(ModelDescription, read_json(metadata[METADATA].encode(), MAX_VALUES)), weights
