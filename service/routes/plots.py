"""The routes that draw a job or a model, as SVG or PNG by `Accept`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response

from backpropd import errors
from backpropd.export.network_layers import layers_of
from backpropd.store import epochs, jobs, models
from backpropd.store.sql import schema
from service.auth.principal import tenant
from service.http.negotiation import accepted
from service.http.routing import Answer, Routes
from service.routes.explanations import importance_of
from service.schemas.explanations import ImportanceRequest
from service.schemas.jobs import Epoch
from service.schemas.plots import PNG, SVG, JobPlotQuery, ModelPlotQuery
from service.services import services

routes = Routes("plots")
CURVE_POINTS = 1000
# What is drawn of a report: its member, and the title.
REPORT_PLOTS = {
    "confusion": ("confusion_matrix", "Confusion matrix"),
    "roc": ("roc", "ROC curves"),
    "calibration": ("calibration", "Calibration"),
    "residuals": ("outputs", "Residuals"),
}


@routes(
    "GET",
    "/v1/jobs/{job_id}/plot",
    answers={200: SVG},
    alternatives={PNG: {}},
    query=JobPlotQuery,
    problems=(404, 406, 409),
    costly=True,
)
def plot_job(job_id: str, query: JobPlotQuery) -> Answer:
    """A plot of a job's learning curve, of up to a thousand epochs."""
    media_type = accepted([SVG, PNG])
    with services().database.read() as session:
        job = jobs.get(session, tenant(), job_id)
        curve = [Epoch.of(each) for each in epochs.thinned(session, job.number, CURVE_POINTS)]
        name = job.name or job.id
    if not curve:
        raise errors.Conflict("the job has no epochs yet: ask for its plot when it has begun to train")
    return _drawn(lambda plots: plots.loss_plot(curve, f"Loss of {name[:40]}"), media_type)


@routes(
    "GET",
    "/v1/models/{model_id}/plot",
    answers={200: SVG},
    alternatives={PNG: {}},
    query=ModelPlotQuery,
    problems=(404, 406, 409),
    costly=True,
)
def plot_model(model_id: str, query: ModelPlotQuery) -> Answer:
    """A plot of a model's report at the end of training, of its network, or of the importance of its columns."""
    media_type = accepted([SVG, PNG])
    with services().database.read() as session:
        row = models.get(session, tenant(), model_id, schema.Model.report)
        report, targets, name = row.report, row.target, (row.name or row.id)[:40]
    if query.kind == "network":
        return _network(model_id, name, media_type)
    if query.kind == "importance":
        found = _importance_of(model_id)
        title = f"Importance of the columns of {name}"
        return _drawn(lambda plots: plots.importance_plot(found["importance"], found["metric"], title), media_type)
    member, title = REPORT_PLOTS[query.kind]
    if not report or not report.get(member):
        task = "regression" if query.kind == "residuals" else "classification"
        raise errors.Conflict(
            f"this model's report has nothing to draw: kind={query.kind} needs a {task} model that was trained on this "
            f"service{'' if task == 'regression' else ', measured on rows of two classes or more'}"
        )
    arguments = (report, targets) if query.kind == "residuals" else (report,)
    return _drawn(lambda plots: getattr(plots, f"{query.kind}_plot")(*arguments, f"{title} of {name}"), media_type)


def _importance_of(model_id: str) -> dict[str, Any]:
    try:
        return importance_of(model_id, ImportanceRequest())
    except errors.Invalid as error:
        detail = f"{error.detail}; this plot has 5 repeats on the job's dataset: for others POST .../importance"
        raise errors.Conflict(detail) from error
    except errors.Conflict as error:
        detail = "the importance needs the dataset of the model's job, which there is not: POST .../importance"
        raise errors.Conflict(f"{detail} takes another dataset_id") from error


def _network(model_id: str, name: str, media_type: str) -> Answer:
    model = services().model_cache.get(tenant(), model_id)
    weights = [layer.weight for layer in layers_of(model)]
    outputs = model.classes if model.classes and len(model.classes) == weights[-1].shape[-1] else model.spec.target
    return _drawn(
        lambda plots: plots.network_plot(weights, model.encoder.names, outputs, f"Network of {name}"), media_type
    )


def _drawn(plot: Callable[[Any], Callable[..., None]], media_type: str) -> Answer:
    from service.renderers import figures, plots  # Matplotlib takes a second to load

    return Response(figures.rendered(plot(plots), media_type, (8, 6)), content_type=media_type)
