"""The demo: starts a stack, trains a network on a real data set over HTTP, watches it live, and predicts."""

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
    """Run the demo; 0 if all of it worked."""
    with tempfile.TemporaryDirectory(prefix="backpropd-demo-") as folder, stack(Path(folder)) as url:
        training = ["train", str(SAMPLE), "--target", TARGET, "--hidden", "16,8", "--epochs", "60", "--seed", "7"]
        print(f"\n$ backpropd {' '.join(['train', SAMPLE.name, *training[2:]])}", flush=True)
        _command(url, *training)
        models = json.loads(_command(url, "--json", "models", "list", capture=True))
        predictions = Path(folder) / "predictions.csv"
        print(f"\n$ backpropd predict {models[0]['id']} {SAMPLE.name}", flush=True)
        _command(url, "predict", models[0]["id"], str(SAMPLE), "-o", str(predictions))
        accuracy = _show(predictions)
    print("\nThe stack has stopped. `make run` starts one that stays; its page /docs shows the whole API.")
    return 0 if accuracy >= 0.9 else 1


def _command(url: str, *arguments: str, capture: bool = False) -> str:
    """Run the command `backpropd`; returns its output if `capture`."""
    command = [sys.executable, "-m", "backpropd.cli", "--url", url, *arguments]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE if capture else None)
    return done.stdout or ""


def _show(predictions: Path) -> float:
    """Print some predictions with their targets; returns the accuracy over the whole table."""
    with predictions.open(newline="") as file:
        rows = list(csv.DictReader(file))
    correct = sum(row["label"] == row[TARGET] for row in rows)
    for row in rows[:: len(rows) // 5][:5]:
        print(f"  {TARGET} {row[TARGET]:<10} predicted {row['label']}")
    print(f"  {correct} of {len(rows)} rows are predicted correctly")
    return float(correct) / len(rows)


@contextlib.contextmanager
def stack(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The embedded stack on a free port; yields its URL. Its log is printed only after a failure."""
    address = {"BACKPROPD_MODE": "local", "BACKPROPD_HOST": "127.0.0.1", "BACKPROPD_PORT": "0"}
    environment = {**os.environ, "BACKPROPD_DATA_DIR": str(folder / "data"), **address, **(settings or {})}
    log = folder / "stack.log"
    with log.open("w") as out:
        stack = subprocess.Popen(
            [sys.executable, "-m", "embedded"], env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield _wait_for_url(stack, folder / "data" / "stack.json")
    except BaseException:
        print(log.read_text(), file=sys.stderr)
        raise
    finally:
        stack.send_signal(signal.SIGTERM)
        if stack.wait(40) != 0:
            print(log.read_text(), file=sys.stderr)
            sys.exit(f"the stack ended with status {stack.returncode}")


def _wait_for_url(stack: subprocess.Popen[bytes], address_file: Path) -> str:
    print("Starting Redis, the API, the workers and the reaper …", flush=True)
    deadline = time.monotonic() + START_SECONDS
    while stack.poll() is None and time.monotonic() < deadline:
        if address_file.exists():
            url: str = json.loads(address_file.read_text())["url"]
            print(f"The stack is ready at {url}", flush=True)
            return url
        time.sleep(0.1)
    raise RuntimeError("the stack did not start")


if __name__ == "__main__":
    sys.exit(main())
