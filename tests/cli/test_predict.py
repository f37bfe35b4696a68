"""`backpropd predict`: CSV in, CSV out."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from backpropd.cli import csv_prediction
from tests.cli.conftest import Run
from tests.client.stand_in import StandIn, problem


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "in.csv"
    file.write_text('height,note,width\n1.50,"a, b",2\n3,,\n', encoding="utf-8-sig")
    return file


def test_the_output_has_the_same_rows_with_predictions_as_further_columns(
    stand_in: StandIn, run: Run, table: Path
) -> None:
    done = run("predict", "model_1", table)
    assert list(csv.reader(io.StringIO(done.out))) == [
        ["height", "note", "width", "prediction", "probability_fern", "probability_moss"],
        ["1.50", "a, b", "2", "fern", "0.75", "0.25"],
        ["3", "", "", "fern", "0.75", "0.25"],
    ]


def test_each_label_is_a_column() -> None:
    prediction = {"labels": {"big": True, "late": False}, "probabilities": {"big": 0.9, "late": 0.2}}
    assert csv_prediction._columns(prediction) == {
        "prediction_big": True, "prediction_late": False, "probability_big": 0.9, "probability_late": 0.2,
    }  # fmt: skip


def test_only_the_models_columns_are_sent_and_empty_cells_are_missing(stand_in: StandIn, run: Run, table: Path) -> None:
    run("predict", "model_1", table)
    assert stand_in.bodies == [[{"height": "1.50", "width": "2"}, {"height": "3", "width": None}]]


def test_a_long_file_is_sent_in_batches(
    stand_in: StandIn, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_prediction, "BATCH_ROWS", 3)
    (tmp_path / "in.csv").write_text("height,width\n" + "1,2\n" * 7)
    assert len(run("predict", "model_1", tmp_path / "in.csv").out.splitlines()) == 8
    assert [len(rows) for rows in stand_in.bodies] == [3, 3, 1]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_output_has_the_delimiter_of_the_file(stand_in: StandIn, run: Run, tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "in.csv").write_text("height,width\n1,2\n".replace(",", delimiter))
    out = run("predict", "model_1", tmp_path / "in.csv").out
    assert out.splitlines()[1].split(delimiter) == ["1", "2", "fern", "0.75", "0.25"]


def test_rows_are_read_from_stdin(stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("height,width\n1,2\n"))
    assert run("predict", "model_1", "-").out.splitlines()[1] == "1,2,fern,0.75,0.25"


def test_predictions_are_written_to_a_file(stand_in: StandIn, run: Run, table: Path, tmp_path: Path) -> None:
    done = run("predict", "model_1", table, "-o", tmp_path / "out.csv")
    assert "2 rows" in done.out
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("fern,0.75") == 2


def test_predictions_as_json_are_one_document(stand_in: StandIn, run: Run, table: Path) -> None:
    document = json.loads(run("--json", "predict", "model_1", table).out)
    assert [each["label"] for each in document["predictions"]] == ["fern", "fern"]


def test_a_rejected_request_does_not_overwrite_an_older_file(
    stand_in: StandIn, run: Run, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").write_text("yesterday's")
    stand_in.faults = [("/predictions", problem(422, "invalid", "no"))]
    assert run("predict", "model_1", table, "-o", tmp_path / "out.csv").code == 3
    assert (tmp_path / "out.csv").read_text() == "yesterday's"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "header"),
        (b"height,width\n", "no rows"),
        (b"height,width\n1,2\n3\n", "line 3"),
        (b"height,width\n1,2,3\n", "line 2"),
        (b'height,width\n"1,2\n', "line 2"),
        ("height,width\n1,2\n\xe9,2\n".encode("latin-1"), "UTF-8"),
        (b"height,note\n1,2\n", "width"),
    ],
)
def test_an_unreadable_file_exits_with_2_and_the_reason(
    stand_in: StandIn, run: Run, tmp_path: Path, text: bytes, message: str
) -> None:
    (tmp_path / "in.csv").write_bytes(text)
    done = run("predict", "model_1", tmp_path / "in.csv")
    assert done.code == 2
    assert message in done.err
    assert stand_in.bodies == []


def test_no_cell_of_the_output_is_a_formula(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("height,width,=note\n-1.5,2,=cmd|' /C calc'!A0\n")
    header, row = csv.reader(io.StringIO(run("predict", "model_1", tmp_path / "in.csv").out))
    assert header[:3] == ["height", "width", "'=note"]
    assert row[:3] == ["-1.5", "2", "'=cmd|' /C calc'!A0"]
