"""A learning curve as CSV."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from backpropd.csv_injection import escape_row


def render_epochs(epochs: Iterable[dict[str, Any]]) -> str:
    """CSV of rendered epochs; each metric has a column of its own, such as `accuracy` and `validation_accuracy`."""
    rows = [escape_row(_flat(**epoch)) for epoch in epochs]
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names or ["epoch", "loss"])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _flat(metrics: dict[str, float], validation_metrics: dict[str, float] | None, **fields: Any) -> dict[str, Any]:
    validation = {f"validation_{name}": value for name, value in (validation_metrics or {}).items()}
    return fields | metrics | validation
