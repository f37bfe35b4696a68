"""Runs one contender in a process and an environment of its own, with JSON lines on stdin and stdout.

`python -m bench.runner MODULE CONTENDER` imports `bench.contenders.MODULE` and sends its version. A line with a
workload makes it warm up and answer the repeats of a round; a line with a number runs that many repeats. The process
uses one thread on one core.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO

from bench.measurement import seconds

ROUND_SECONDS = 0.3
MIN_REPEATS = 3  # so that the work that a run does once does not distort the time
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def main() -> None:
    """Answer requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries print to stdout
    _use_one_thread()
    try:
        module = importlib.import_module(f"bench.contenders.{sys.argv[1]}")
    except ImportError as error:
        _answer(answers, missing=str(error))
        return
    _answer(answers, version=module.VERSION)
    _serve(module.CONTENDERS[sys.argv[2]], answers)


def _serve(contender: Callable[..., Any], answers: TextIO) -> None:
    from bench.workloads import Workload  # imports NumPy, which reads the number of threads

    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(request, dict):
            start = contender(Workload(**request | {"hidden": tuple(request["hidden"])}))
            _answer(answers, repeats=_warm_up(start))
        else:
            _answer(answers, seconds=seconds(partial(start(), request)))


def _use_one_thread() -> None:
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"), XLA_FLAGS="--xla_cpu_multi_thread_eigen=false")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _warm_up(start: Callable[[], Callable[[int], object]]) -> int:
    """Compile and fill caches; return how many repeats take about ROUND_SECONDS."""
    start()(1)
    repeats = 1
    while (needed := seconds(partial(start(), repeats))) < ROUND_SECONDS / 2:
        repeats *= 2
    return max(MIN_REPEATS, round(repeats * ROUND_SECONDS / needed))


def _answer(answers: TextIO, **answer: Any) -> None:
    print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
