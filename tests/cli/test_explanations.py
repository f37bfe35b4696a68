"""Models are explained by the command."""

import io
import json

import pytest

from tests.cli.conftest import Run
from tests.client.stand_in import StandIn


def test_the_columns_of_a_row_are_listed_by_their_contribution(stand_in: StandIn, run: Run) -> None:
    done = run("models", "explain", "model_1", '{"height": 1, "width": 2}', "--class", "fern")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert lines == [
        ["row", "column", "contribution"],
        ["0", "fern", "at", "the", "baseline", "0.5000"],
        ["0", "width", "-1.5000"],
        ["0", "height", "+0.2500"],
        ["0", "fern", "of", "the", "row", "-0.7500"],
    ]
    assert stand_in.bodies == [{"rows": [{"height": 1, "width": 2}], "class": "fern", "baseline": "mean"}]


def test_rows_and_a_baseline_are_json(stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("[[1, 2], [3, 4]]"))
    done = run("models", "explain", "model_1", "-", "--baseline", "[0, 0]", "--json")
    assert len(json.loads(done.out)["explanations"]) == 2
    assert stand_in.bodies == [{"rows": [[1, 2], [3, 4]], "class": None, "baseline": [0, 0]}]
    run("models", "explain", "model_1", "[6.0, 2.7]")
    assert stand_in.bodies[1:] == [{"rows": [[6.0, 2.7]], "class": None, "baseline": "mean"}]
    wrong = run("models", "explain", "model_1", "{height: 1}")
    assert wrong.code == 2
    assert "the rows must be JSON" in wrong.err


def test_importance_and_partial_dependence_are_tables(stand_in: StandIn, run: Run) -> None:
    done = run("models", "importance", "model_1", "--dataset", "ds_1", "--repeats", 7, "--seed", 2)
    assert [line.split() for line in done.out.splitlines()] == [
        ["column", "drop", "of", "accuracy", "deviation"],
        ["width", "0.2500", "0.1250"],
    ]
    done = run("models", "partial-dependence", "model_1", "height", "--points", 2, "--rows", 1)
    assert [line.split() for line in done.out.splitlines()] == [["height", "moss"], ["0", "0.2500"], ["1", "0.7500"]]
    assert stand_in.bodies == [
        {"dataset_id": "ds_1", "repeats": 7, "seed": 2},
        {"feature": "height", "class": None, "dataset_id": None, "points": 2, "rows": 1},
    ]
