"""The routes of models and their predictions."""

from backpropd import learn
from backpropd.store import models
from backpropd.store.sql import schema
from service.auth.principal import record, tenant
from service.http.routing import Answer, Routes
from service.schemas.models import Model, ModelPage, ModelSummary, PredictionRequest, Predictions
from service.schemas.paging import PageQuery
from service.services import services

routes = Routes("models")


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
        return Model.of(models.get(session, tenant(), model_id, schema.Model.report))


@routes("DELETE", "/v1/models/{model_id}", answers={204: None}, problems=(404, 409))
def delete(model_id: str) -> Answer:
    """Delete a model that no unfinished job starts from."""
    with services().database.write() as session:
        models.delete(session, tenant(), model_id)
        record(session, "models.delete", model_id)
    return None, 204


@routes(
    "POST", "/v1/models/{model_id}/predictions", answers={200: Predictions}, body=PredictionRequest, problems=(404,)
)
def predict(model_id: str, body: PredictionRequest) -> Answer:
    """Predict rows: objects by column name, or arrays in the order of the model's features."""
    body.check_rows(services().settings.max_prediction_rows)
    return {"predictions": load_model(model_id).predict(body.rows)}


def load_model(model_id: str) -> learn.Model:
    """The tenant's trained model. Raises `errors.NotFound`."""
    with services().database.read() as session:
        row = models.get(session, tenant(), model_id, schema.Model.weights)
    return learn.Model.load(row.encoders, row.weights)
