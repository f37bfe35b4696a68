"""Models: predict with them, inspect and download them."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from backpropd.client.homework_types import GradientCheck, Homework
from backpropd.client.media_types import CSV, media_type_of
from backpropd.client.resources.base import Resource, Rows, accept_header, query_of
from backpropd.client.resources.datasets import CHUNK_BYTES
from backpropd.client.types import (
    Curve,
    Explanations,
    Importance,
    Model,
    ModelSummary,
    PredictionWarning,
    Surface,
    Trace,
)

InputRows = Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]]
SILENCE_SECONDS = 900.0  # while the service reads a table


@dataclass(frozen=True)
class PredictedFile:
    """An answer that is still coming: its bytes, in pieces, and warnings, which an answer in JSON has itself."""

    chunks: Iterator[bytes]
    warnings: Sequence[PredictionWarning]


class Models(Resource):
    """Trained networks. Input rows are mappings by column name, or sequences in the order of its `input_columns`."""

    PATH = "/v1/models"

    def get(self, model_id: str) -> Model:
        """One model."""
        return cast(Model, self._transport.json("GET", self._path(model_id)))

    def list(self) -> Iterator[ModelSummary]:
        """All models, newest first."""
        return self._pages()

    @contextmanager
    def export(self, model_id: str, format: str, *, accept: str = "*/*") -> Iterator[Iterator[bytes]]:
        """The whole model as a file, in pieces; `accept` chooses among the files of a format in `EXPORT_FORMATS`."""
        path, headers = self._path(model_id, "/export"), {"Accept": accept}
        with self._transport.stream(path, headers, SILENCE_SECONDS, params={"format": format}) as response:
            yield response.iter_bytes()

    def import_file(self, file: str | Path | BinaryIO) -> Model:
        """Import a model from a safetensors file, or from JSON if its name ends with `.json`."""
        path = str(file) if isinstance(file, str | Path) else ""
        media_type = "application/json" if path.endswith(".json") else "application/octet-stream"
        with open(path, "rb") if isinstance(file, str | Path) else nullcontext(file) as opened:
            content = opened.read()
        headers = {"Content-Type": media_type}
        return cast(Model, self._transport.json("POST", self.PATH, headers=headers, content=content))

    def predict(self, model_id: str, rows: InputRows) -> Rows:
        """A prediction for each row."""
        path = self._path(model_id, "/predictions")
        return cast(Rows, self._transport.json("POST", path, json={"rows": [*rows]}, repeatable=True)["predictions"])

    @contextmanager
    def predict_file(
        self, model_id: str, file: str | Path | BinaryIO, *, accept: str = CSV, keep: Sequence[str] = (), **options: Any
    ) -> Iterator[PredictedFile]:
        """Predict every row of a table in a format of uploads; the answer is a file of the media type `accept`.

        Its columns are a label or value, and the probabilities; before them those of the table that `keep` names, or
        all for `["*"]`. `options` correct how the table is read, as in `Datasets.upload`.
        """
        path = str(file) if isinstance(file, str | Path) else ""
        headers = {"Content-Type": media_type_of(path), "Accept": accept}
        with open(path, "rb") if isinstance(file, str | Path) else nullcontext(file) as opened:
            request = self._transport.stream(
                self._path(model_id, "/predictions"),
                headers,
                SILENCE_SECONDS,
                method="POST",
                params={**query_of(options), **({"keep": _as_csv(keep)} if keep else {})},
                content=iter(lambda: opened.read(CHUNK_BYTES), b""),
            )
            with request as response:
                warnings = json.loads(response.headers.get("Prediction-Warnings", "[]"))
                yield PredictedFile(response.iter_bytes(), warnings)

    def curve(
        self,
        model_id: str,
        feature: str | None = None,
        *,
        points: int = 101,
        start: float | None = None,
        stop: float | None = None,
        hold: Mapping[str, Any] | None = None,
    ) -> Curve:
        """The outputs against one feature, from `start` to `stop`; `hold` fixes the other features."""
        query = {"feature": feature, "points": points, "from": start, "to": stop, "hold": json.dumps(dict(hold or {}))}
        given = {name: value for name, value in query.items() if value is not None}
        return cast(Curve, self._transport.json("GET", self._path(model_id, "/curve"), params=given))

    def weights(self, model_id: str, format: str = "safetensors") -> bytes:
        """The parameters as a file, in one of the formats of the API."""
        return self._transport.send("GET", self._path(model_id, "/weights"), params={"format": format}).content

    def trace(
        self,
        model_id: str,
        rows: InputRows,
        targets: Sequence[Any] | None = None,
        learning_rate: float | None = None,
    ) -> Trace:
        """Every number of a forward pass over a few rows and, with a target for each, of the backward pass."""
        body: dict[str, Any] = {"rows": [*rows]}
        if targets is not None:
            body["targets"] = [*targets]
        if learning_rate is not None:
            body["learning_rate"] = learning_rate
        return cast(Trace, self._transport.json("POST", self._path(model_id, "/trace"), json=body, repeatable=True))

    def gradient_check(self, model_id: str, /, rows: InputRows, targets: Sequence[Any], **more: Any) -> GradientCheck:
        """The gradient by backpropagation and by central differences, for each parameter.

        `more` is `epsilon`, by how much each is moved up and down, as in the API.
        """
        body: dict[str, Any] = {"rows": [*rows], "targets": [*targets], **more}
        path = self._path(model_id, "/gradient-check")
        return cast(GradientCheck, self._transport.json("POST", path, json=body, repeatable=True))

    def homework(
        self,
        model_id: str,
        /,
        row: Mapping[str, Any] | Sequence[Any],
        target: Any,
        answers: Mapping[str, Any],
        **more: Any,
    ) -> Homework:
        """Compare answers, named and shaped as in a trace of one row, with it: the first wrong step, and its rule.

        `more` are `tolerance, reveal, learning_rate` as in the API.
        """
        body = {"row": row, "target": target, "answers": answers, **more}
        path = self._path(model_id, "/homework")
        return cast(Homework, self._transport.json("POST", path, json=body, repeatable=True))

    def surface(self, model_id: str, **query: Any) -> Surface:
        """The loss on a plane through the parameters: `points, span, directions, seed` as in the API."""
        return cast(Surface, self._transport.json("GET", self._path(model_id, "/surface"), params=query))

    def surface_picture(self, model_id: str, **query: Any) -> bytes:
        """The loss surface drawn as a PNG image."""
        return self._transport.send("GET", self._path(model_id, "/surface"), params={**query, "format": "png"}).content

    def plot(self, model_id: str, kind: str, format: str = "svg") -> bytes:
        """A picture of the report or the network, of a `kind` of the API, `svg` or `png`."""
        path, headers = self._path(model_id, "/plot"), accept_header(format)
        return self._transport.send("GET", path, params={"kind": kind}, headers=headers).content

    def explain(
        self,
        model_id: str,
        rows: InputRows,
        label: str | float | bool | None = None,
        baseline: str | Mapping[str, Any] | Sequence[Any] = "mean",
    ) -> Explanations:
        """How much each column contributes to the output of each row, compared with the mean of each column or a row.

        The output is that of the class or target `label`, by default the predicted class.
        """
        body = {"rows": [*rows], "class": label, "baseline": baseline}
        return cast(
            Explanations, self._transport.json("POST", self._path(model_id, "/explain"), json=body, repeatable=True)
        )

    def importance(
        self, model_id: str, dataset_id: str | None = None, *, repeats: int = 5, seed: int = 0
    ) -> Importance:
        """How much worse the model predicts with each column shuffled, on its dataset unless another is named."""
        body = {"dataset_id": dataset_id, "repeats": repeats, "seed": seed}
        return cast(
            Importance, self._transport.json("POST", self._path(model_id, "/importance"), json=body, repeatable=True)
        )

    def partial_dependence(
        self,
        model_id: str,
        feature: str,
        label: str | float | bool | None = None,
        dataset_id: str | None = None,
        *,
        points: int = 50,
        rows: int = 50,
    ) -> dict[str, Any]:
        """The output against one feature: `class`, `values`, the `mean`, and one of the `curves` for each row.

        The output is that of the class or target `label`, by default the last class.
        """
        body = {"feature": feature, "class": label, "dataset_id": dataset_id, "points": points, "rows": rows}
        path = self._path(model_id, "/partial-dependence")
        return cast(dict[str, Any], self._transport.json("POST", path, json=body, repeatable=True))


def _as_csv(names: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()
