"""The header with the warnings of an answer that has no other place for them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

MAX_HEADER_BYTES = 4000


def warnings_header(warnings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The header, a list in JSON of the first warnings, as many as fit in `MAX_HEADER_BYTES`."""
    shown: list[str] = []
    room = MAX_HEADER_BYTES
    for text in map(json.dumps, warnings):
        room -= len(text) + len(", ")
        if room < 0:
            break
        shown.append(text)
    return {"Prediction-Warnings": f"[{', '.join(shown)}]"}
