"""A prediction server written by hand, with FastAPI and onnxruntime: `uvicorn bench.contenders.onnx_server:app`.

It takes the body `{"rows": [[…], …]}` and answers with labels and probabilities, as the service does. The environment
variable MODEL is the path of the ONNX file, whose metadata `classes` are the labels.
"""

import json
import os
from typing import Any

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
features = session.get_inputs()[0].shape[1]
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
FORM = f'send {{"rows": [[…], …]}}, each row {features} finite numbers'
app = FastAPI()


class Rows(BaseModel):
    """A request, which FastAPI validates."""

    rows: list[list[float]]


@app.post("/predictions")
async def predict(body: Rows) -> dict[str, Any]:
    """Predictions of the rows, as FastAPI's tutorial would have it: 422 for a body of another form."""
    return _predictions(_matrix(body.rows))


@app.post("/unvalidated")
async def predict_unvalidated(request: Request) -> Response:
    """The same without models of the body and of the answer: orjson reads and writes them, NumPy checks the numbers."""
    try:
        rows = orjson.loads(await request.body())["rows"]
    except (ValueError, TypeError, KeyError) as error:
        raise HTTPException(422, FORM) from error
    return Response(orjson.dumps(_predictions(_matrix(rows))), media_type="application/json")


def _matrix(rows: Any) -> NDArray[np.float32]:
    try:
        x = np.array(rows, np.float32)
    except (ValueError, TypeError) as error:
        raise HTTPException(422, FORM) from error
    if x.ndim != 2 or x.shape[1] != features or not np.isfinite(x).all():
        raise HTTPException(422, FORM)
    return x


def _predictions(x: NDArray[np.float32]) -> dict[str, Any]:
    (h,) = session.run(None, {"x": x})
    rows = zip(h.argmax(axis=1).tolist(), h.tolist(), strict=True)
    return {
        "predictions": [
            {"label": classes[best], "probabilities": dict(zip(classes, row, strict=True))} for best, row in rows
        ]
    }


@app.get("/ping")
async def ping() -> Response:
    """Whether the server is ready."""
    return Response()
