"""An honest client of one tenant: a gentle mixture of ordinary requests, each of them measured."""

import json
import random
import threading
import time
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import Any

PAUSE = 0.5  # seconds between two requests, on average
CSV_TABLE = "a,b,label\n" + "".join(f"{n},{n % 7},{'yes' if n % 3 else 'no'}\n" for n in range(200))
JOB: dict[str, Any] = {"network": {"hidden": [{"units": 4}]}, "training": {"epochs": 20}}


class HonestClient:
    """Lists, looks at its last job, predicts a row, and less often uploads a small table or trains a small network.

    `seconds` are those of its requests, also of those that failed; `refused` counts these.
    """

    def __init__(self, port: int, key: str) -> None:
        """Train a model to predict with."""
        self.port, self.key, self._random = port, key, random.Random(key)
        self._http = HTTPConnection("127.0.0.1", port, timeout=60)
        self._dataset = self._ask("POST", "/v1/datasets", {"sample": "iris"})["id"]
        self._jobs: list[str] = []
        self._train()
        job = self._ask("GET", f"/v1/jobs/{self._jobs[0]}?wait=60")
        self._model = job["model_id"]
        self.forget()

    def forget(self) -> None:
        """Begin a phase, with a new connection: an idle one may have been closed."""
        self._http.close()
        self.seconds: list[float] = []
        self.refused = 0
        del self._jobs[:-1]

    def work(self, over: threading.Event) -> None:
        """Send requests until it is over."""
        often, seldom = (self._list, self._look, self._predict), (self._upload, self._sample, self._train)
        while not over.wait(self._random.expovariate(1 / PAUSE)):
            request = self._random.choice(often * 3 + seldom)
            began = time.perf_counter()
            try:
                request()
            except (OSError, HTTPException, RuntimeError):
                self.refused += 1
                self._http.close()
            self.seconds.append(time.perf_counter() - began)

    def job_wait(self) -> float:
        """The longest time in seconds that a job of this phase waited for a worker, or has waited so far."""
        waits = [0.0]
        for id in self._jobs[1:]:
            job = self._ask("GET", f"/v1/jobs/{id}")
            started = datetime.fromisoformat(job["started_at"]) if job["started_at"] else datetime.now(UTC)
            waits.append((started - datetime.fromisoformat(job["created_at"])).total_seconds())
        return max(waits)

    def _list(self) -> None:
        self._ask("GET", "/v1/jobs?limit=20")

    def _look(self) -> None:
        self._ask("GET", f"/v1/jobs/{self._jobs[-1]}")

    def _predict(self) -> None:
        self._ask("POST", f"/v1/models/{self._model}/predictions", {"rows": [[5.1, 3.5, 1.4, 0.2]]})

    def _upload(self) -> None:
        self._ask("POST", "/v1/datasets", CSV_TABLE, "text/csv")

    def _sample(self) -> None:
        self._ask("POST", "/v1/datasets", {"sample": "xor"})

    def _train(self) -> None:
        job = {"dataset_id": self._dataset, "target": "species", **JOB}
        self._jobs.append(self._ask("POST", "/v1/jobs", job)["id"])

    def _ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """The answer's JSON. Raises `RuntimeError` if the request is refused."""
        raw = body if isinstance(body, str | None) else json.dumps(body)
        self._http.request(method, path, raw, {"Authorization": f"Bearer {self.key}", "Content-Type": kind})
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content)
