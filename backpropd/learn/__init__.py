"""From a request and a table to a trained model that predicts from raw rows.

What belongs here: resolving requests, preparing data, runs, models and their inspection, for every kind of network
(`network_kinds`). What does not: formulas (`nn`), file formats of tables (`tabular`), SQL (`store`), HTTP (`service`).
"""

from backpropd.learn.fork import start_of_fork
from backpropd.learn.inspection.explanation import explain
from backpropd.learn.inspection.gradient_check import gradient_check
from backpropd.learn.inspection.homework import homework
from backpropd.learn.inspection.loss_surface import loss_surface
from backpropd.learn.inspection.partial_dependence import partial_dependence
from backpropd.learn.inspection.permutation_importance import permutation_importance
from backpropd.learn.inspection.response_curve import response_curve
from backpropd.learn.inspection.trace import trace
from backpropd.learn.model import Model
from backpropd.learn.network_kinds.base import ResolvedSpec, ResolvedTraining
from backpropd.learn.network_kinds.registry import resolve, spec_from_json
from backpropd.learn.predictor import Predictor
from backpropd.learn.request import JobRequest, TrainingRequest
from backpropd.learn.resolve.fork import resolve_fork
from backpropd.learn.resolve.plan import Context, Limits, Plan
from backpropd.learn.run import Run
from backpropd.learn.tables import Source, TableDescription, columns_from_json
from backpropd.learn.warm_start import WarmStart

__all__ = [
    "Context",
    "JobRequest",
    "Limits",
    "Model",
    "Plan",
    "Predictor",
    "ResolvedSpec",
    "ResolvedTraining",
    "Run",
    "Source",
    "TableDescription",
    "TrainingRequest",
    "WarmStart",
    "columns_from_json",
    "explain",
    "gradient_check",
    "homework",
    "loss_surface",
    "partial_dependence",
    "permutation_importance",
    "resolve",
    "resolve_fork",
    "response_curve",
    "spec_from_json",
    "start_of_fork",
    "trace",
]
