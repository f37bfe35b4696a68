"""Predictions: CSV in, CSV out."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from backpropd.cli import prediction
from tests.cli.conftest import Run
from tests.client.stand_in import StandIn, problem


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "in.csv"
    file.write_text('height,note,width\n1.50,"a, b",2\n3,,\n', encoding="utf-8-sig")
    return file


def test_rows_come_back_whole_with_their_predictions_beside_them(stand_in: StandIn, run: Run, table: Path) -> None:
    ended = run("predict", "model_1", table)
    assert list(csv.reader(io.StringIO(ended.out))) == [
        ["height", "note", "width", "prediction", "probability_fern", "probability_moss"],
        ["1.50", "a, b", "2", "fern", "0.75", "0.25"],
        ["3", "", "", "fern", "0.75", "0.25"],
    ]


def test_labels_become_a_column_each() -> None:
    answer = {"labels": {"big": True, "late": False}, "probabilities": {"big": 0.9, "late": 0.2}}
    assert prediction._answer_columns(answer) == {
        "prediction_big": True, "prediction_late": False, "probability_big": 0.9, "probability_late": 0.2,
    }  # fmt: skip


def test_only_the_models_columns_are_sent_and_an_empty_cell_is_missing(
    stand_in: StandIn, run: Run, table: Path
) -> None:
    run("predict", "model_1", table)
    assert stand_in.bodies == [[{"height": "1.50", "width": "2"}, {"height": "3", "width": None}]]


def test_a_long_file_goes_in_parts(
    stand_in: StandIn, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "PART", 3)
    (tmp_path / "in.csv").write_text("height,width\n" + "1,2\n" * 7)
    assert len(run("predict", "model_1", tmp_path / "in.csv").out.splitlines()) == 8
    assert [len(rows) for rows in stand_in.bodies] == [3, 3, 1]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_of_the_file_is_kept(stand_in: StandIn, run: Run, tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "in.csv").write_text("height,width\n1,2\n".replace(",", delimiter))
    out = run("predict", "model_1", tmp_path / "in.csv").out
    assert out.splitlines()[1].split(delimiter) == ["1", "2", "fern", "0.75", "0.25"]


def test_it_stands_in_a_pipe(stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("height,width\n1,2\n"))
    assert run("predict", "model_1", "-").out.splitlines()[1] == "1,2,fern,0.75,0.25"


def test_a_file_of_answers_is_written(stand_in: StandIn, run: Run, table: Path, tmp_path: Path) -> None:
    ended = run("predict", "model_1", table, "-o", tmp_path / "out.csv")
    assert "2 rows" in ended.out
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("fern,0.75") == 2


def test_json_is_one_document_here_too(stand_in: StandIn, run: Run, table: Path) -> None:
    document = json.loads(run("--json", "predict", "model_1", table).out)
    assert [each["label"] for each in document["predictions"]] == ["fern", "fern"]


def test_a_refusal_leaves_an_older_file_of_answers_alone(
    stand_in: StandIn, run: Run, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").write_text("yesterday's")
    stand_in.faults = [("/predictions", problem(422, "invalid", "no"))]
    assert run("predict", "model_1", table, "-o", tmp_path / "out.csv").code == 3
    assert (tmp_path / "out.csv").read_text() == "yesterday's"


@pytest.mark.parametrize(
    ("text", "said"),
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
def test_what_cannot_be_read_ends_with_2_and_says_why(
    stand_in: StandIn, run: Run, tmp_path: Path, text: bytes, said: str
) -> None:
    (tmp_path / "in.csv").write_bytes(text)
    ended = run("predict", "model_1", tmp_path / "in.csv")
    assert ended.code == 2
    assert said in ended.err
    assert stand_in.bodies == []


def test_no_cell_of_the_output_is_a_formula(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("height,width,=note\n-1.5,2,=cmd|' /C calc'!A0\n")
    header, row = csv.reader(io.StringIO(run("predict", "model_1", tmp_path / "in.csv").out))
    assert header[:3] == ["height", "width", "'=note"]
    assert row[:3] == ["-1.5", "2", "'=cmd|' /C calc'!A0"]
