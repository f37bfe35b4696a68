"""The figures of the last `make bench`, written down: `python -m bench.report` makes `docs/performance.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import plot, results

DOCS = Path(__file__).parent.parent / "docs"
PEERS = {"scikit-learn": "scikit-learn", "pytorch": "PyTorch", "jax": "JAX, a step a call"}


def main() -> None:
    """Write the page and its picture; every figure in both is from `bench/out/`."""
    steps = results.read("steps")
    plot.draw(steps["rows"], DOCS / "performance.svg")
    parts = [_head(), _steps(steps), _peak(steps), _inference(), _footprint(), _http(), _service(), _throughput()]
    parts.append(_upload())
    (DOCS / "performance.md").write_text("\n\n".join(parts) + "\n")
    print("written: docs/performance.md, docs/performance.svg")


def _head() -> str:
    machine, steps = results.read("machine"), results.read("steps")
    versions = dict.fromkeys(part for each in machine["versions"] + steps["versions"] for part in each.split(", "))
    return f"""# Performance

Written by `make bench` from one run of it: change nothing here by hand. {machine["date"]}, {machine["processor"]},
{machine["cores"]} cores, {machine["system"]}, other load at the start {machine["load"]:.1f}.
{", ".join(versions)}.

A bold figure misses what was wanted."""


def _steps(steps: dict[str, Any]) -> str:
    times = [
        [_name(row), *(_microseconds(row["microseconds"].get(name)) for name in plot.STYLES)] for row in steps["rows"]
    ]
    ratios = [[_name(row), *(_ratio(row, peer) for peer in PEERS), _harder(row)] for row in steps["rows"]]
    missing = [f"\n\nMissing: {name} ({why})." for name, why in steps["missing"].items()]
    return f"""## A training step

SGD with momentum, float32, relu, one thread on one core; the same data, network and batches, shuffled each epoch.
Everybody starts afresh in every round, warm; rounds take turns, and the medians of {steps["rounds"]} are shown. JAX is
compiled whole, once with a step a call and once with `lax.scan` over an epoch's batches.

![Time of a training step of each contender on each workload](performance.svg)

Microseconds a step:

{_table(["rows, features, hidden, classes, batch", *(style[0] for style in plot.STYLES.values())], times)}

How many of the compiled core's steps fit into one of the peer's, and how many at least were wanted:

{_table(["", *PEERS.values(), "JAX, an epoch a call"], ratios)}{"".join(missing)}

JAX is judged with a step a call, the loop that PyTorch has, with its step jitted. We read the wanted figures so because
they came with a core of 6.6, 35 and 48 µs a step on the first three rows, hence with a JAX of about 40, 105 and 110 µs:
far from an epoch a call. That one is a harder peer, for whom Python does nothing between two steps;
{_beside(steps["rows"])}"""


def _beside(rows: Sequence[dict[str, Any]]) -> str:
    """How the harder of JAX's ways stands to what was wanted of the other."""
    missed = [row["name"] for row in rows if row["harder"] and row["harder"] < row["wanted"]["jax"]]
    if not missed:
        return "what was wanted is reached beside it, too."
    return f"beside it, what was wanted is missed on {'; '.join(f'_{name}_' for name in missed)}."


def _harder(row: dict[str, Any]) -> str:
    return "missing" if row["harder"] is None else f"{row['harder']:.2f}×"


def _name(row: dict[str, Any]) -> str:
    work = row["workload"]
    hidden = ",".join(map(str, work["hidden"]))
    return f"{row['name']}: {work['rows']}, {work['inputs']}, ({hidden}), {work['classes']}, {work['batch_size']}"


def _microseconds(value: float | None) -> str:
    return "missing" if value is None else f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def _ratio(row: dict[str, Any], peer: str) -> str:
    if peer not in row["ratios"]:
        return "missing"
    ratio, wanted = row["ratios"][peer], row["wanted"][peer]
    return f"{_judged(f'{ratio:.2f}×', ratio >= wanted)} (≥ {wanted:g}×)"


def _peak(steps: dict[str, Any]) -> str:
    wide = steps["rows"][-1]
    share = _judged(f"{wide['share']:.1%}", wide["share"] >= steps["wanted_share"])
    return f"""## The machine's limit

`np.dot` of large square float32 matrices reaches {wide["peak"]:.1f} GFLOP/s in the same run, on one thread. On
_{wide["name"]}_ the core reaches {wide["gigaflops"]:.1f}, counting the multiply-adds of the matrix products alone:
{share} of it (wanted: at least {steps["wanted_share"]:.0%})."""


