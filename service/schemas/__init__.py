"""What requests and answers look like: the pydantic models that validate, and that the OpenAPI document shows."""

from service.schemas.account import Limits, Usage
from service.schemas.datasets import Dataset, DatasetPage, Rows, RowsQuery, SampleRequest, Samples, UploadQuery
from service.schemas.fields import Input
from service.schemas.health import Health, Readiness
from service.schemas.inspection import Surface, SurfaceQuery, Trace, TraceRequest
from service.schemas.jobs import DryRunQuery, Epochs, EpochsQuery, Job, JobPage, JobQuery, JobRequest, JobsQuery, Plan
from service.schemas.keys import AuditQuery, AuditTrail, Key, KeyPage, KeyRequest, NewKey, RotateRequest
from service.schemas.models import (
    Curve,
    CurveQuery,
    ModelPage,
    ModelWithReport,
    PredictionRequest,
    Predictions,
    WeightsQuery,
)
from service.schemas.pages import PageQuery
from service.schemas.problems import ProblemDocument
from service.schemas.training import Training

__all__ = [
    "AuditQuery",
    "AuditTrail",
    "Curve",
    "CurveQuery",
    "Dataset",
    "DatasetPage",
    "DryRunQuery",
    "Epochs",
    "EpochsQuery",
    "Health",
    "Input",
    "Job",
    "JobPage",
    "JobQuery",
    "JobRequest",
    "JobsQuery",
    "Key",
    "KeyPage",
    "KeyRequest",
    "Limits",
    "ModelPage",
    "ModelWithReport",
    "NewKey",
    "PageQuery",
    "Plan",
    "PredictionRequest",
    "Predictions",
    "ProblemDocument",
    "Readiness",
    "RotateRequest",
    "Rows",
    "RowsQuery",
    "SampleRequest",
    "Samples",
    "Surface",
    "SurfaceQuery",
    "Trace",
    "TraceRequest",
    "Training",
    "UploadQuery",
    "Usage",
    "WeightsQuery",
]
