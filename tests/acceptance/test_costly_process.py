"""Costly requests are answered by a process of their own, as if there were one process, and its end is survived."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from flask import Flask

from embedded.orphan_guard import is_running
from service.app import create_app
from tests.acceptance.attacks.api import CSV, JSON, SECONDS, Api, running_api
from tests.acceptance.attacks.observer import api_processes, idle_threads
from tests.embedded.running import eventually, is_listening

pytestmark = pytest.mark.acceptance

LIMITS = {"MAX_JSON_BYTES": "3000000", "MAX_UPLOAD_BYTES": "4000000", "MAX_LOOKS_PER_KEY": "1"}
WIDE = "\n".join(
    [",".join(f"c{n}" for n in range(1500)), *(",".join(str(n * row % 7) for n in range(1500)) for row in range(9))]
)
FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}
LONG_TABLE = "a,b\n" + "".join(f"{n % 9},{n % 7}\n" for n in range(9000))
MANY_ROWS = b"a,b\n" + b"1,2\n" * 900_000
MANY = json.dumps({"rows": [[n % 9, n % 7] for n in range(3000)]})


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A running API with small limits."""
    with running_api(tmp_path_factory.mktemp("costly"), LIMITS) as running:
        yield running


@pytest.fixture(scope="module")
def app(api: Api) -> Iterator[Flask]:
    """The same app in this process, where it has no other process."""
    limits = {name.lower(): int(value) for name, value in LIMITS.items()}
    made = create_app(api.settings.model_copy(update=limits))
    yield made
    made.extensions["backpropd"].database.dispose()


@pytest.fixture(scope="module")
def ids(api: Api) -> dict[str, str]:
    """Of a wide and a narrow dataset, and of a classifier of two features."""
    narrow = api.upload("a,b,y\n" + "".join(f"{n % 9},{n % 7},{'pq'[n % 9 > n % 7]}\n" for n in range(200)))
    training = {"epochs": 1, "engine": "numpy"}
    model = api.train(dataset_id=narrow, target="y", training=training)
    return {"wide": api.upload(WIDE), "narrow": narrow, "model": model}


def costly(api: Api) -> psutil.Process:
    """The costly process."""
    return api_processes(api.pid)[2]


def form(table: str) -> bytes:
    return (
        f'--xyz\r\nContent-Disposition: form-data; name="file"; filename="t.csv"\r\n\r\n{table}\r\n--xyz--\r\n'.encode()
    )


TO_CSV, GZIP = {"Accept": "text/csv"}, {**CSV, "Content-Encoding": "gzip"}
PLAN = '{"dataset_id": "{wide}", "target": "c1", "training": {"seed": 1}}'
PREDICTIONS, DATASET = "/v1/models/{model}/predictions", '{"dataset_id": "{narrow}"}'
REQUESTS: dict[str, tuple[str, str, bytes | str | None, dict[str, str]]] = {
    "a wide dataset": ("GET", "/v1/datasets/{wide}", None, {}),
    "rows of a wide dataset": ("GET", "/v1/datasets/{wide}/rows", None, {}),
    "the head of a wide dataset": ("HEAD", "/v1/datasets/{wide}", None, {}),
    "a plan for a wide dataset": ("POST", "/v1/jobs?dry_run=true", PLAN, JSON),
    "a preview of a long table": ("POST", "/v1/datasets/preview", LONG_TABLE, CSV),
    "a preview of a wide table": ("POST", "/v1/datasets/preview", WIDE[:15_000], CSV),
    "a preview of a form": ("POST", "/v1/datasets/preview", form(LONG_TABLE), FORM),
    "a preview of a compressed table": ("POST", "/v1/datasets/preview", gzip.compress(LONG_TABLE.encode()), GZIP),
    "a preview of JSON": ("POST", "/v1/datasets/preview", json.dumps([{"a": n} for n in range(9000)]), JSON),
    "a preview of no table": ("POST", "/v1/datasets/preview", b"PK\3\4" * 9000, CSV),
    "predictions of many rows": ("POST", PREDICTIONS, MANY, JSON),
    "predictions of many rows as CSV": ("POST", PREDICTIONS, MANY, {**JSON, **TO_CSV}),
    "predictions of a table": ("POST", PREDICTIONS, "a,b\n1,2\n", CSV),
    "predictions of a long table": ("POST", PREDICTIONS, LONG_TABLE * 20, {**CSV, **TO_CSV}),
    "predictions of a dataset": ("POST", PREDICTIONS, DATASET, JSON),
    "predictions of an undeclared dataset": ("POST", PREDICTIONS, DATASET, CSV),
    "predictions that nobody accepts": ("POST", PREDICTIONS, MANY, {**JSON, "Accept": "image/gif"}),
    "rows with mistakes": ("POST", PREDICTIONS, '{"rows": [' + "0," * 20_000 + "0]}", JSON),
    "rows that are no JSON": ("POST", PREDICTIONS, "[" * 20_000, JSON),
    "too many bytes": ("POST", PREDICTIONS, "[" * 3_000_001, JSON),
    "a long body for an unknown model": ("POST", "/v1/models/model_1/predictions", MANY, JSON),
    "a long body of an unknown encoding": ("POST", "/v1/jobs", MANY, {**JSON, "Content-Encoding": "br"}),
    "a long body of an unknown type": ("POST", "/v1/jobs", MANY, CSV),
    "a long job with mistakes": ("POST", "/v1/jobs", json.dumps({"features": list(range(9000))}), JSON),
    "a trace": ("POST", "/v1/models/{model}/trace", '{"rows": [[1, 2]], "targets": ["p"]}', JSON),
    "a trace with mistakes": ("POST", "/v1/models/{model}/trace", '{"rows": []}', JSON),
    "a trace of an unknown model": ("POST", "/v1/models/model_1/trace", "{}", JSON),
    "a curve": ("GET", "/v1/models/{model}/curve?feature=a", None, {}),
    "a curve of an unknown feature": ("GET", "/v1/models/{model}/curve?feature=z", None, {}),
    "a surface": ("GET", "/v1/models/{model}/surface?points=3", None, {}),
    "weights": ("GET", "/v1/models/{model}/weights?format=npz", None, {}),
    "the head of weights": ("HEAD", "/v1/models/{model}/weights", None, {}),
}  # fmt: skip