def _inference() -> str:
    found = results.read("inference")
    rows = [
        [name, *(_judged(f"{each:.1f}", each <= found["wanted"]) for each in ways.values())]
        for name, ways in found["microseconds"].items()
    ]
    return f"""## Prediction of one row

A compiled `row_predictor` that is kept, and `Network.predict`, in NumPy, on one row, in microseconds (wanted: at most
{found["wanted"]}). The weights must be read whole, and those of _wide_ are 8 MB, of _mnist-like_ 1.

{_table(["network", "row_predictor", "predict"], rows)}"""


def _footprint() -> str:
    found = results.read("footprint")
    work, wanted = found["workload"], found["wanted"]
    peaks = [[what, _judged(f"{peak:.2f}", peak < wanted)] for what, peak in found["peaks"].items()]
    steps = [
        [
            engine,
            str(more["steps"]),
            f"{more['bytes']:,}",
            f"{more['peak']:,}",
            str(more["arrays"]) if engine == "numba" else "–",
        ]
        for engine, more in found["steps"].items()
    ]
    return f"""## Memory

Training on {work["rows"]:,} × {work["inputs"]} float32: how far the process grows beyond its libraries, data included,
in sizes of the encoded array (wanted: below {wanted}). The core begins with the encoded array, the job with the
dataset:

{_table(["", "peak"], peaks)}

What that many more steps, in more epochs, leave behind, add to the peak (the orders of the rows, which are drawn for
some epochs ahead), and make of arrays in compiled code:

{_table(["engine", "steps", "bytes left", "bytes at the peak", "arrays"], steps)}"""


def _http() -> str:
    if not results.exists("http"):
        return "## Training over HTTP\n\nNot measured in this run."
    found = results.read("http")
    rows = [_job(row, way, job) for row in found["rows"] for way, job in row["jobs"].items()]
    head = ["job", "engine", "epochs", "core", "job", "lost", "lost in the epochs"]
    return f"""## Training over HTTP

Steps a second of the core alone, and of a job from `started_at` to `finished_at` on the embedded stack, which does the
same steps and metrics: the rest is reading the dataset, the database, heartbeats, events and the model. The last
column looks at the epochs' seconds only. A watched job's client reads every epoch's event. Medians of
{found["rounds"]}, in turns.

{_table(head, rows)}"""


def _job(row: dict[str, Any], way: str, job: dict[str, float]) -> list[str]:
    lost = _judged(f"{job['loss']:.1%}", job["loss"] <= row["wanted"])
    return [
        f"{row['name']}, {way}",
        row["engine"],
        f"{row['epochs']:,}",
        f"{row['core']:,.0f}",
        f"{job['whole']:,.0f}",
        f"{lost} (≤ {row['wanted']:.0%})",
        f"{job['loss_in_epochs']:.1%}",
    ]


def _service() -> str:
    found = results.read("service")
    rows = []
    for row in found["rows"]:
        median = _judged(f"{row['p50']:.1f}", row["p50"] <= row["wanted"])
        rows.append([row["name"], f"{median} (≤ {row['wanted']})", f"{row['p95']:.1f}"])
    return f"""## A small job, end to end

iris, hidden 8, 50 epochs, {found["jobs"]} jobs one after the other, in milliseconds:

{_table(["", "p50", "p95"], rows)}"""


def _throughput() -> str:
    found = results.read("throughput")
    databases = found["databases"]
    rows = [
        [name, *(_throughput_cell(found, name, kind) for kind in databases)] for name in next(iter(databases.values()))
    ]
    return f"""## Many jobs, long queues, many streams

{found["jobs"]} jobs of 20 epochs on xor, posted by a few clients at once, through the whole stack; claims while
{found["queued"]:,} jobs wait; pages of a curve of a million epochs; {found["streams"]} event streams of one job:

{_table(["", *databases], rows)}"""


def _throughput_cell(found: dict[str, Any], name: str, kind: str) -> str:
    figure, wanted, most = found["databases"][kind][name], found["wanted"][kind], found["most"].get(name)
    if name == "jobs a second":
        return f"{_judged(f'{figure:,.1f}', figure >= wanted)} (≥ {wanted})"
    if most is not None:
        return f"{_judged(f'{figure:,.2f}', figure <= most)} (≤ {most})"
    return f"{figure:,.2f}"


def _upload() -> str:
    found = results.read("upload")
    ratio = _judged(f"{found['ratio']:.2f}", found["ratio"] <= 2)
    grown = _judged(f"{found['mebibytes']:.0f}", found["mebibytes"] < 64)
    return f"""## A large upload

A CSV of {found["megabytes"]} MB: pyarrow's bare read takes {found["bare"]:.2f} s, ours, with every column described
and written, {found["ours"]:.2f} s: {ratio} times (wanted: at most 2). Memory grows by {grown} MiB (wanted: below
64)."""


def _judged(figure: str, met: bool) -> str:
    return figure if met else f"**{figure}**"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
