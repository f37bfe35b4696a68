"""Results of the benchmarks, stored as JSON in `bench/out/` for the report."""

import json
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "out"


def write(name: str, result: Any) -> None:
    """Store the result of the benchmark `name`."""
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


def read(name: str) -> Any:
    """The result of the benchmark `name` in the last run."""
    return json.loads((OUT / f"{name}.json").read_text())
