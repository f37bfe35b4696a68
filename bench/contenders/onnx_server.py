"""A prediction server written by hand, with FastAPI and onnxruntime: `uvicorn bench.contenders.onnx_server:app`.

It takes the body `{"rows": [[…], …]}` and answers with labels and probabilities, as the service does. The environment
variable MODEL is the path of the ONNX file, whose metadata `classes` are the labels.
"""

import json
import os

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
features = session.get_inputs()[0].shape[1]
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
app = FastAPI()


@app.post("/predictions")
async def predict(request: Request) -> Response:
    """Predictions of the rows. 422 for a body of another form."""
    try:
        x = np.array(orjson.loads(await request.body())["rows"], np.float32)
    except (ValueError, TypeError, KeyError):
        return _json({"detail": 'send {"rows": [[…], …]}, numbers'}, 422)
    if x.ndim != 2 or x.shape[1] != features or not np.isfinite(x).all():
        return _json({"detail": f"each row is {features} finite numbers"}, 422)
    (h,) = session.run(None, {"x": x})
    rows = zip(h.argmax(axis=1).tolist(), h.tolist(), strict=True)
    return _json(
        {
            "predictions": [
                {"label": classes[best], "probabilities": dict(zip(classes, row, strict=True))} for best, row in rows
            ]
        }
    )


@app.get("/ping")
async def ping() -> Response:
    """Whether the server is ready."""
    return Response()


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
