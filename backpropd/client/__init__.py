"""A typed HTTP client of the service. It imports only `backpropd.errors`, and the service never imports it.

with Client() as client:
    dataset = client.datasets.upload("iris.csv")
    job = client.jobs.create(dataset["id"], "species")
    job = client.jobs.wait(job["id"], on_epoch=lambda epoch: print(epoch["epoch"], epoch["loss"]))
    predictions = client.models.predict(job["model_id"], [{"sepal_length": 5.1, ...}])
"""

from backpropd.client.client import Client
from backpropd.client.comparison_types import Comparison
from backpropd.client.dataset_types import (
    Dataset,
    DatasetPreview,
    DatasetSummary,
    LevelHistogram,
    NumericHistogram,
    TableWarning,
)
from backpropd.client.errors import ClientError, JobDidNotSucceed, ServiceError, ServiceUnreachable, WaitTimeout
from backpropd.client.homework_types import GradientCheck, Homework
from backpropd.client.types import Curve, Epoch, Event, Job, JobSummary, Model, ModelSummary, Snapshot, Surface, Trace

__all__ = [
    "Client",
    "ClientError",
    "Comparison",
    "Curve",
    "Dataset",
    "DatasetPreview",
    "DatasetSummary",
    "Epoch",
    "Event",
    "GradientCheck",
    "Homework",
    "Job",
    "JobDidNotSucceed",
    "JobSummary",
    "LevelHistogram",
    "Model",
    "ModelSummary",
    "NumericHistogram",
    "ServiceError",
    "ServiceUnreachable",
    "Snapshot",
    "Surface",
    "TableWarning",
    "Trace",
    "WaitTimeout",
]
