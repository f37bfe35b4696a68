"""Models over HTTP: predictions of rows."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient

from tests.service.requests import read_job, submit

Work = Callable[[], None]


def test_rows_that_do_not_fit_the_model_are_rejected_with_their_pointer(
    http: FlaskClient, iris: str, work: Work
) -> None:
    job = submit(http, iris, training={"epochs": 1})
    work()
    path = f"/v1/models/{read_job(http, job)['model_id']}/predictions"
    good = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    for row, pointer in (
        ({**good, "sepal_length": "long"}, "/rows/1/sepal_length"),
        ({**good, "colour": 1}, "/rows/1/colour"),
        ({name: good[name] for name in list(good)[1:]}, "/rows/1/sepal_length"),
    ):
        answer = http.post(path, json={"rows": [good, row]})
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json["errors"]] == [pointer]  # type: ignore[index]
    assert http.post(path, json={"rows": [[1, 2, 3]]}).json["errors"][0]["pointer"] == "/rows/0"  # type: ignore[index]
    assert http.post(path, json={"rows": [{**good, "petal_width": None}]}).status_code == 200
