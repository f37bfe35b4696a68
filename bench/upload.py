"""Parsing a CSV of 100 MB compared with pyarrow's `read_csv` alone: `python -m bench.upload`."""

import statistics
import tempfile
from pathlib import Path

import numpy as np
from pyarrow import csv as pa_csv

from backpropd.tabular import ingest
from bench import results
from bench.measurement import in_new_process, memory, seconds

MEGABYTES = 100
MAX_RATIO, MAX_MEBIBYTES = 2, 64
ROUNDS = 9
COLUMNS = 10


def main() -> None:
    """Print both times, their ratio, and how much memory parsing takes."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "big.csv", Path(folder) / "big.parquet"
        _write(source)
        bare, ours = [], []
        for _ in range(ROUNDS):
            bare.append(seconds(lambda: pa_csv.read_csv(source)))
            ours.append(seconds(lambda: ingest(source, target)))
            target.unlink()  # an upload has a new file: to replace one takes longer
        grown = in_new_process(_growth, source, target)
    a, b = statistics.median(bare), statistics.median(ours)
    print(f"a CSV of {MEGABYTES} MB, {COLUMNS} numeric columns and one of strings, medians of {ROUNDS}")
    print(f"pyarrow alone       {a:6.2f} s")
    print(f"ingest              {b:6.2f} s   {b / a:.2f} times; target: at most {MAX_RATIO}")
    print(f"memory grew by      {grown / 2**20:6.0f} MiB   target: below {MAX_MEBIBYTES}")
    found = {"bare": a, "ours": b, "ratio": b / a, "mebibytes": grown / 2**20}
    results.write("upload", {"megabytes": MEGABYTES, "max_ratio": MAX_RATIO, "max_mebibytes": MAX_MEBIBYTES} | found)


def _write(path: Path) -> None:
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join(f"x{n}" for n in range(COLUMNS)) + ",colour\n")
        block = rng.normal(size=(10_000, COLUMNS)).round(5).astype(str)
        words = rng.choice(["red", "green", "blue"], 10_000)
        text = "\n".join(",".join(row) + "," + word for row, word in zip(block, words, strict=True)) + "\n"
        while file.tell() < MEGABYTES * 1_000_000:
            file.write(text)


def _growth(source: Path, target: Path) -> int:
    """The rise of this process's peak memory while it parses, in bytes."""
    small = source.with_name("small.csv")
    small.write_text("a,b\n1,x\n")
    ingest(small, target)  # import everything
    before = memory("VmHWM")
    ingest(source, target)
    return memory("VmHWM") - before


if __name__ == "__main__":
    main()
