"""The models' routes."""

from __future__ import annotations

from flask import Response

from backpropd import errors, learn
from backpropd.store import models
from backpropd.store.sql.schema import Model
from service import schemas
from service.auth.principal import record, tenant
from service.http import rendering
from service.http.routing import Answer, Routes
from service.services import services

routes = Routes("models")

MEDIA_TYPES = {
    "safetensors": "application/octet-stream",
    "npz": "application/octet-stream",
    "json": "application/json",
}


@routes("GET", "/v1/models", query=schemas.PageQuery, answers={200: schemas.ModelPage})
def list_models(query: schemas.PageQuery) -> Answer:
    """List the models, newest first."""
    with services().database.read() as session:
        page = models.list_page(session, tenant(), query.limit, query.cursor)
    return rendering.listing(page, rendering.model)


@routes("GET", "/v1/models/{model_id}", answers={200: schemas.ModelWithReport}, problems=(404,))
def read(model_id: str) -> Answer:
    """Read a model: what it takes, what it answers, how good it is."""
    with services().database.read() as session:
        return rendering.model_with_report(models.get(session, tenant(), model_id, Model.report))


@routes("DELETE", "/v1/models/{model_id}", answers={204: None}, problems=(404, 409))
def delete(model_id: str) -> Answer:
    """Delete a model that no unfinished job goes on from."""
    with services().database.write() as session:
        models.delete(session, tenant(), model_id)
        record(session, "models.delete", model_id)
    return None, 204


@routes(
    "POST",
    "/v1/models/{model_id}/predictions",
    body=schemas.PredictionRequest,
    answers={200: schemas.Predictions},
    problems=(404,),
)
def predict(model_id: str, body: schemas.PredictionRequest) -> Answer:
    """Predict rows: objects by column name, or arrays in the order of the model's features."""
    most = services().settings.max_prediction_rows
    if len(body.rows) > most:
        raise errors.Invalid(
            f"{len(body.rows)} rows came, and {most} are the most: send them in parts", pointer="/rows"
        )
    model = _load(model_id)
    return {"predictions": model.predict(body.rows)}


def _load(model_id: str) -> learn.Model:
    with services().database.read() as session:
        row = models.get(session, tenant(), model_id, Model.weights)
    return learn.load_model(row.encoders, row.weights)


@routes(
    "GET",
    "/v1/models/{model_id}/curve",
    query=schemas.CurveQuery,
    answers={200: schemas.Curve},
    problems=(404,),
    costly=True,
)
def curve(model_id: str, query: schemas.CurveQuery) -> Answer:
    """The output against one feature, the others held (`hold` is JSON by name, else their mean or usual value)."""
    return learn.curve_of(_load(model_id), query.feature, query.points, query.start, query.stop, query.hold)


@routes(
    "GET",
    "/v1/models/{model_id}/weights",
    query=schemas.WeightsQuery,
    answers={200: "application/octet-stream"},
    problems=(404,),
    costly=True,
)
def weights(model_id: str, query: schemas.WeightsQuery) -> Answer:
    """The parameters by name: `layers.0.weight` (fan_in, fan_out), `layers.0.bias`."""
    with services().database.read() as session:
        stored = models.get(session, tenant(), model_id, Model.weights).weights
    data = learn.weights_as(stored, query.format)
    response = Response(data, content_type=MEDIA_TYPES[query.format])
    response.headers["Content-Disposition"] = f'attachment; filename="{model_id}.{query.format}"'
    return response
