"""Attacks by requests for large answers: cells, pages and loaded models are bounded, whatever is asked for."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from backpropd.store.sql.database import Database
from tests.acceptance.attacks.api import JSON, Api
from tests.acceptance.attacks.test_validation_errors import numbered

pytestmark = pytest.mark.acceptance

CLASSES = 900
COPIES = 22
COLUMNS = 20_000
TWO = {"hidden": [{"units": 2}]}
ONE_EPOCH = {"epochs": 1, "validation_fraction": 0.0, "engine": "numpy"}


def get(api: Api, path: str, *statuses: int, accept: str = "*/*", mib: float = 150, seconds: float = 3) -> bytes:
    """GET under observation; the answer has one of these statuses."""
    with api.http(api.read) as http, api.observed() as seen:
        answer = http.get(path, headers={"Accept": accept})
    assert answer.status_code in statuses, answer.text[:1000]
    print(f"{len(answer.content) / 1e6:.1f} MB")
    seen.check(seconds=seconds, mib=mib)
    return answer.content


@pytest.fixture(scope="module")
def many_classes(api: Api) -> str:
    """The path of a classifier of 900 classes."""
    rows = [f"{n % 89},{n % 97},c{n % CLASSES}" for n in range(20 * CLASSES)]
    dataset = api.upload("\n".join(["a,b,label", *rows]))
    return f"/v1/models/{api.train(dataset_id=dataset, target='label', network=TWO, training=ONE_EPOCH)}"


@pytest.fixture(scope="module")
def wide(api: Api) -> str:
    """The path of a table of 20,000 columns and 100 rows."""
    rows = [",".join(str(n % 5 + row) for n in range(COLUMNS)) for row in range(100)]
    return f"/v1/datasets/{api.upload(chr(10).join([','.join(numbered(COLUMNS)), *rows]))}"


@pytest.fixture(scope="module")
def wide_model(api: Api, wide: str) -> str:
    """The path of a model of 19,999 features."""
    dataset = wide.rpartition("/")[2]
    return f"/v1/models/{api.train(dataset_id=dataset, target='a0', network=TWO, training=ONE_EPOCH)}"


@pytest.fixture(scope="module")
def large_model(api: Api) -> str:
    """The path of a model of eight million parameters, 32 MB."""
    dataset = api.upload("a,b,y\n" + "".join(f"{n % 7},{n % 5},{n}\n" for n in range(20)))
    network = {"hidden": [{"units": 2800}, {"units": 2800}]}
    return f"/v1/models/{api.train(dataset_id=dataset, target='y', network=network, training=ONE_EPOCH)}"


def copy_rows(api: Api, table: str, id: str, columns: str) -> None:
    """More rows like this one, as a tenant has after many requests."""
    database = Database(api.settings.database_url)
    with database.write() as session:
        for number in range(COPIES):
            copied = f"INSERT INTO {table} (id, {columns}) SELECT id || '{number:02}', {columns} FROM {table}"
            session.execute(text(f"{copied} WHERE id = :id"), {"id": id})
    database.dispose()


ROW = "tenant, name, format, rows, width, bytes, sha256, columns, dialect, warnings, created_at"
MODEL_ROW = (
    "tenant, job_id, name, task, network, features, target, classes, parameters, metrics, encoders, weights, bytes, "
    "sha256, created_at"
)


def rows_of(count: int) -> bytes:
    return b'{"rows": [' + b",".join([b"[1,2]"] * count) + b"]}"


@pytest.mark.parametrize(("rows", "status"), [(4000, 200), (10_000, 422), (100_000, 422)])
def test_predictions_of_many_classes_are_streamed_or_refused(
    api: Api, many_classes: str, rows: int, status: int
) -> None:
    with api.http() as http, api.observed() as seen:
        answer = http.post(f"{many_classes}/predictions", content=rows_of(rows), headers=JSON)
    assert answer.status_code == status, answer.text[:1000]
    assert status == 200 or "values" in answer.json()["detail"]
    seen.check(seconds=10, mib=150)


@pytest.mark.parametrize("accept", ["text/csv", "application/jsonl", "application/vnd.apache.parquet"])
def test_predictions_in_other_formats_are_streamed(api: Api, many_classes: str, accept: str) -> None:
    request = {"content": rows_of(10_000), "headers": {**JSON, "Accept": accept}}
    with (
        api.http() as http,
        api.observed() as seen,
        http.stream("POST", f"{many_classes}/predictions", **request) as answer,
    ):
        assert answer.status_code == 200
        assert sum(map(len, answer.iter_bytes())) > 5_000_000
    seen.check(seconds=15, mib=200)


def test_kept_columns_count_as_cells_of_the_answer(api: Api, many_classes: str) -> None:
    names = ["a", "b", *numbered(100)]
    body = {"columns": names, "rows": [[1] * len(names)] * 30_000}
    with api.http() as http, api.observed() as seen:
        assert http.post(f"{many_classes}/predictions?keep=*", json=body).status_code == 422
    seen.check(seconds=6, mib=250)


def test_rows_of_a_wide_dataset_are_a_bounded_look(api: Api, wide: str) -> None:
    content = get(api, f"{wide}/rows?limit=1000", 200, mib=300)
    assert len(content) < 10_000_000


def test_rows_with_long_cells_are_a_bounded_look(api: Api) -> None:
    dataset = api.upload("a,b\n" + "".join(f"{n} {'x' * 500_000},{n}\n" for n in range(150)))
    content = get(api, f"/v1/datasets/{dataset}/rows?limit=1000", 200)
    assert len(content) < 40_000_000


def test_a_page_of_wide_datasets_has_summaries(api: Api, wide: str) -> None:
    copy_rows(api, "datasets", wide.rpartition("/")[2], ROW)
    assert len(get(api, "/v1/datasets?limit=100", 200, mib=40)) < 20_000


def test_wide_datasets_are_described_to_few_at_a_time(api: Api, wide: str) -> None:
    with api.http() as http, api.observed() as seen, ThreadPoolExecutor(40) as threads:
        statuses = list(threads.map(lambda _: http.get(wide).status_code, range(80)))
    assert set(statuses) <= {200, 429, 503}
    assert 200 in statuses
    seen.check(seconds=60, mib=400)


def test_a_page_of_models_reads_no_encoders(api: Api, wide_model: str) -> None:
    copy_rows(api, "models", wide_model.rpartition("/")[2], MODEL_ROW)
    assert len(get(api, "/v1/models?limit=100", 200, mib=40)) < 40_000


def test_a_page_of_models_of_many_long_classes_is_small(api: Api) -> None:
    rows = [f"{n % 89},c{n % CLASSES}{'x' * 900}" for n in range(20 * CLASSES)]
    dataset = api.upload("\n".join(["a,label", *rows]))
    model = api.train(dataset_id=dataset, target="label", network=TWO, training=ONE_EPOCH)
    copy_rows(api, "models", model, MODEL_ROW)
    with api.http() as http:
        page = http.get("/v1/models?limit=100").json()
    assert page["has_more"]
    assert 0 < len(page["data"]) < COPIES
    get(api, "/v1/models?limit=100", 200, mib=100)


def test_a_page_of_jobs_on_a_wide_dataset_reads_no_specs(api: Api, wide: str) -> None:
    request = {"dataset_id": wide.rpartition("/")[2], "target": "a0", "network": TWO, "training": ONE_EPOCH}
    with api.http() as http:
        jobs = [http.post("/v1/jobs", json=request).json()["id"] for _ in range(COPIES)]
        assert len(get(api, "/v1/jobs?limit=100", 200, mib=40)) < 60_000
        for job in jobs:  # or the next test would train them
            assert http.post(f"/v1/jobs/{job}/cancel").status_code == 202


def test_a_model_is_loaded_once_for_many_predictions(api: Api, large_model: str) -> None:
    with api.http() as http, api.observed() as seen, ThreadPoolExecutor(24) as threads:
        answers = threads.map(
            lambda _: http.post(f"{large_model}/predictions", json={"rows": [[1, 2]]}).status_code, range(48)
        )
        assert set(answers) == {200}
    seen.check(seconds=20, mib=250)


def test_large_weights_are_not_sent_as_json(api: Api, large_model: str) -> None:
    assert b"safetensors" in get(api, f"{large_model}/weights?format=json", 422)
    get(api, f"{large_model}/weights", 200, mib=250)
    get(api, f"{large_model}/weights?format=npz", 200, mib=400, seconds=10)


def test_inspections_of_large_and_wide_models_are_bounded(api: Api, large_model: str, wide_model: str) -> None:
    get(api, f"{wide_model}/curve?feature=a1&points=1001", 422, mib=400, seconds=10)
    get(api, f"{wide_model}/curve?feature=a1&points=20", 200, mib=400, seconds=10)
    get(api, f"{large_model}/surface?points=51", 422, mib=250, seconds=10)
    get(api, wide_model, 200, mib=150)
    for model, width in ((large_model, 2), (wide_model, COLUMNS - 1)):
        body = {"rows": [[1] * width] * 100}
        with api.http() as http, api.observed() as seen:
            assert http.post(f"{model}/trace", json=body).status_code == 422
        seen.check(seconds=15, mib=400)


@pytest.fixture(scope="module")
def long_job(api: Api) -> str:
    """The path of a job of 12,000 epochs."""
    dataset = api.upload("a,y\n" + "".join(f"{n % 7},{n % 3}\n" for n in range(20)))
    training = {"epochs": 12_000, "batch_size": "full", "validation_fraction": 0.2}
    model = api.train(dataset_id=dataset, target="y", task="classification", network=TWO, training=training)
    with api.http() as http:
        return f"/v1/jobs/{http.get(f'/v1/models/{model}').json()['job_id']}"


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_ten_thousand_epochs_are_one_page(api: Api, long_job: str, accept: str) -> None:
    get(api, f"{long_job}/epochs?limit=10000", 200, accept=accept, mib=100, seconds=5)
    get(api, f"{long_job}/epochs?limit=10001", 422, accept=accept, mib=20)
    get(api, f"{long_job}/epochs?points=10000", 200, accept=accept, mib=100, seconds=5)
