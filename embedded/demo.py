"""The demo: a stack of its own, a real data set, a network trained over HTTP and watched live, and its predictions."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

START_SECONDS = 180.0
SAMPLE = Path(__file__).parent.parent / "backpropd" / "tabular" / "samples" / "breast_cancer.csv"
TARGET = "diagnosis"


def main() -> int:
    """Run the demo; 0 only if all of it worked."""
    with tempfile.TemporaryDirectory(prefix="backpropd-demo-") as folder, stack(Path(folder)) as url:
        training = ["train", str(SAMPLE), "--target", TARGET, "--hidden", "16,8", "--epochs", "60", "--seed", "7"]
        print(f"\n$ backpropd {' '.join(['train', SAMPLE.name, *training[2:]])}", flush=True)
        _command(url, *training)
        models = json.loads(_command(url, "--json", "models", "list", capture=True))
        answers = Path(folder) / "predictions.csv"
        print(f"\n$ backpropd predict {models[0]['id']} {SAMPLE.name}", flush=True)
        _command(url, "predict", models[0]["id"], str(SAMPLE), "-o", str(answers))
        share = _show(answers)
    print("\nThe stack has stopped. `make run` starts one to keep; GET /docs on it shows the whole API.")
    return 0 if share >= 0.9 else 1


def _command(url: str, *arguments: str, capture: bool = False) -> str:
    """Run the client's command as a user would."""
    command = [sys.executable, "-m", "backpropd.cli", "--url", url, *arguments]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE if capture else None)
    return done.stdout or ""


def _show(answers: Path) -> float:
    """Print some predictions beside the truth; gives the share of right ones over the whole table."""
    with answers.open(newline="") as file:
        rows = list(csv.DictReader(file))
    right = sum(row["prediction"] == row[TARGET] for row in rows)
    for row in rows[:: len(rows) // 5][:5]:
        print(f"  {TARGET} {row[TARGET]:<10} predicted {row['prediction']}")
    print(f"  {right} of {len(rows)} rows are predicted right")
    return float(right) / len(rows)


@contextlib.contextmanager
def stack(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The embedded stack on a free port, its log in a file that is shown only if something goes wrong."""
    where = {"BACKPROPD_MODE": "local", "BACKPROPD_HOST": "127.0.0.1", "BACKPROPD_PORT": "0"}
    own = {"BACKPROPD_DATA_DIR": str(folder / "data"), **where}
    environment = {**os.environ, **own, **(settings or {})}
    log = folder / "stack.log"
    with log.open("w") as out:
        stack = subprocess.Popen(
            [sys.executable, "-m", "embedded"], env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield _address(stack, folder / "data" / "stack.json")
    except BaseException:
        print(log.read_text(), file=sys.stderr)
        raise
    finally:
        stack.send_signal(signal.SIGTERM)
        if stack.wait(40) != 0:
            print(log.read_text(), file=sys.stderr)
            sys.exit(f"the stack ended with status {stack.returncode}")


def _address(stack: subprocess.Popen[bytes], told: Path) -> str:
    print("Starting Redis, the API, the workers and the reaper …", flush=True)
    until = time.monotonic() + START_SECONDS
    while stack.poll() is None and time.monotonic() < until:
        if told.exists():
            url: str = json.loads(told.read_text())["url"]
            print(f"The stack is ready at {url}", flush=True)
            return url
        time.sleep(0.1)
    raise RuntimeError("the stack did not start")


if __name__ == "__main__":
    sys.exit(main())
