"""The routes of models and their predictions."""

from contextlib import ExitStack

from flask import Response

from backpropd import errors, learn
from backpropd.store import models
from backpropd.store.sql import schema
from service import prediction_requests
from service.auth.principal import record, tenant
from service.http.handover import hand_over
from service.http.negotiation import accepted
from service.http.routing import Answer, Routes
from service.model_cache import SMALL_BYTES
from service.renderers.predictions import JSON, RENDERERS
from service.renderers.predictions.warnings_header import warnings_header
from service.schemas.models import Model, ModelPage, ModelSummary, PredictionQuery, PredictionRequest, Predictions
from service.schemas.paging import PageQuery
from service.services import services

routes = Routes("models")
FEW_CELLS = 10_000  # in an answer that is rendered within milliseconds
FEW_MULTIPLICATIONS = 5_000_000  # of rows with weights, which take milliseconds


@routes("GET", "/v1/models", answers={200: ModelPage}, query=PageQuery)
def list_models(query: PageQuery) -> Answer:
    """List the models, newest first."""
    with services().database.read() as session:
        page = models.list_page(session, tenant(), query.limit, query.cursor)
    return ModelPage.of(page, map(ModelSummary.of, page.rows))


@routes("GET", "/v1/models/{model_id}", answers={200: Model}, problems=(404,))
def read(model_id: str) -> Answer:
    """Read a model: its features, its target, its metrics, its report."""
    with services().database.read() as session:
        if models.stored_bytes(session, tenant(), model_id) > SMALL_BYTES:
            hand_over()
        return Model.of(models.get(session, tenant(), model_id, schema.Model.report))


@routes("DELETE", "/v1/models/{model_id}", answers={204: None}, problems=(404, 409))
def delete(model_id: str) -> Answer:
    """Delete a model that no unfinished job starts from."""
    with services().database.write() as session:
        models.delete(session, tenant(), model_id)
        record(session, "models.delete", model_id)
    return None, 204


@routes(
    "POST",
    "/v1/models/{model_id}/predictions",
    answers={200: Predictions},
    alternatives={media_type: {} for media_type in RENDERERS if media_type != JSON},
    body=PredictionRequest,
    query=PredictionQuery,
    uploads={media_type: {"schema": {}} for media_type in prediction_requests.TABLE_TYPES},
    problems=(404, 406),
)
def predict(model_id: str, query: PredictionQuery) -> Answer:
    """Predict rows of JSON, a table in the body, or a stored dataset; the answer's format is that of `Accept`."""
    media_type = accepted(list(RENDERERS))
    model = services().model_cache.get(tenant(), model_id, prediction_requests.hand_over_body)
    with ExitStack() as stack:
        rows = prediction_requests.receive(model, query, stack)
        predictor = learn.Predictor(model, rows, query.names())
        if predictor.cells > FEW_CELLS or predictor.multiplications > FEW_MULTIPLICATIONS:
            hand_over()
        if media_type == JSON:
            _check_cells(predictor)
        warnings = [finding.to_json() for finding in predictor.findings()]
        chunks = RENDERERS[media_type](predictor.blocks(), warnings)
        headers = {} if media_type == JSON or not warnings else warnings_header(warnings)
        if not predictor.is_long:
            return Response(b"".join(chunks), content_type=media_type, headers=headers)
        response = Response(chunks, content_type=media_type, headers=headers)
        response.call_on_close(stack.pop_all().close)
        return response


def _check_cells(predictor: learn.Predictor) -> None:
    """Raise `errors.Invalid` for an answer of too many values for JSON."""
    most = services().settings.max_answer_cells
    if predictor.cells > most:
        formats = ", ".join(media_type for media_type in RENDERERS if media_type != JSON)
        raise errors.Invalid(
            f"the answer would have {predictor.cells} values, and in JSON the limit is {most}: send fewer rows, or "
            f"accept one of {formats}",
            pointer="/rows",
        )
