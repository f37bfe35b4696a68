"""Schemathesis against an app or a running stack: `python -m tests.service.fuzzing --examples 300` (make fuzz-api)."""

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from schemathesis import Case, HookContext, hooks
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from embedded.demo import stack

REJECTED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429", "503"]


def failures(document: str, key: str, examples: int, seed: int = 1) -> tuple[Counter[str], list[str]]:
    """Run every phase, with valid and invalid data, with a key; gives the checks by name, and their failures.

    `document` is the address of the OpenAPI document.
    """
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "headers": {"Authorization": f"Bearer {key}"},
            "request-timeout": 120.0,  # seconds: the machine may be busy
            "generation": {"max-examples": examples, "deterministic": True, "mode": "all"},
            "phases": {"stateful": {"enabled": True}},
            # rules that a schema cannot express, such as the columns of a table, are answered with 422
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "422"]},
                "negative_data_rejection": {"expected-statuses": REJECTED},
            },
        }
    )
    found: list[str] = []
    made: Counter[str] = Counter()
    schema, own = schemathesis.openapi.from_url(document, config=config), key[3:].rpartition("_")[0]

    @schemathesis.hook
    def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
        if own in (case.path_parameters or {}).values():  # or it would revoke its own key
            case.path_parameters["key_id"] = own[:-1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of schemathesis itself
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError | events.FatalError):
                found.append(str(event))
            if isinstance(event, events.ScenarioFinished):
                for checks in event.recorder.checks.values():
                    made.update(check.name for check in checks)
                    found += [
                        f"{check.name}: {check.failure_info.failure.message}\n{check.failure_info.code_sample}"
                        for check in checks
                        if check.failure_info
                    ]
    hooks.unregister(before_call)
    return made, found


def main() -> int:
    """Start a stack with keys, and fuzz it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="of each operation and phase, at most")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    settings = {"BACKPROPD_MODE": "keys", "BACKPROPD_MAX_REQUESTS_PER_MINUTE": "10000000"}
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder), settings) as url:
        environment = {**os.environ, "BACKPROPD_DATA_DIR": str(Path(folder) / "data")}
        command = [sys.executable, "-m", "service", "keys", "create"]
        key = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
        headers = {"Authorization": f"Bearer {key}"}
        httpx.post(f"{url}/v1/datasets", json={"sample": "iris"}, headers=headers).raise_for_status()
        made, found = failures(f"{url}/openapi.json", key, arguments.examples, arguments.seed)
        statuses = httpx.get(f"{url}/metrics", headers=headers).text
    for name, count in made.most_common():
        print(f"{count:8} {name}")
    print("\n\n".join(found) or "no failures")
    print(*(line for line in statuses.splitlines() if "seconds_count" in line and 'status="5' in line), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
