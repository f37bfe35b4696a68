"""The section on served predictions in `docs/performance.md`."""

from typing import Any

from bench import results
from bench.markdown import judged, table


def section() -> str:
    """The section, from the results of the last run."""
    found = results.read("serving")
    rows = [line for row in found["rows"] for line in _lines(row)]
    drifts = " and ".join(f"{row['drift']:+.1%}" for row in found["rows"])
    return f"""## Served predictions

Rows of the digits are predicted over HTTP: one worker process of each server, one client (wrk) with
{found["connections"]} connections. The service runs on the embedded stack. MLflow's server (`mlflow models serve`) has
a scikit-learn pipeline of the same size and one BLAS thread. It gets data frames (`dataframe_split`), whose columns it
checks by name and type as the service does, and answers with labels alone; a matrix as `inputs` is read faster. The
server written by hand (FastAPI, onnxruntime with one thread, uvicorn with uvloop) has the same network, and takes and
answers the same JSON, validated by a pydantic model as FastAPI's tutorial has it; without a model, and with orjson, it
is faster. Its probabilities differ by at most {found["difference"]:.0e}. The network has 61 inputs, because three of
the 64 pixels are 0 in all rows, 64 hidden units and 10 classes.
{", ".join(found["versions"])}.

Medians of {found["rounds"]} measurements of {found["seconds"]} s; the service is measured before and after the others,
and its rate changed by {drifts} in between. The last column is the service's rate relative to that of the
server; the target of its p99 is MLflow's p50.

{table(["rows a request, server", "requests/s", "p50, ms", "p99, ms", "the service is"], rows)}"""


def _lines(row: dict[str, Any]) -> list[list[str]]:
    """The service, then each other server."""
    ours, count = row["ours"], row["count"]
    p99 = judged(ours["p99"], ".2f", maximum=round(ours["max_p99"], 2))
    first = [f"{count}, backpropd", f"{ours['per_second']:,.0f}", f"{ours['p50']:.2f}", p99, ""]
    return [first, *(_server(count, each) for each in row["servers"])]


def _server(count: int, load: dict[str, Any]) -> list[str]:
    times = (f"{load[name]:.2f}" for name in ("p50", "p99"))
    target = load["min_ratio"]
    ratio = f"{load['ratio']:.2f}×" if target is None else judged(load["ratio"], ".2f", "×", minimum=target)
    return [f"{count}, {load['name']}", f"{load['per_second']:,.0f}", *times, ratio]
