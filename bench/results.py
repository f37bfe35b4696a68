"""What a run of the benchmarks found, kept as JSON in `bench/out/` until the report is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "out"


def write(name: str, result: Any) -> None:
    """Keep what the measurement `name` found."""
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


def read(name: str) -> Any:
    """What the measurement `name` found in the last run."""
    return json.loads((OUT / f"{name}.json").read_text())


def exists(name: str) -> bool:
    """Whether the measurement `name` was made in the last run."""
    return (OUT / f"{name}.json").exists()
