"""The routes of the Open Inference Protocol, version 2: the same models, for clients of other inference servers."""

import gzip
import zlib
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np
import orjson
from flask import Response, request

from backpropd import errors, learn
from backpropd.errors import pointer
from backpropd.tabular import ColumnInfo
from service import inference_requests
from service.auth.access_control import PUBLIC
from service.auth.principal import tenant
from service.http.handover import hand_over
from service.http.request_hooks import LIVENESS, READINESS, V2
from service.http.routing import Answer, Routes
from service.inference_requests import BINARY, JSON_LENGTH
from service.renderers.predictions.warnings_header import warnings_header
from service.routes.models import FEW_CELLS
from service.schemas.inference import (
    InferenceAnswer,
    InferenceRequest,
    ModelMetadata,
    ModelReady,
    RequestedOutput,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from service.services import services
from service.tensors import OutputTensor, output_tensors

routes = Routes("inference")

VERSION = "1"  # a model never changes
MODEL = V2 + "/models/{model_id}"
MODEL_VERSION = MODEL + "/versions/{version}"
DATATYPES = {"number": "FP64", "boolean": "BOOL"}  # of columns; those of other kinds are BYTES
ENCODINGS = ("identity", "gzip", "deflate")
LEVEL = 1  # of the compression


@routes("GET", LIVENESS[1], answers={200: ServerLive}, scope=PUBLIC)
def live() -> Answer:
    """Whether the server is running."""
    return {"live": True}


@routes("GET", READINESS[1], answers={200: ServerReady, 503: ServerReady}, scope=PUBLIC)
def ready() -> Answer:
    """Whether the server can predict."""
    is_ready = services().readiness.can_predict
    return {"ready": is_ready}, 200 if is_ready else 503


@routes("GET", V2, answers={200: ServerMetadata})
def server_metadata() -> Answer:
    """The server's name, version and extensions."""
    return {"name": "backpropd", "version": metadata.version("backpropd"), "extensions": ["binary_tensor_data"]}


@routes("GET", MODEL, answers={200: ModelMetadata}, problems=(404,))
def model_metadata(model_id: str) -> Answer:
    """The inputs and outputs of a model."""
    model = services().model_cache.get(tenant(), model_id, hand_over)
    row = np.zeros((1, model.encoder.width), model.spec.training.dtype)
    return {
        "name": model_id,
        "versions": [VERSION],
        "platform": "backpropd",
        "inputs": [_described(info) for info in model.encoder.column_infos],
        "outputs": [
            {"name": each.name, "datatype": each.datatype, "shape": [-1, *each.values.shape[1:]]}
            for each in output_tensors([model.outputs(row)])
        ],
    }


def _described(info: ColumnInfo) -> dict[str, Any]:
    return {"name": info.name, "datatype": DATATYPES.get(info.kind, "BYTES"), "shape": [-1, 1]}


@routes("GET", MODEL_VERSION, answers={200: ModelMetadata}, problems=(404,))
def version_metadata(model_id: str, version: str) -> Answer:
    """The inputs and outputs of version 1 of a model."""
    _check_version(version)
    return model_metadata(model_id)


@routes("GET", MODEL + "/ready", answers={200: ModelReady}, problems=(404,))
def model_ready(model_id: str) -> Answer:
    """Whether a model can predict: every model that exists can."""
    services().model_cache.check(tenant(), model_id)
    return {"name": model_id, "ready": True}


@routes("GET", MODEL_VERSION + "/ready", answers={200: ModelReady}, problems=(404,))
def version_ready(model_id: str, version: str) -> Answer:
    """Whether version 1 of a model can predict."""
    _check_version(version)
    return model_ready(model_id)


def _check_version(version: str) -> None:
    if version != VERSION:
        raise errors.NotFound(f"there is no version {version[:20]!r}: every model has the version {VERSION} alone")


BODY: dict[str, dict[str, Any]] = {BINARY: {"schema": {}}}


@routes(
    "POST",
    MODEL + "/infer",
    answers={200: InferenceAnswer},
    alternatives={BINARY: {}},
    body=InferenceRequest,
    uploads=BODY,
    problems=(404,),
)
def infer(model_id: str) -> Answer:
    """Predict rows that come as tensors."""
    model = services().model_cache.get(tenant(), model_id, inference_requests.hand_over_body)
    asked, rows = inference_requests.receive(model)
    predictor = learn.Predictor(model, rows)
    if predictor.cells > FEW_CELLS:
        hand_over()
    most = services().settings.max_answer_cells
    if predictor.cells > most:
        raise errors.Invalid(
            f"the answer would have {predictor.cells} values, and the limit is {most}: send fewer rows"
        )
    warnings = [finding.to_json() for finding in predictor.findings()]
    tensors = output_tensors(block.outputs for block in predictor.blocks())
    return _response(model_id, asked, tensors, warnings_header(warnings) if warnings else {})


@routes(
    "POST",
    MODEL_VERSION + "/infer",
    answers={200: InferenceAnswer},
    alternatives={BINARY: {}},
    body=InferenceRequest,
    uploads=BODY,
    problems=(404,),
)
def infer_version(model_id: str, version: str) -> Answer:
    """Predict with version 1 of a model."""
    _check_version(version)
    return infer(model_id)


def _response(
    model_id: str, asked: InferenceRequest, tensors: Sequence[OutputTensor], headers: dict[str, str]
) -> Response:
    """The requested outputs; those in binary form follow the JSON in their order."""
    rendered, parts = list[dict[str, Any]](), list[bytes]()
    for tensor, is_binary in _requested(asked, tensors):
        output = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.values.shape}
        if is_binary:
            parts.append(tensor.to_bytes())
            rendered.append({**output, "parameters": {"binary_data_size": len(parts[-1])}})
        else:
            flat = tensor.values.ravel()
            rendered.append({**output, "data": flat.tolist() if tensor.datatype == "BYTES" else flat})
    answer = {"model_name": model_id, "model_version": VERSION, "outputs": rendered}
    if asked.id is not None:
        answer["id"] = asked.id
    json = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    if parts:
        headers |= {JSON_LENGTH: str(len(json))}
    return _encoded(b"".join((json, *parts)), BINARY if parts else "application/json", headers)


def _requested(asked: InferenceRequest, tensors: Sequence[OutputTensor]) -> list[tuple[OutputTensor, bool]]:
    """The outputs that the request names, or all of them, and whether each is to be in binary form."""
    by_name = {tensor.name: tensor for tensor in tensors}
    for number, each in enumerate(asked.outputs):
        if each.name not in by_name:
            detail = f"there is no output {each.name[:100]!r}; the model has {' and '.join(by_name)}"
            raise errors.Invalid.from_problems([errors.Problem(pointer("outputs", number, "name"), detail)])
    default = asked.parameters.binary_data_output
    outputs = asked.outputs or [RequestedOutput(name=name) for name in by_name]
    chosen = {each.name: each.parameters.binary_data for each in outputs}
    return [(by_name[name], default if binary is None else binary) for name, binary in chosen.items()]


def _encoded(body: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """The answer, compressed if the client accepts that alone or first."""
    encoding = request.accept_encodings.best_match(ENCODINGS)
    if encoding == "gzip":
        body = gzip.compress(body, LEVEL, mtime=0)
    elif encoding == "deflate":
        body = zlib.compress(body, LEVEL)
    response = Response(body, headers=headers, content_type=media_type)
    if encoding in ("gzip", "deflate"):
        response.headers["Content-Encoding"] = encoding
    return response
