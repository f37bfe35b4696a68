"""Predictions over HTTP: the forms of a request, values as an upload takes them, and warnings."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from backpropd.config import Settings
from tests.service.requests import CSV, PLANT, PLANTS, Work, open_app, rejected_pointers, train_model, upload
from tests.service.validation import Client

Predict = Callable[..., Any]


def test_every_form_of_the_same_rows_gives_the_same_predictions(predict: Predict) -> None:
    values = [10.5, "yes", "01001"]
    expected = predict({"rows": [PLANT, PLANT]}).json
    assert len(expected["predictions"]) == 2
    assert set(expected["predictions"][0]) == {"label", "probabilities"}
    for body in (
        {"rows": [values, values]},
        {"columns": ["kind", "postcode", "height", "potted"], "rows": [["?", "01001", 10.5, "yes"]] * 2},
        [PLANT, PLANT],
        [values, values],
    ):
        assert predict(body).json == expected
    one = predict(PLANT).json
    (first,) = one["predictions"]
    label, probabilities = expected["predictions"][0].values()
    # a matrix of one row is multiplied in another order
    assert first == {"label": label, "probabilities": pytest.approx(probabilities, rel=1e-6)}
    assert one["warnings"] == []


def test_a_stored_dataset_is_predicted_by_its_id(http: Client, predict: Predict) -> None:
    dataset_id = upload(http, PLANTS)
    by_id = predict({"dataset_id": dataset_id}).json
    rows = [dict(zip(PLANT, row[:3], strict=True)) for row in list(csv.reader(io.StringIO(PLANTS)))[1:]]
    assert by_id == predict({"rows": rows}).json
    assert len(by_id["predictions"]) == 40
    assert predict({"dataset_id": "ds_unknown"}).status_code == 404
    assert rejected_pointers(predict({"dataset_id": dataset_id, "rows": [PLANT]})) == ["/dataset_id"]
    assert rejected_pointers(predict({"dataset_id": 3})) == ["/dataset_id"]


def test_values_are_taken_as_an_upload_takes_them(predict: Predict) -> None:
    expected = predict(PLANT).json
    for change in (
        {"height": "10.5"}, {"height": " 10.50 "}, {"potted": True}, {"potted": "1"}, {"potted": 1}, {"potted": " Yes"},
        {"potted": "TRUE"}, {"postcode": " 01001"},
    ):  # fmt: skip
        assert predict({**PLANT, **change}).json == expected, change


@pytest.mark.parametrize("missing", [None, "", " ", "NA", "null", "?"])
def test_the_markers_of_a_missing_value_are_missing_with_a_warning(predict: Predict, missing: Any) -> None:
    answer = predict([PLANT, {**PLANT, "height": missing}]).json
    (warning,) = answer["warnings"]
    assert (warning["code"], warning["column"], warning["count"], warning["rows"]) == (
        "missing_value",
        "height",
        1,
        [1],
    )


def test_a_postcode_as_a_number_is_refused_with_the_text_that_was_meant(predict: Predict) -> None:
    answer = predict({"rows": [PLANT, {**PLANT, "postcode": 1001}]})
    assert rejected_pointers(answer) == ["/rows/1/postcode"]
    assert "'01001'" in answer.json["detail"]
    (warning,) = predict({**PLANT, "postcode": "1001"}).json["warnings"]
    assert warning["code"] == "unseen_category"
    assert "'01001'" in warning["detail"]


def test_unseen_categories_and_numbers_far_outside_are_warned_about(predict: Predict) -> None:
    rows = [{**PLANT, "postcode": "99999", "height": 500}] * 12
    far, unseen = sorted(predict([PLANT, *rows]).json["warnings"], key=lambda each: str(each["code"]))
    assert (far["code"], far["count"], far["rows"]) == ("out_of_range", 12, list(range(1, 11)))
    assert "500" in far["detail"]
    assert (unseen["code"], unseen["column"], unseen["count"]) == ("unseen_category", "postcode", 12)
    assert "'99999'" in unseen["detail"]


def test_columns_of_the_table_need_no_warning_and_others_get_one(predict: Predict) -> None:
    assert predict({"rows": [{**PLANT, "kind": "fern", "shade": 3, "price": None}]}).json["warnings"] == []
    answer = predict({"rows": [PLANT, {**PLANT, "colour": [1], "Shade": 2}]})
    assert answer.status_code == 200
    found = {each["column"]: (each["code"], each["count"], each["rows"]) for each in answer.json["warnings"]}
    assert found == dict.fromkeys(("colour", "Shade"), ("extra_column", 1, [1]))


def test_all_missing_columns_are_named_at_once(predict: Predict, send: Predict) -> None:
    answer = predict({"rows": [{"height": 1}]})
    assert rejected_pointers(answer) == ["/rows/0/potted", "/rows/0/postcode"]
    assert "potted, postcode" in answer.json["detail"]
    assert rejected_pointers(predict({"height": 1})) == ["/potted", "/postcode"]
    assert rejected_pointers(predict([{"height": 1}])) == ["/0/potted", "/0/postcode"]
    answer = send("height\n1\n2\n", "text/csv")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")
    assert "potted, postcode" in answer.json["detail"]
    answer = predict({"columns": ["height"], "rows": [[1]]})
    assert "potted, postcode" in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"rows": []}, ["/rows"]),
        ([], [""]),
        ({}, [""]),
        (3, [""]),
        ("rows", [""]),
        ({"rows": 3}, ["/rows"]),
        ({"rows": [[10.5, "yes"]]}, ["/rows/0"]),
        ({"rows": [PLANT, [10.5, "yes", "01001"]]}, ["/rows/1"]),
        ({"rows": [[10.5, "yes", "01001"], None, 3]}, ["/rows/1", "/rows/2"]),
        ({"rows": [PLANT, {**PLANT, "height": {"m": 1}}]}, ["/rows/1/height"]),
        ({"rows": [[[1], "yes", "01001"]]}, ["/rows/0/0"]),
        ({"rows": [{**PLANT, "height": "tall", "potted": "maybe"}]}, ["/rows/0/height", "/rows/0/potted"]),
        ({"rows": [{**PLANT, "height": True}]}, ["/rows/0/height"]),
        ({"rows": [{**PLANT, "height": "1e999"}]}, ["/rows/0/height"]),
        ({"rows": [PLANT], "epochs": 3}, ["/epochs"]),
        ({"rows": [PLANT], "columns": ["height"]}, ["/columns"]),
        ({"rows": [[1, 1]], "columns": ["height", "height"]}, ["/columns"]),
        ({"rows": [[1]], "columns": "height"}, ["/columns"]),
    ],
)
def test_wrong_rows_are_refused_with_their_pointers(predict: Predict, body: Any, pointers: list[str]) -> None:
    assert rejected_pointers(predict(body)) == pointers


def test_hostile_json_is_refused(http: Client, classifier: str) -> None:
    path = f"/v1/models/{classifier}/predictions"
    for raw, status in (
        (b'{"rows": [{"height": NaN, "potted": 1, "postcode": "01001"}]}', 400),
        (b'{"rows": [{"height": 1e999, "potted": 1, "postcode": "01001"}]}', 400),
        (b'{"rows": [{"height": 1', 400),
        (b"[" * 1000 + b"]" * 1000, 400),
        (b'[{"height": ' + b"[" * 50 + b"]" * 50 + b"}]", 422),
    ):
        assert http.post(path, data=raw, headers={"Content-Type": "application/json"}).status_code == status, raw


def test_a_row_with_a_hundred_thousand_members_gets_a_bounded_answer(predict: Predict) -> None:
    answer = predict({**PLANT, **{f"x{number}": 1 for number in range(100_000)}})
    assert answer.status_code == 200
    assert len(answer.json["warnings"]) == 200


def test_a_table_in_the_body_is_read_as_an_upload_is(http: Client, predict: Predict, send: Predict) -> None:
    by_rows = predict({"rows": [{**PLANT, "potted": "no"}, {**PLANT, "height": 3}]}).json
    assert send("postcode,potted,height\n 01001,N,10.5\n01001,T,3\n", "text/csv").json == by_rows
    assert (
        send("postcode\tpotted\theight\n01001\t0\t10.5\n01001\tyes\t3\n", "text/tab-separated-values").json == by_rows
    )
    by_name = send("postcode,potted,height\n01001,N,10.5\n01001,T,3\n", "text/csv", "text/csv")
    assert by_name.text.splitlines()[0] == "label,probability_fern,probability_moss"
    assert len(by_name.text.splitlines()) == 3


def test_a_table_with_a_few_wrong_cells_has_them_missing_and_one_with_many_is_refused(send: Predict) -> None:
    few = "height,potted,postcode\n" + "1.5,1,01001\n" * 30 + "tall,1,01001\n"
    answer = send(few, "text/csv")
    assert answer.status_code == 200
    found = {each["code"]: each for each in answer.json["warnings"]}
    assert found["cells_not_numbers"]["count"] == 1
    assert "line 32: 'tall'" in found["cells_not_numbers"]["detail"]
    many = "height,potted,postcode\n" + "1.5,1,01001\n" * 3 + "tall,1,01001\nshort,1,01001\n"
    assert send(many, "text/csv").status_code == 422


def test_a_table_takes_the_options_of_an_upload(http: Client, classifier: str, predict: Predict) -> None:
    expected = predict({"rows": [PLANT]}).json
    path = f"/v1/models/{classifier}/predictions"
    table = "exported today\nheight|potted|postcode\n10;5|yes|01001\n".replace(";", ",")
    assert http.post(f"{path}?skip_lines=1&delimiter=%7C&decimal=,", data=table, headers=CSV).json == expected
    assert http.post(f"{path}?header=false", data="10.5,yes,01001\n", headers=CSV).json == expected
    assert rejected_pointers(http.post(f"{path}?header=false", json=[PLANT])) == ["/header"]


def test_empty_tables_are_refused(send: Predict) -> None:
    assert send("", "text/csv").status_code == 422
    assert send("height,potted,postcode\n", "text/csv").status_code == 422


def test_a_wrong_media_type_on_a_body_that_is_recognized_is_no_error(predict: Predict, send: Predict) -> None:
    expected = predict(PLANT).json
    assert send(json.dumps({"rows": [PLANT]}), "application/x-www-form-urlencoded").json == expected
    assert send(json.dumps([PLANT]), "text/csv").json == expected
    assert send(json.dumps(PLANT) + "\n", "application/jsonl").json == expected


def test_a_body_that_broke_off_is_refused(classifier: str, http: Client) -> None:
    body = io.BytesIO(b"height,potted,postcode\n1,1,01001\n")
    path = f"/v1/models/{classifier}/predictions"
    environ = {"CONTENT_LENGTH": "100", "wsgi.input_terminated": True}
    answer = http.post(path, input_stream=body, headers=CSV, environ_overrides=environ)
    assert (answer.status_code, answer.json["code"]) == (400, "malformed")


def test_a_threshold_neuron_takes_tables_of_booleans_alone(http: Client, work: Work) -> None:
    model = train_model(
        http, work, upload(http, "a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,1\n"), "y",
        network={"kind": "mcculloch_pitts"},
    )  # fmt: skip
    path = f"/v1/models/{model}/predictions"
    answer = http.post(path, data="a,b\n0,0\ntrue,1\n", headers=CSV)
    assert answer.json == http.post(path, json={"rows": [[0, 0], [1, 1]]}).json
    answer = http.post(path, data="a,b\n0,0\n1,3\n", headers=CSV)
    assert answer.status_code == 422
    assert "row 1 (from 0) of the column 'b'" in answer.json["detail"]


def test_a_table_larger_than_the_limit_of_rows_in_json_is_taken(settings: Settings, work: Work, http: Client) -> None:
    model = train_model(http, work, upload(http, PLANTS), "kind", features=["height"])
    with open_app(settings, max_prediction_rows=5) as app:
        client = app.test_client()
        path = f"/v1/models/{model}/predictions"
        assert rejected_pointers(client.post(path, json={"rows": [[1]] * 6})) == ["/rows"]
        assert len(client.post(path, data="height\n" + "1\n" * 6, headers=CSV).json["predictions"]) == 6


def test_a_slot_of_inspections_is_given_back_after_every_answer(app: Any, send: Predict) -> None:
    table = "height,potted,postcode\n1.5,1,01001\n"
    limit = app.extensions["backpropd"].inspections
    for accept in ("text/csv", "application/json", "image/png"):
        send(table, "text/csv", accept)
    send("wrong\n1\n", "text/csv")
    assert not limit._tenants


def test_a_dataset_named_in_an_undeclared_body_takes_one_slot(http: Client, work: Work, settings: Settings) -> None:
    dataset_id = upload(http, PLANTS)
    model = train_model(http, work, dataset_id, "kind", features=["height"])
    with open_app(settings, max_looks_per_key=1) as app:
        body = json.dumps({"dataset_id": dataset_id})
        answer = app.test_client().post(f"/v1/models/{model}/predictions", data=body, headers=CSV)
        assert (answer.status_code, len(answer.json["predictions"])) == (200, 40)


def test_no_slot_is_held_while_a_table_is_received(app: Any, http: Client, classifier: str) -> None:
    limit, held = app.extensions["backpropd"].inspections, []

    class Slow(io.BytesIO):
        def readinto(self, buffer: Any, /) -> int:
            held.append(limit._tenants.total())
            return super().readinto(buffer)

    table = b"height,potted,postcode\n1.5,1,01001\n"
    path = f"/v1/models/{classifier}/predictions"
    answer = http.post(path, input_stream=Slow(table), content_length=len(table), content_type="text/csv")
    assert (answer.status_code, set(held)) == (200, {0})


@pytest.mark.parametrize("form", ["json", "csv", "dataset"])
def test_a_number_named_as_a_marker_of_a_missing_value_is_missing(http: Client, work: Work, form: str) -> None:
    table = "size,kind\n" + "".join(f"{n if n % 7 else -999},{'ab'[n // 20]}\n" for n in range(40))
    trained_on = http.post('/v1/datasets?missing=["-999"]', data=table, headers=CSV).json["id"]
    path = f"/v1/models/{train_model(http, work, trained_on, 'kind', features=['size'])}/predictions"
    expected = http.post(path, json=[[None], [5]]).json["predictions"]
    rows = "size\n-999\n5\n"
    if form == "json":
        answer = http.post(path, json=[[-999], [5]])
    elif form == "csv":
        answer = http.post(path, data=rows, headers=CSV)
    else:
        answer = http.post(path, json={"dataset_id": upload(http, rows)})
    assert answer.json == {"predictions": expected, "warnings": []}


@pytest.mark.parametrize("form", ["rows", "columns", "list", "one", "csv", "dataset"])
@pytest.mark.parametrize(
    "written", ["Gro\u0308\u00dfe in m", " Gr\u00f6\u00dfe\u00a0in  m", "Gr\u00f6\u00dfe\u200b in\tm"]
)
def test_another_spelling_of_a_name_is_the_same_column(http: Client, work: Work, written: str, form: str) -> None:
    name = "Gr\u00f6\u00dfe in m"
    table = f"{name};town;kind\n" + "".join(f"{n},5;{'uv'[n % 2]};{'ab'[n // 20]}\n" for n in range(40))
    trained_on = http.post("/v1/datasets", data=table.encode(), headers=CSV).json["id"]
    path = f"/v1/models/{train_model(http, work, trained_on, 'kind', features=[name])}/predictions"
    expected = http.post(path, json={"rows": [{name: 35.5}]}).json
    row, rows = {written: "35,5"}, f'"{written}";town\n35,5;u\n'.encode()
    if form == "csv":
        answer = http.post(path, data=rows, headers=CSV)
    elif form == "dataset":
        answer = http.post(path, json={"dataset_id": http.post("/v1/datasets", data=rows, headers=CSV).json["id"]})
    else:
        columns = {"columns": [written], "rows": [["35,5"]]}
        answer = http.post(path, json={"rows": {"rows": [row]}, "columns": columns, "list": [row], "one": row}[form])
    assert answer.json["predictions"] == expected["predictions"]
    assert {each["code"] for each in answer.json["warnings"]} <= {"columns_renamed"}  # what is invisible is told
    wrong = http.post(path, json={"rows": [{written: "tall"}]})
    assert rejected_pointers(wrong) == [f"/rows/0/{written}"]
