"""The routes by which models leave the service as files, and come in again."""

from contextlib import suppress
from typing import Any

import orjson
from flask import Response
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.export.exported_model import ExportedModel, write
from backpropd.export.formats import EXPORT_FORMATS, ExportFile
from backpropd.export.word_inputs import count_inputs
from backpropd.learn import Model as TrainedModel
from backpropd.learn.imports import record_of
from backpropd.store import datasets, epochs, jobs, models, sizes
from backpropd.store.sql import schema
from service import model_imports
from service.auth.principal import record, tenant
from service.http.negotiation import accepted
from service.http.routing import Answer, Routes
from service.http.sending import hold_memory
from service.job_rendering import render_job
from service.schemas.datasets import Dataset
from service.schemas.jobs import Epoch
from service.schemas.model_imports import ModelImport
from service.schemas.models import ExportQuery, Model
from service.services import services

routes = Routes("models")
FILES = [file for files in EXPORT_FORMATS.values() for file in files]
BYTES = "application/octet-stream"
CURVE_POINTS = 200
WRITTEN_AS_TEXT = ("json",)  # each parameter is a number in text
MOST_WORD_INPUTS = {"onnx": 4_000_000, "python": 1_000_000}  # numbers, of all words of the categories


@routes(
    "GET",
    "/v1/models/{model_id}/export",
    answers={200: BYTES},
    alternatives={file.media_type: {} for file in FILES if file.media_type != BYTES},
    query=ExportQuery,
    problems=(404, 406),
    costly=True,
)
def export(model_id: str, query: ExportQuery) -> Answer:
    """The whole model as a file, encoders included, to run elsewhere."""
    files = {file.media_type: file for file in EXPORT_FORMATS[query.format]}
    file = files[accepted(list(files))] if len(files) > 1 else next(iter(files.values()))
    with services().database.read() as session:
        row = models.get(session, tenant(), model_id)
        _check_size(query.format, file, row.parameters)
        _check_memory(query.format, file.memory(row.size))
        hold_memory(file.memory(row.size))
        row = models.get(session, tenant(), model_id, schema.Model.weights, schema.Model.report)
        about = {**Model.of(row), **_training_of(session, row)}
    model = services().model_cache.get(tenant(), model_id)
    _check_words(query.format, model)
    exported = ExportedModel(model, row.weights, orjson.loads(orjson.dumps(about)))
    response = Response(write(file, exported), content_type=file.media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{model_id}.{file.extension}"'
    return response


def _check_size(format: str, file: ExportFile, parameters: int) -> None:
    most = services().settings.max_answer_cells if format in WRITTEN_AS_TEXT else file.most_parameters
    if most is not None and parameters > most:
        detail = f"the model has {parameters} parameters, and in {format} the limit is {most}"
        raise errors.Invalid(f"{detail}: request safetensors, npz or onnx", pointer="/format")


def _check_memory(format: str, size: int) -> None:
    most = services().memory.most
    if size > most:
        detail = f"to write this model as {format} takes {size} bytes of memory, and the limit is {most}"
        raise errors.Invalid(f"{detail}: request safetensors, or GET the weights", pointer="/format")


def _check_words(format: str, model: TrainedModel) -> None:
    most, found = MOST_WORD_INPUTS.get(format), count_inputs(model.encoder)
    if most is not None and found > most:
        detail = f"the inputs of all words of the categories are {found} numbers, and in {format} the limit is {most}"
        raise errors.Invalid(f"{detail}: request safetensors or npz", pointer="/format")


def _training_of(session: Session, row: schema.Model) -> dict[str, Any]:
    """The job of the model with its learning curve, and its dataset, each None if there is none any more."""
    found: dict[str, Any] = {"training_job": None, "curve": None, "dataset": None}
    with suppress(errors.NotFound):
        job = jobs.get(session, tenant(), row.job_id or "")
        curve = epochs.thinned(session, job.number, CURVE_POINTS)
        found |= {"training_job": render_job(session, job), "curve": list(map(Epoch.of, curve))}
        found["dataset"] = Dataset.of(datasets.get(session, tenant(), job.dataset_id))
    return found


@routes(
    "POST",
    "/v1/models",
    answers={201: Model},
    body=ModelImport,
    uploads={BYTES: {}},
)
def import_model(**_: Any) -> Answer:
    """Import a model: JSON, or safetensors with the description as metadata, exported from here or made elsewhere."""
    model, described = model_imports.receive()
    fields = record_of(model, described.metrics) | {
        "name": described.name,
        "validation_metrics": described.validation_metrics,
    }
    with services().database.write() as session:
        services().storage_quota.check(session, tenant(), sizes.of_model(fields))
        row = models.create(session, tenant(), **fields)
        record(session, "models.create", row.id)
        answer = Model.of(models.get(session, tenant(), row.id, schema.Model.report))
    return answer, 201, {"Location": f"/v1/models/{row.id}"}
