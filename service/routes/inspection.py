"""The routes that look inside a model: its backpropagation, and the surface of its loss."""

from __future__ import annotations

from flask import Response
from sqlalchemy.orm import Session

from backpropd import errors, learn
from backpropd.store import datasets, jobs, models
from backpropd.store.sql.schema import Dataset, Model
from service import schemas
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.services import services

routes = Routes("models")


@routes(
    "POST",
    "/v1/models/{model_id}/trace",
    body=schemas.TraceRequest,
    answers={200: schemas.Trace},
    problems=(404,),
    costly=True,
)
def trace(model_id: str, body: schemas.TraceRequest) -> Answer:
    """Trace rows forward and backward: every activation, every gradient, and one step of gradient descent."""
    settings = services().settings
    if len(body.rows) > settings.max_trace_rows:
        raise errors.Invalid(
            f"{len(body.rows)} rows came, and {settings.max_trace_rows} are the most that are traced: send fewer",
            pointer="/rows",
        )
    with services().database.read() as session:
        row = models.get(session, tenant(), model_id, Model.weights)
    model = learn.load_model(row.encoders, row.weights)
    return learn.trace(model, body.rows, body.targets, body.learning_rate, most_numbers=settings.max_trace_numbers)


@routes(
    "GET",
    "/v1/models/{model_id}/surface",
    query=schemas.SurfaceQuery,
    answers={200: schemas.Surface},
    problems=(404, 409),
    costly=True,
)
def surface(model_id: str, query: schemas.SurfaceQuery) -> Answer:
    """The loss on a plane through the model's parameters, as numbers or as a picture."""
    here = services()
    with here.database.read() as session:
        row = models.get(session, tenant(), model_id, Model.weights, Model.path)
        dataset = _dataset_of(session, row)
    model = learn.load_model(row.encoders, row.weights)
    with here.blobs.local_path(dataset.sha256) as table:
        found = learn.surface(
            model,
            table,
            row.path,
            **query.model_dump(exclude={"format"}),
            most_operations=here.settings.max_surface_operations,
        )
    if query.format == "json":
        return found
    from service.surface_plot import draw_surface  # Matplotlib takes a second to load: for those who want a picture

    return Response(draw_surface(found, row.name or row.id), content_type="image/png")


def _dataset_of(session: Session, model: Model) -> Dataset:
    """The dataset that the model was trained on. Raises `errors.Conflict` when it, or the model's job, was deleted."""
    try:
        job = jobs.get(session, tenant(), model.job_id)
        return datasets.get(session, tenant(), job.dataset_id)
    except errors.NotFound as gone:
        raise errors.Conflict(
            "the loss needs rows of the dataset that the model was trained on, and it, or the job that names it, was "
            "deleted: train again to see a surface"
        ) from gone
