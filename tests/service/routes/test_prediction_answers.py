"""The formats of predictions over HTTP, and the columns of the input that they keep."""

import csv
import datetime
import io
import json
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv as pa_csv

from service.renderers.predictions.warnings_header import warnings_header
from tests.service.requests import PLANT, PLANTS, Work, rejected_pointers, train_model, upload
from tests.service.validation import Client

Predict = Callable[..., Any]

ACCEPTED = ["text/csv", "application/jsonl", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"]


def read(answer: Any) -> list[dict[str, Any]]:
    """The rows of an answer in any format."""
    assert answer.status_code == 200, answer.json
    if answer.mimetype == "application/jsonl":
        return [json.loads(line) for line in answer.text.splitlines()]
    if answer.mimetype == "application/vnd.apache.parquet":
        return list(pq.read_table(io.BytesIO(answer.data)).to_pylist())
    if answer.mimetype == "application/vnd.apache.arrow.stream":
        return list(pa.ipc.open_stream(answer.data).read_all().to_pylist())
    if answer.mimetype == "application/vnd.apache.arrow.file":
        return list(pa.ipc.open_file(answer.data).read_all().to_pylist())
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    return [{name: cell if name in ("label", "kind") else float(cell) for name, cell in row.items()} for row in rows]


@pytest.mark.parametrize("accept", [*ACCEPTED, "application/vnd.apache.arrow.file"])
def test_answers_have_the_format_that_is_accepted(predict: Predict, accept: str) -> None:
    rows = {"rows": [PLANT, {**PLANT, "height": 39.5}]}
    expected = predict(rows).json["predictions"]
    answer = predict(rows, headers={"Accept": accept})
    assert answer.mimetype == accept
    assert read(answer) == [
        {"label": each["label"], "probability_fern": each["probabilities"]["fern"],
         "probability_moss": each["probabilities"]["moss"]}
        for each in expected
    ]  # fmt: skip


def test_json_is_the_default_and_an_unknown_format_is_refused_before_the_rows(predict: Predict) -> None:
    for accept in ("*/*", "application/*", "application/json, text/csv;q=0.5"):
        assert predict(PLANT, headers={"Accept": accept}).mimetype == "application/json"
    assert predict(PLANT, headers={"Accept": "text/*"}).mimetype == "text/csv"
    answer = predict({"rows": "wrong"}, headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json["code"]) == (406, "not_acceptable")
    assert "text/csv" in answer.json["detail"]


@pytest.mark.parametrize("accept", ["application/json", *ACCEPTED])
def test_columns_of_the_input_are_kept(http: Client, classifier: str, accept: str) -> None:
    path = f"/v1/models/{classifier}/predictions?keep=id,kind"
    rows = [{**PLANT, "id": 7, "kind": 'say "moss", or\\fern'}, {**PLANT, "id": 8.5, "kind": "x"}]
    answer = http.post(path, json={"rows": rows}, headers={"Accept": accept})
    found = answer.json["predictions"] if accept == "application/json" else read(answer)
    assert [(each["id"], each["kind"]) for each in found] == [(row["id"], row["kind"]) for row in rows]
    assert list(found[0])[:3] == ["id", "kind", "label"]


def test_kept_columns_with_the_name_of_an_output_are_numbered(http: Client, classifier: str) -> None:
    path = f"/v1/models/{classifier}/predictions?keep=label,probabilities"
    answer = http.post(path, json=[{**PLANT, "label": "mine", "probabilities": None}])
    (prediction,) = answer.json["predictions"]
    assert (prediction["label_2"], prediction["probabilities_2"]) == ("mine", None)
    assert prediction["label"] in ("fern", "moss")


def test_a_column_to_keep_that_is_not_in_the_input_is_refused(http: Client, classifier: str) -> None:
    answer = http.post(f"/v1/models/{classifier}/predictions?keep=id,kind", json=[{**PLANT, "kind": "x"}])
    assert rejected_pointers(answer) == ["/keep"]


def test_names_to_keep_that_are_no_csv_are_refused(http: Client, classifier: str) -> None:
    path = f"/v1/models/{classifier}/predictions"
    for wrong in ("a%0Db", "a%0Ab", "a%0D%0Ab"):
        answer = http.post(f"{path}?keep={wrong}", json=[PLANT])
        assert rejected_pointers(answer) == ["/keep"]
        assert "double quotes" in answer.text
    (prediction,) = http.post(f"{path}?keep=%22a%0Db%22", json=[{**PLANT, "a\rb": 5}]).json["predictions"]
    assert prediction["a\rb"] == 5


def test_all_columns_are_kept_with_an_asterisk(send: Predict) -> None:
    (row,) = read(send("id,height,potted,postcode\n5,1,1,01002\n", "text/csv", "application/jsonl", "?keep=*"))
    assert list(row)[:4] == ["id", "height", "potted", "postcode"]
    assert (row["id"], row["postcode"]) == (5, "01002")


def test_warnings_about_a_table_are_in_a_header_and_in_the_schema(send: Predict) -> None:
    table = "height,potted,postcode,colour\n10.5,1,01001,red\n10.5,1,77777,blue\n"
    warnings = send(table, "text/csv").json["warnings"]
    assert [each["code"] for each in warnings] == ["extra_column", "unseen_category"]
    answer = send(table, "text/csv", "application/vnd.apache.arrow.stream")
    metadata = pa.ipc.open_stream(answer.data).schema.metadata
    assert orjson.loads(metadata[b"warnings"]) == warnings
    assert json.loads(send(table, "text/csv", "text/csv").headers["Prediction-Warnings"]) == warnings


def test_the_header_has_the_first_warnings_that_fit() -> None:
    warnings = [{"code": "extra_column", "column": f"x{number}"} for number in range(30_000)]
    text = warnings_header(warnings)["Prediction-Warnings"]
    shown = json.loads(text)
    assert 3900 < len(text) <= 4000
    assert shown == warnings[: len(shown)]
    assert warnings_header([{"detail": "x" * 5000}]) == {"Prediction-Warnings": "[]"}


def test_no_cell_of_a_csv_is_a_formula(send: Predict) -> None:
    table = "height,potted,postcode,=note\n-1.5,1,01001,\"=cmd|' /C calc'!A0\"\n3,1,01001,+1\n"
    header, first, second = csv.reader(io.StringIO(send(table, "text/csv", "text/csv", "?keep=height,=note").text))
    assert header[:2] == ["height", "'=note"]
    assert first[:2] == ["-1.5", "'=cmd|' /C calc'!A0"]
    assert second[:2] == ["3", "+1"]


@pytest.mark.parametrize("accept", ["application/json", *ACCEPTED])
def test_many_rows_are_answered_in_blocks_that_agree_with_single_rows(http: Client, work: Work, accept: str) -> None:
    model = train_model(http, work, upload(http, PLANTS), "price", features=list(PLANT))
    path = f"/v1/models/{model}/predictions"
    rows = [[n % 41, n % 2, f"0{1000 + n % 5}"] for n in range(60_000)]
    answer = http.post(path, json={"rows": rows}, headers={"Accept": accept})
    if accept == "application/json":
        found = [each["value"] for each in answer.json["predictions"]]
        assert [(each["code"], each["count"]) for each in answer.json["warnings"]] == [("unseen_category", 12_000)]
    else:
        found = [each["value"] for each in read(answer)]
    assert len(found) == len(rows)
    for row in (0, 1, 29_999, 59_999):
        (one,) = http.post(path, json={"rows": [rows[row]]}).json["predictions"]
        assert found[row] == pytest.approx(one["value"], rel=1e-5)


def test_several_targets_are_columns_of_their_own(http: Client, work: Work) -> None:
    model = train_model(http, work, upload(http, PLANTS), ["price", "height"], features=["postcode"])
    path = f"/v1/models/{model}/predictions"
    (prediction,) = http.post(path, json=[["01001"]]).json["predictions"]
    (row,) = read(http.post(path, json=[["01001"]], headers={"Accept": "application/jsonl"}))
    assert row == {f"value_{name}": value for name, value in prediction["value"].items()}


def test_several_labels_are_columns_of_their_own(http: Client, work: Work) -> None:
    table = "x,a,b\n" + "".join(f"{n},{n % 2},{n % 3 == 0}\n" for n in range(40))
    model = train_model(http, work, upload(http, table), ["a", "b"], task="classification")
    path = f"/v1/models/{model}/predictions"
    (prediction,) = http.post(path, json=[[3]]).json["predictions"]
    (row,) = read(http.post(path, json=[[3]], headers={"Accept": "application/jsonl"}))
    assert list(row) == ["label_a", "label_b", "probability_a", "probability_b"]
    assert row["label_a"] == prediction["labels"]["a"]


def test_dates_are_kept_in_iso_8601(send: Predict) -> None:
    sink = io.BytesIO()
    days = [datetime.datetime(2024, 1, 5), datetime.datetime(2024, 1, 31)]
    times = [datetime.datetime(2024, 1, 5, 7, 30), datetime.datetime(2024, 1, 6, 8, 0, 1)]
    plants = {"height": [1, 1], "potted": [True, True], "postcode": ["01001"] * 2}
    pq.write_table(pa.table({**plants, "day": days, "at": times}), sink)
    for accept in ("application/json", "application/jsonl"):
        answer = send(sink.getvalue(), ACCEPTED[2], accept, "?keep=day,at")
        found = answer.json["predictions"] if accept == "application/json" else read(answer)
        assert [row["day"] for row in found] == ["2024-01-05", "2024-01-31"]
        assert [row["at"] for row in found] == ["2024-01-05T07:30:00", "2024-01-06T08:00:01"]


def test_typed_tables_are_taken_by_their_values_not_by_their_notation(http: Client, work: Work) -> None:
    """The model's table has German numbers and dates; Parquet has neither notation nor format."""
    table = "size;day;price\n" + "".join(f"1.{200 + n},5;{n % 28 + 1:02}.03.2024;{n}\n" for n in range(40))
    model = train_model(http, work, upload(http, table), "price", features=["size", "day"])
    path = f"/v1/models/{model}/predictions"
    expected = http.post(path, json=[["1.210,5", "11.03.2024"]]).json
    assert expected["warnings"] == []
    assert http.post(path, json=[[1210.5, "2024-03-11"]]).json == expected
    sink = io.BytesIO()
    days = pa.array([datetime.date(2024, 3, 11)])
    pq.write_table(pa.table({"size": [1210.5], "day": days}), sink)
    assert http.post(path, data=sink.getvalue(), headers={"Content-Type": ACCEPTED[2]}).json == expected
    assert http.post(path, data="size;day\n1.210,5;11.03.2024\n", headers={"Content-Type": "text/csv"}).json == expected


def test_a_number_in_a_typed_table_is_refused_where_the_column_holds_words(send: Predict) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"height": [10.5], "potted": [True], "postcode": [1001]}), sink)
    answer = send(sink.getvalue(), ACCEPTED[2])
    assert (answer.status_code, "'01001'" in answer.json["detail"]) == (422, True)


def test_typed_tables_are_answered_like_text_with_the_same_warnings(send: Predict) -> None:
    rows = 40
    numbers = list(range(rows))
    table = pa.table(
        {
            "colour": ["red"] * rows,
            "potted": [n % 2 == 0 for n in numbers],
            "height": [1e6 if n == 30 else None if n == 31 else n % 41 for n in numbers],
            "postcode": ["77777" if n == 32 else f"0{1000 + n % 4}" for n in numbers],
        }
    )
    parquet, stream, text = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pq.write_table(table, parquet, row_group_size=7)
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    pa_csv.write_csv(table, text)
    expected = send(text.getvalue(), "text/csv").json
    found = {(each["code"], each["column"], each["count"], *each["rows"][:1]) for each in expected["warnings"]}
    assert found == {
        ("extra_column", "colour", rows, 0),
        ("out_of_range", "height", 1, 30),
        ("missing_value", "height", 1, 31),
        ("unseen_category", "postcode", 1, 32),
    }
    assert send(parquet.getvalue(), ACCEPTED[2]).json == expected
    assert send(stream.getvalue(), ACCEPTED[3]).json == expected
