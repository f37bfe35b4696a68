"""Ten honest tenants beside one whose key does everything it may: `python -m bench.hostile [ATTACK …]`.

Each attack follows a phase of the same length without one. Latencies are those of honest requests; how long honest jobs
wait for a worker is separate, because a tenant's first job may wait for one turn of each other tenant.
"""

import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from backpropd.config import Settings
from backpropd.store import keys
from backpropd.store.sql.database import Database
from bench import hostile_key, results
from bench.honest_client import HonestClient
from bench.hostile_key import ATTACKS, Target
from bench.measurement import percentile
from embedded.demo import stack
from tests.acceptance.attacks.api import server_pid
from tests.acceptance.attacks.observer import MIB, observed

HONEST = 10
SECONDS = float(os.environ.get("SECONDS", "20"))  # of each phase
MAX_RATIO = 3  # of the p99 with an attack to that without
MAX_HEALTHZ = 50  # milliseconds, the p99


class Phase(NamedTuple):
    """Milliseconds of honest requests and of `/healthz`, refused honest requests, seconds that honest jobs waited, MiB.

    `memory` is the peak of the API's processes, `sent` the number of the attack's requests.
    """

    p50: float
    p99: float
    healthz: float
    refused: int
    job_wait: float
    memory: float
    sent: int


def main(names: Sequence[str]) -> None:
    """Run the attacks, print, and store."""
    print(f"{'milliseconds':28}{'p50':>8}{'with':>8}{'p99':>8}{'with':>8}{'ratio':>8}{'healthz':>9}", end="")
    print(f"{'refused':>9}{'job, s':>8}{'MiB':>8}{'sent':>8}")
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder), {"BACKPROPD_MODE": "keys"}) as url:
        port = urlsplit(url).port or 0
        hostile, *honest = _keys(Path(folder), HONEST + 1)
        clients = [HonestClient(port, key) for key in honest]
        target, pid = hostile_key.prepare(port, hostile), server_pid(os.getpid(), port)
        _phase(clients, pid)  # warm up
        rows = [_compare(name, target, clients, pid) for name in names]
    limits = {"max_ratio": MAX_RATIO, "max_healthz": MAX_HEALTHZ, "max_memory": Settings().api_memory_bytes / MIB}
    results.write("hostile", {"honest": HONEST, "seconds": SECONDS, **limits, "rows": rows})


def _keys(folder: Path, count: int) -> list[str]:
    """Create `write` keys, one for each of `count` tenants, in the stack of this folder."""
    database = Database(Settings(data_dir=folder / "data").with_defaults().database_url)
    with database.write() as session:
        tokens = [keys.create(session, f"tenant{n}", None, ["write"], None)[1] for n in range(count)]
    database.dispose()
    return tokens


def _compare(name: str, target: Target, clients: Sequence[HonestClient], pid: int) -> dict[str, Any]:
    """A phase without the attack, then one with it."""
    alone, attacked = _phase(clients, pid), _phase(clients, pid, name, target)
    ratio = attacked.p99 / alone.p99
    print(f"{name:28}{alone.p50:8.1f}{attacked.p50:8.1f}{alone.p99:8.1f}{attacked.p99:8.1f}{ratio:8.2f}", end="")
    print(f"{attacked.healthz:9.1f}{attacked.refused:9}{attacked.job_wait:8.1f}{attacked.memory:8.0f}", end="")
    print(f"{attacked.sent:8}", flush=True)
    return {"name": name, "ratio": ratio, "alone": alone._asdict(), "attacked": attacked._asdict()}


def _phase(clients: Sequence[HonestClient], pid: int, name: str = "", target: Target | None = None) -> Phase:
    """What the honest clients experience for SECONDS, with this attack on the target if there is one."""
    for client in clients:
        client.forget()
    attack = nullcontext(lambda: 0) if target is None else hostile_key.attacking(name, target)
    over = threading.Event()
    threads = [threading.Thread(target=client.work, args=(over,)) for client in clients]
    with attack as count, observed(clients[0].port, pid, clients[0].key) as seen:
        for thread in threads:
            thread.start()
        over.wait(SECONDS)
        over.set()
        for thread in threads:
            thread.join()
        sent = count()
    milliseconds = [1000 * each for client in clients for each in client.seconds]
    p50, p99 = statistics.median(milliseconds), percentile(milliseconds, 0.99)
    refused, job_wait = sum(client.refused for client in clients), max(client.job_wait() for client in clients)
    return Phase(p50, p99, 1000 * seen.p99("/healthz"), refused, job_wait, seen.memory_peak / MIB, sent)


if __name__ == "__main__":
    main(sys.argv[1:] or list(ATTACKS))
