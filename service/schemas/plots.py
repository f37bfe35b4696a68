"""Queries for plots."""

from typing import Literal

from pydantic import Field

from service.schemas.fields import Input

SVG, PNG = "image/svg+xml", "image/png"

JobPlotKind = Literal["loss"]
ModelPlotKind = Literal["confusion", "roc", "calibration", "residuals", "importance", "network"]


class JobPlotQuery(Input):
    """Which plot of a job: its learning curve."""

    kind: JobPlotKind = "loss"


class ModelPlotQuery(Input):
    """Which plot of a model: of its report, of the importance of its columns, or of its network."""

    kind: ModelPlotKind = Field(
        "network", description="importance needs the dataset of the model's job; the others outlive it"
    )
