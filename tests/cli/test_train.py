"""Training from a terminal: what is asked for, what is seen on the way, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backpropd.cli import progress
from backpropd.client.client import Jobs
from tests.cli.conftest import Run
from tests.client.stand_in import EPOCHS, StandIn


def test_a_file_is_uploaded_and_trained_on(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    (tmp_path / "plants.csv").write_text("height,width,kind\n1,2,fern\n")
    ended = run("train", tmp_path / "plants.csv", "--target", "kind")
    assert ended.code == 0
    assert stand_in.uploads[0][0] == 27
    assert "model_1" in ended.out
    assert "accuracy 0.8000" in ended.out
    assert "\x1b" not in ended.out + ended.err


def test_the_curve_is_drawn_with_both_losses(stand_in: StandIn, run: Run) -> None:
    out = run("train", "ds_1", "--target", "kind").out
    assert "validation loss" in out
    assert any(0x2800 < ord(character) < 0x28FF for character in out)  # braille: the curve itself


def test_a_sample_is_trained_on_by_its_name(stand_in: StandIn, run: Run) -> None:
    assert run("train", "sample:iris", "--target", "species", "--no-wait").code == 0
    assert stand_in.bodies[0] == {"sample": "iris"}


def test_whatever_else_the_service_takes_is_said_as_json(stand_in: StandIn, run: Run) -> None:
    more = {"schedule": {"name": "cosine"}, "epochs": 9}
    run(
        "train", "ds_1", "--target", "kind", "--hidden", "3", "--network", '{"initializer": "orthogonal"}',
        "--training", json.dumps(more), "--no-wait",
    )  # fmt: skip
    (body,) = stand_in.bodies
    assert body["network"] == {"hidden": [{"units": 3, "activation": "tanh"}], "initializer": "orthogonal"}
    assert (body["training"]["schedule"], body["training"]["epochs"]) == ({"name": "cosine"}, 9)
    for wrong in ("{", "[1]", "3"):
        refused = run("train", "ds_1", "--target", "kind", "--training", wrong)
        assert (refused.code, "a JSON object" in refused.err) == (2, True)


def test_every_option_reaches_the_service(stand_in: StandIn, run: Run) -> None:
    run(
        "train", "ds_1", "--target", "kind", "--features", "height,width", "--task", "classification",
        "--hidden", "16,8", "--activation", "relu", "--epochs", 7, "--batch-size", "full", "--optimizer", "sgd",
        "--learning-rate", 0.5, "--momentum", 0.9, "--validation-fraction", 0.3, "--patience", 4, "--seed", 0,
        "--loss", "cross_entropy", "--dtype", "float64", "--engine", "numpy", "--name", "mine", "--no-wait",
    )  # fmt: skip
    assert stand_in.bodies == [
        {
            "dataset_id": "ds_1",
            "target": "kind",
            "features": ["height", "width"],
            "task": "classification",
            "name": "mine",
            "network": {"hidden": [{"units": 16, "activation": "relu"}, {"units": 8, "activation": "relu"}]},
            "training": {
                "epochs": 7, "batch_size": "full", "loss": "cross_entropy", "validation_fraction": 0.3,
                "optimizer": {"name": "sgd", "learning_rate": 0.5, "momentum": 0.9},
                "early_stopping": {"patience": 4}, "seed": 0, "dtype": "float64", "engine": "numpy",
            },
        }
    ]  # fmt: skip


def test_no_wait_tells_how_to_watch(stand_in: StandIn, run: Run) -> None:
    ended = run("train", "ds_1", "--target", "kind", "--no-wait")
    assert "backpropd jobs watch job_1" in ended.out
    assert not any(path.endswith("/events") for path in stand_in.paths())


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
def test_another_end_than_success_ends_with_1(stand_in: StandIn, run: Run, ending: str) -> None:
    stand_in.ending = ending
    ended = run("train", "ds_1", "--target", "kind")
    assert ended.code == 1
    assert ("lower the learning rate" if ending == "failed" else "cancelled") in ended.err


def test_a_failed_job_is_a_json_document_too(stand_in: StandIn, run: Run) -> None:
    stand_in.ending = "failed"
    ended = run("--json", "jobs", "watch", "job_1")
    document = json.loads(ended.out)
    assert (ended.code, document["job"]["error"]["code"], document["model"]) == (1, "diverged", None)


def test_a_stream_that_breaks_is_not_noticed(stand_in: StandIn, run: Run) -> None:
    stand_in.break_after = 3
    assert run("jobs", "watch", "job_1").code == 0


def test_interrupted_the_job_goes_on_and_says_how_to_see_it_again(
    stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Jobs, "wait", interrupted)
    ended = run("jobs", "watch", "job_1")
    assert ended.code == 130
    assert "backpropd jobs watch job_1" in ended.err
    assert "backpropd jobs cancel job_1" in ended.err


def test_off_a_terminal_progress_is_a_plain_line_now_and_then(
    stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    lines = run("jobs", "watch", "job_1").err.splitlines()
    assert len(lines) == EPOCHS
    assert lines[0] == "epoch 1: loss 1.0000, validation 1.1000"


def test_a_job_is_cancelled(stand_in: StandIn, run: Run) -> None:
    assert "job_1 is cancelled" in run("jobs", "cancel", "job_1").out
