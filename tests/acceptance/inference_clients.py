"""What clients of the Open Inference Protocol get, as JSON: run in their own environment with a URL, a model, rows.

The columns are a number, a boolean and a category, in this order.
"""

import asyncio
import json
import sys
from typing import Any

import numpy as np
import tritonclient.http as triton
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from tritonclient.utils import InferenceServerException

COLUMNS = (("height", "FP64", float), ("potted", "BYTES", object), ("postcode", "BYTES", object))


def main() -> None:
    """Print what each client got."""
    url, model, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    found = {"triton": through_triton(url.removeprefix("http://"), model, rows)}
    found["kserve"] = asyncio.run(through_kserve(url, model, rows))
    print(json.dumps(found))


def arrays(rows: list[list[Any]]) -> list[np.ndarray]:
    return [np.array([row[index] for row in rows], kind) for index, (_, _, kind) in enumerate(COLUMNS)]


def through_triton(address: str, model: str, rows: list[list[Any]]) -> dict[str, Any]:
    with triton.InferenceServerClient(address) as client:
        health = [client.is_server_live(), client.is_server_ready(), client.is_model_ready(model, "1")]
        found: dict[str, Any] = {"health": health, "extensions": client.get_server_metadata()["extensions"]}
        found["inputs"] = [each["name"] for each in client.get_model_metadata(model)["inputs"]]
        inputs = [triton.InferInput(name, [len(rows), 1], kind) for name, kind, _ in COLUMNS]
        for is_binary in (True, False):
            for tensor, values in zip(inputs, arrays(rows), strict=True):
                tensor.set_data_from_numpy(values.reshape(-1, 1), binary_data=is_binary)
            outputs = [triton.InferRequestedOutput(name, binary_data=is_binary) for name in ("label", "probabilities")]
            for encoding in (None, "gzip", "deflate"):
                compression = {f"{way}_compression_algorithm": encoding for way in ("request", "response")}
                for requested in (outputs, None):
                    result = client.infer(model, inputs, outputs=requested, request_id="7", **compression)
                    found[f"{is_binary} {encoding} {requested is None}"] = answer(result)
        found["errors"] = [
            failure(lambda: client.infer(model, inputs[:1])),
            failure(lambda: client.infer("m_1", inputs)),
        ]
        return found


def answer(result: Any) -> dict[str, Any]:
    labels = [each.decode() if isinstance(each, bytes) else each for each in result.as_numpy("label").tolist()]
    return {"labels": labels, "probabilities": result.as_numpy("probabilities").tolist()}


def failure(run: Any) -> str:
    try:
        run()
    except InferenceServerException as error:
        return f"{error.status()} {error.message()}"
    return "none"


async def through_kserve(url: str, model: str, rows: list[list[Any]]) -> dict[str, Any]:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    found: dict[str, Any] = {
        "health": [
            await client.is_server_live(url),
            await client.is_server_ready(url),
            await client.is_model_ready(url, model),
        ]
    }
    for is_binary in (True, False):
        inputs = [InferInput(name, [len(rows)], kind) for name, kind, _ in COLUMNS]
        for tensor, values in zip(inputs, arrays(rows), strict=True):
            tensor.set_data_from_numpy(values, binary_data=is_binary)
        request = InferRequest(model, inputs, parameters={"binary_data_output": is_binary})
        label, probabilities = (await client.infer(url, request, model_name=model)).outputs
        shaped = np.array(probabilities.data).reshape(probabilities.shape).tolist()
        found[f"{is_binary}"] = {"labels": label.as_numpy().ravel().tolist(), "probabilities": shaped}
        found[f"{is_binary}"]["labels"] = [
            str(each, "utf-8") if isinstance(each, bytes) else each for each in found[f"{is_binary}"]["labels"]
        ]
    await client.close()
    return found


if __name__ == "__main__":
    main()
