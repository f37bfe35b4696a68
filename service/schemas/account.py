"""What a tenant may use, and what it has used."""

from __future__ import annotations

from service.schemas.fields import Output


class Limits(Output):
    """The most of everything that this service takes; bytes, seconds, or a number of what the name says.

    `body_bytes_per_second` is the least: of a body, on average.
    """

    upload_bytes: int
    json_bytes: int
    rows: int
    columns: int
    cells: int
    category_levels: int
    parameters: int
    epochs: int
    prediction_rows: int
    trace_rows: int
    job_seconds: float
    queued_jobs: int
    running_jobs: int
    stored_bytes: int
    requests_per_minute: int
    event_streams: int
    bodies: int
    body_bytes_per_second: int
    looks: int


class Usage(Output):
    """What this tenant's datasets, jobs and models come to; `bytes` are those of datasets and models."""

    jobs: int
    training_seconds: float
    datasets: int
    rows: int
    models: int
    bytes: int
