"""The routes that inspect a model: its backpropagation, the surface of its loss, its response curve, its weights."""

from flask import Response
from sqlalchemy.orm import Session

from backpropd import errors, learn
from backpropd.export.weights import WEIGHT_FORMATS
from backpropd.store import datasets, jobs, models
from backpropd.store.sql.schema import Dataset, Model
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.http.strict_json import MAX_VALUES
from service.schemas.inspection import Curve, CurveQuery, Surface, SurfaceQuery, Trace, TraceRequest
from service.schemas.models import WeightsQuery
from service.services import services

routes = Routes("models")
BYTES = "application/octet-stream"


@routes(
    "POST",
    "/v1/models/{model_id}/trace",
    answers={200: Trace},
    body=TraceRequest,
    problems=(404,),
    costly=True,
    max_values=MAX_VALUES,
)
def trace(model_id: str, body: TraceRequest) -> Answer:
    """Trace rows forward and backward: every activation, every gradient, and one step of gradient descent."""
    settings = services().settings
    body.check_rows(settings.max_trace_rows)
    model = services().model_cache.get(tenant(), model_id)
    return learn.trace(model, body.rows, body.targets, body.learning_rate, max_numbers=settings.max_trace_numbers)


@routes(
    "GET",
    "/v1/models/{model_id}/surface",
    answers={200: Surface},
    alternatives={"image/png": {}},  # bytes have no schema (OpenAPI 3.1, 4.8.14.4)
    query=SurfaceQuery,
    problems=(404, 409),
    costly=True,
)
def surface(model_id: str, query: SurfaceQuery) -> Answer:
    """The loss on a plane through the model's parameters, as numbers or as a PNG."""
    with services().database.read() as session:
        row = models.get(session, tenant(), model_id, Model.path)
        dataset = _training_dataset(session, row)
    options = query.model_dump(exclude={"format"})
    max_operations = services().settings.max_surface_operations
    with datasets.local_file(services().database, services().blobs, dataset) as table:
        model = services().model_cache.get(tenant(), model_id)
        found = learn.loss_surface(model, table, row.path, **options, max_operations=max_operations)
    if query.format == "json":
        return found
    from service.renderers.surface_png import draw_surface  # Matplotlib takes a second to load

    return Response(draw_surface(found, row.name or row.id), content_type="image/png")


def _training_dataset(session: Session, model: Model) -> Dataset:
    """The dataset that the model was trained on. Raises `errors.Conflict` if it or the model's job was deleted."""
    try:
        job = jobs.get(session, tenant(), model.job_id or "")
        return datasets.get(session, tenant(), job.dataset_id)
    except errors.NotFound as error:
        raise errors.Conflict(
            "the loss needs rows of the dataset that the model was trained on, and the dataset or the model's job was "
            "deleted, or the model was imported: train again to get a surface"
        ) from error


@routes("GET", "/v1/models/{model_id}/curve", answers={200: Curve}, query=CurveQuery, problems=(404,), costly=True)
def curve(model_id: str, query: CurveQuery) -> Answer:
    """The output against one feature, the others fixed (`hold` is JSON by name, else typical values)."""
    model, most = services().model_cache.get(tenant(), model_id), services().settings.max_answer_cells
    return learn.response_curve(model, query.feature, query.points, query.start, query.stop, query.hold, max_cells=most)


@routes(
    "GET",
    "/v1/models/{model_id}/weights",
    answers={200: BYTES},
    alternatives={format.media_type: {} for format in WEIGHT_FORMATS.values() if format.media_type != BYTES},
    query=WeightsQuery,
    problems=(404,),
    costly=True,
)
def weights(model_id: str, query: WeightsQuery) -> Answer:
    """The parameters by name: `layers.0.weight` (fan_in, fan_out), `layers.0.bias`."""
    with services().database.read() as session:
        row = models.get(session, tenant(), model_id)
        most = services().settings.max_answer_cells
        if query.format == "json" and row.parameters > most:
            detail = f"the model has {row.parameters} parameters, and in JSON the limit is {most}"
            raise errors.Invalid(f"{detail}: request safetensors or npz", pointer="/format")
        stored = models.get(session, tenant(), model_id, Model.weights).weights
    format = WEIGHT_FORMATS[query.format]
    response = Response(format.encode(stored), content_type=format.media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{model_id}.{query.format}"'
    return response
