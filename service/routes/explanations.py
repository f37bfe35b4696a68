"""The routes that explain a model: what its columns contribute, how much each matters, and how it depends on one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

from backpropd import errors, learn
from backpropd.store import datasets, jobs, models
from backpropd.store.sql.schema import Dataset
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.http.sending import hold_memory
from service.http.strict_json import MAX_VALUES
from service.schemas.explanations import (
    ExplanationRequest,
    Explanations,
    Importance,
    ImportanceRequest,
    PartialDependence,
    PartialDependenceRequest,
)
from service.services import services

routes = Routes("models")
FLOAT64_BYTES = 8
PATH_POINTS = 40  # whose inputs are in memory at a time
ATTRIBUTION_BYTES = 128  # in memory and as JSON


@routes(
    "POST",
    "/v1/models/{model_id}/explain",
    answers={200: Explanations},
    body=ExplanationRequest,
    problems=(404, 409),
    costly=True,
    max_values=MAX_VALUES,
)
def explain(model_id: str, body: ExplanationRequest) -> Answer:
    """Explain rows by integrated gradients: what each column contributes to an output, compared with a baseline."""
    settings = services().settings
    body.check_rows(settings.max_trace_rows)
    model = services().model_cache.get(tenant(), model_id)
    parameters = sum(each.size for each in model.theta.values())
    attributions = min(len(body.rows) * len(model.encoder.columns), settings.max_trace_numbers)
    numbers = parameters + (len(body.rows) + PATH_POINTS) * model.encoder.width
    hold_memory(FLOAT64_BYTES * numbers + ATTRIBUTION_BYTES * attributions)
    limits = {"max_operations": settings.max_surface_operations, "max_numbers": settings.max_trace_numbers}
    return {"explanations": learn.explain(model, body.rows, body.label, body.baseline, **limits)}


@routes(
    "POST",
    "/v1/models/{model_id}/importance",
    answers={200: Importance},
    body=ImportanceRequest,
    problems=(404, 409),
    costly=True,
)
def importance(model_id: str, body: ImportanceRequest) -> Answer:
    """Measure each column's permutation importance: how much worse the model predicts with the column shuffled."""
    return importance_of(model_id, body)


def importance_of(model_id: str, options: ImportanceRequest) -> dict[str, Any]:
    """The permutation importance of a model's columns. Raises `errors.NotFound` and `errors.Conflict`."""
    with _model_and_table(model_id, options.dataset_id) as (model, table):
        return learn.permutation_importance(model, table, repeats=options.repeats, seed=options.seed, **_limits())


@routes(
    "POST",
    "/v1/models/{model_id}/partial-dependence",
    answers={200: PartialDependence},
    body=PartialDependenceRequest,
    problems=(404, 409),
    costly=True,
)
def partial_dependence(model_id: str, body: PartialDependenceRequest) -> Answer:
    """Compute the output against one feature, for rows of a dataset (ICE curves) and on average."""
    with _model_and_table(model_id, body.dataset_id) as (model, table):
        return learn.partial_dependence(
            model, table, body.feature, body.label, points=body.points, rows=body.rows, **_limits()
        )


def _limits() -> dict[str, int]:
    """Those of a computation on rows of a dataset."""
    settings = services().settings
    return {"max_operations": settings.max_surface_operations, "max_cells": settings.max_answer_cells}


@contextmanager
def _model_and_table(model_id: str, dataset_id: str | None) -> Iterator[tuple[learn.Model, learn.Source]]:
    """The model, and the dataset of this id or else that of its job.

    Raises `errors.NotFound`, and `errors.Conflict` if there is no dataset of its job any more.
    """
    with services().database.read() as session:
        job_id = models.get(session, tenant(), model_id).job_id
        dataset = _trained_on(session, job_id) if dataset_id is None else _named(session, dataset_id)
    with datasets.local_file(services().database, services().blobs, dataset) as path:
        model = services().model_cache.get(tenant(), model_id)
        yield model, learn.Source(learn.columns_from_json(dataset.columns), path)


def _trained_on(session: Session, job_id: str | None) -> Dataset:
    try:
        return datasets.get(session, tenant(), jobs.get(session, tenant(), job_id or "").dataset_id)
    except errors.NotFound as error:
        raise errors.Conflict(
            "the model was imported, or its job or the job's dataset was deleted: set dataset_id to a dataset with the "
            "same columns"
        ) from error


def _named(session: Session, dataset_id: str) -> Dataset:
    try:
        return datasets.get(session, tenant(), dataset_id)
    except errors.NotFound as error:
        raise errors.NotFound(error.detail, pointer="/dataset_id") from error