OWN_HEADERS = {"date", "x-request-id", "connection", "transfer-encoding"}  # of an answer, or of the server


@pytest.mark.parametrize("name", REQUESTS)
def test_both_processes_answer_alike(api: Api, app: Flask, ids: dict[str, str], name: str) -> None:
    method, path, body, headers = REQUESTS[name]
    for key, value in ids.items():
        path = path.replace(f"{{{key}}}", value)
        body = body.replace(f"{{{key}}}", value) if isinstance(body, str) else body
    with api.http() as http:
        answer = http.request(method, path, content=body, headers=headers)
        own = {"Authorization": http.headers["Authorization"], **headers}
        expected = app.test_client().open(path, method=method, data=body, headers=own)
    assert (answer.status_code, answer.content) == (expected.status_code, expected.data)
    found, wanted = (
        {name.lower(): value for name, value in each.items()} for each in (answer.headers, expected.headers)
    )
    assert {name: found[name] for name in found.keys() - OWN_HEADERS} == {
        name: wanted[name] for name in wanted.keys() - OWN_HEADERS
    }


@contextmanager
def stopped(api: Api) -> Iterator[psutil.Process]:
    """The costly process, which does nothing for the duration of the block."""
    process = costly(api)
    process.suspend()
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def test_other_requests_do_not_wait_for_the_costly_process(api: Api, ids: dict[str, str]) -> None:
    path = f"/v1/models/{ids['model']}"
    with api.http() as http, ThreadPoolExecutor(1) as threads:
        with stopped(api):
            waiting = threads.submit(http.get, f"{path}/curve?feature=a")
            for _ in range(3):
                assert http.post(f"{path}/predictions", json={"rows": [[1, 2]]}).status_code == 200
                assert http.post("/v1/datasets", json={"sample": "xor"}).status_code == 201
                assert http.get("/healthz").status_code == 200
            assert not waiting.done()
        assert waiting.result().status_code == 200


def test_the_front_has_priority(api: Api) -> None:
    assert costly(api).nice() > psutil.Process(api.pid).nice()


def test_a_request_whose_process_dies_is_answered_503_and_the_next_one_as_always(api: Api, ids: dict[str, str]) -> None:
    path, process = f"/v1/models/{ids['model']}", costly(api)
    with api.http() as http, ThreadPoolExecutor(1) as threads:
        idle = idle_threads(process)
        computing = threads.submit(http.post, f"{path}/predictions", content=MANY_ROWS, headers={**CSV, **TO_CSV})
        eventually(lambda: process.num_threads() > idle, SECONDS)
        process.kill()
        answer = computing.result()
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert http.get(f"{path}/curve?feature=a").status_code == 200


def test_a_request_that_a_process_has_not_begun_is_answered_by_the_next_one(api: Api, ids: dict[str, str]) -> None:
    with api.http() as http, ThreadPoolExecutor(1) as threads:
        with stopped(api) as process:
            waiting = threads.submit(http.get, f"/v1/models/{ids['model']}/curve?feature=a")
            time.sleep(0.2)
            process.kill()
        assert waiting.result().status_code == 200


def long_answer(api: Api, model: str) -> socket.socket:
    """A connection on which predictions of many rows were asked for, and their beginning has come."""
    lines = (
        f"POST /v1/models/{model}/predictions HTTP/1.1", "Host: localhost", f"Authorization: Bearer {api.write}",
        "Content-Type: text/csv", "Accept: text/csv", f"Content-Length: {len(MANY_ROWS)}", "Connection: close", "", "",
    )  # fmt: skip
    connection = socket.create_connection(("127.0.0.1", api.port), SECONDS)
    connection.sendall("\r\n".join(lines).encode() + MANY_ROWS)
    assert b" 200 " in connection.recv(100)
    return connection


