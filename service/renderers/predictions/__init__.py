"""Predictions in each format of an answer, rendered block by block."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from backpropd.learn.predictor import Block
from service.renderers.predictions.binary import render_arrow_file, render_arrow_stream, render_parquet
from service.renderers.predictions.text import render_csv, render_json, render_json_lines

Warnings = Sequence[dict[str, Any]]
Renderer = Callable[[Iterable[Block], Warnings], Iterator[bytes]]

JSON = "application/json"
# By media type; a client that accepts several gets the first.
RENDERERS: dict[str, Renderer] = {
    JSON: render_json,
    "text/csv": render_csv,
    "application/jsonl": render_json_lines,
    "application/x-ndjson": render_json_lines,
    "application/vnd.apache.parquet": render_parquet,
    "application/x-parquet": render_parquet,
    "application/vnd.apache.arrow.stream": render_arrow_stream,
    "application/vnd.apache.arrow.file": render_arrow_file,
}