def test_an_answer_whose_process_dies_is_cut(api: Api, ids: dict[str, str]) -> None:
    with closing(long_answer(api, ids["model"])) as connection:
        costly(api).kill()
        received = b""
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received = (received + chunk)[-100:]
    assert not received.endswith(b"0\r\n\r\n")


def test_a_client_that_leaves_gives_its_slot_back(api: Api, ids: dict[str, str]) -> None:
    path = f"/v1/models/{ids['model']}/curve?feature=a"
    with api.http() as http:
        with closing(long_answer(api, ids["model"])):
            assert http.get(path).status_code == 429
        eventually(lambda: http.get(path).status_code == 200, SECONDS)


def supervisors(api: Api) -> list[psutil.Process]:
    """The sandbox processes that parse a table, and the idle one for the next table."""
    below = psutil.Process(api.pid).children(recursive=True)
    server: psutil.Process = next(each for each in below if "backpropd.tabular.sandbox.server" in each.cmdline())
    return list(server.children())


def test_the_table_of_a_client_that_leaves_is_not_read_beside_others(api: Api) -> None:
    body = "\n".join(",".join(f"{letter}{n}" for n in range(20_000)) for letter in "cxy").encode()
    headers = f"Host: a\r\nAuthorization: Bearer {api.write}\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", api.port), SECONDS) as connection:
            connection.sendall(f"POST /v1/datasets HTTP/1.1\r\n{headers}".encode() + body)
            eventually(lambda: len(supervisors(api)) > 1, SECONDS)
            time.sleep(0.3)
    assert len(supervisors(api)) <= 3  # one may be ending
    eventually(lambda: len(supervisors(api)) == 1, SECONDS)


def test_many_costly_requests_at_once_are_answered(api: Api, ids: dict[str, str]) -> None:
    with api.http() as http, ThreadPoolExecutor(16) as threads:
        path = f"/v1/models/{ids['model']}/predictions"
        statuses = threads.map(lambda _: http.post(path, content=MANY, headers=JSON).status_code, range(200))
        assert set(statuses) == {200}


def test_a_long_body_in_chunks_is_received_and_limited(api: Api, ids: dict[str, str]) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        yield b'{"rows": ['
        yield from [b"[1,2]," * 10_000] * count
        yield b"[1,2]]}"

    with api.http() as http:
        path = f"/v1/models/{ids['model']}/predictions"
        assert len(http.post(path, content=chunks(2), headers=JSON).json()["predictions"]) == 20_001
        assert http.post(path, content=chunks(60), headers=JSON).status_code == 413


@pytest.mark.parametrize(
    ("path", "kind", "length", "status"),
    [
        ("/v1/models/model_1/predictions", "application/json", 100_000, 404),
        ("/v1/models/model_1/predictions", "text/csv", 100_000, 404),
        ("/v1/models/model_1/trace", "application/json", 100_000, 404),
        ("/v1/datasets", "text/csv", 5_000_000, 413),
        ("/v1/jobs", "application/json", 5_000_000, 413),
        ("/v1/jobs", "text/csv", 100_000, 415),
    ],
)
def test_a_request_that_fails_anyhow_is_answered_before_its_body_comes(
    api: Api, path: str, kind: str, length: int, status: int
) -> None:
    lines = (
        f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {api.write}",
        f"Content-Type: {kind}", f"Content-Length: {length}", "", "",
    )  # fmt: skip
    with socket.create_connection(("127.0.0.1", api.port), SECONDS) as connection:
        connection.sendall("\r\n".join(lines).encode())
        assert int(connection.recv(100).split()[1]) == status


def test_a_repeated_long_upload_makes_one_dataset(api: Api) -> None:
    with api.http() as http:
        headers = {**CSV, "Idempotency-Key": "one"}
        first, second = (http.post("/v1/datasets", content=LONG_TABLE, headers=headers) for _ in range(2))
        other = http.post("/v1/datasets", content=LONG_TABLE + "1,1\n", headers=headers)
    assert (first.status_code, first.json()["rows"]) == (201, 9000)
    assert second.json() == first.json()
    assert other.status_code == 422


def test_without_its_template_the_api_answers_itself(tmp_path: Path) -> None:
    with running_api(tmp_path) as api, api.http() as http:
        _, *others = api_processes(api.pid)
        for process in others:
            process.kill()
        eventually(lambda: not any(is_running(process.pid) for process in others), SECONDS)
        assert http.post("/v1/datasets", content=LONG_TABLE, headers=CSV).status_code == 201


def test_no_process_outlives_an_api_that_is_killed_and_another_one_begins(api: Api) -> None:
    eventually(lambda: len(api_processes(api.pid)) == 3, SECONDS)
    front, *others = api_processes(api.pid)
    supervisor = psutil.Process(api.log.process.pid)
    sandbox = [each for each in front.children(recursive=True) if each not in others]
    front.kill()
    assert not psutil.wait_procs([*others, *sandbox], SECONDS)[1]
    eventually(lambda: is_listening(api.port), SECONDS)
    eventually(lambda: len(supervisor.children(recursive=True)) > 2, SECONDS)
