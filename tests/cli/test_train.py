"""`backpropd train` and `backpropd jobs`: the request, the progress shown, and the result."""

import json
from pathlib import Path
from typing import Any

import pytest

from backpropd.cli import progress
from backpropd.client.resources.jobs import Jobs
from tests.cli.conftest import Run
from tests.client.stand_in import StandIn
from tests.client.stand_in_answers import EPOCHS


def test_a_file_is_uploaded_and_trained_on(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    (tmp_path / "plants.csv").write_text("height,width,kind\n1,2,fern\n")
    done = run("train", tmp_path / "plants.csv", "--target", "kind")
    assert done.code == 0
    assert stand_in.uploads[0][0] == 27
    assert "model_1" in done.out
    assert "accuracy 0.8000" in done.out
    assert "\x1b" not in done.out + done.err


def test_the_curve_is_drawn_with_both_losses(stand_in: StandIn, run: Run) -> None:
    out = run("train", "ds_1", "--target", "kind").out
    assert "validation loss" in out
    assert any(0x2800 < ord(character) < 0x28FF for character in out)  # braille: the curve itself


def test_a_sample_is_named_instead_of_a_file(stand_in: StandIn, run: Run) -> None:
    assert run("train", "sample:iris", "--target", "species", "--no-wait").code == 0
    assert stand_in.bodies[0] == {"sample": "iris"}


def test_other_fields_of_the_api_are_given_as_json(stand_in: StandIn, run: Run) -> None:
    training = {"schedule": {"name": "cosine"}, "epochs": 9}
    run(
        "train", "ds_1", "--target", "kind", "--hidden", "3", "--network", '{"initializer": "orthogonal"}',
        "--training", json.dumps(training), "--no-wait",
    )  # fmt: skip
    (body,) = stand_in.bodies
    assert body["network"] == {"hidden": [{"units": 3}], "initializer": "orthogonal"}
    assert (body["training"]["schedule"], body["training"]["epochs"]) == ({"name": "cosine"}, 9)
    for wrong in ("{", "[1]", "3"):
        rejected = run("train", "ds_1", "--target", "kind", "--training", wrong)
        assert (rejected.code, "not a JSON object" in rejected.err) == (2, True)


def test_derived_features_are_given_as_json(stand_in: StandIn, run: Run) -> None:
    features = ["height", {"square": "width"}, {"product": ["height", "width"]}]
    run("train", "ds_1", "--target", "kind", "--features", json.dumps(features), "--no-wait")
    run("train", "ds_1", "--target", "kind", "--features", "[height],width", "--no-wait")
    assert [body["features"] for body in stand_in.bodies] == [features, ["[height]", "width"]]


def test_a_request_has_no_defaults_of_the_command(stand_in: StandIn, run: Run) -> None:
    run("train", "ds_1", "--target", "kind", "--no-wait")
    assert stand_in.bodies == [{"dataset_id": "ds_1", "target": "kind", "training": {}}]


def test_every_option_is_sent(stand_in: StandIn, run: Run) -> None:
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


def test_without_waiting_the_command_to_watch_is_printed(stand_in: StandIn, run: Run) -> None:
    done = run("train", "ds_1", "--target", "kind", "--no-wait")
    assert "backpropd jobs watch job_1" in done.out
    assert not any(path.endswith("/events") for path in stand_in.paths())


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_does_not_succeed_exits_with_1(stand_in: StandIn, run: Run, status: str) -> None:
    stand_in.final_status = status
    done = run("train", "ds_1", "--target", "kind")
    assert done.code == 1
    assert ("lower the learning rate" if status == "failed" else "cancelled") in done.err


def test_a_failed_job_is_printed_as_json(stand_in: StandIn, run: Run) -> None:
    stand_in.final_status = "failed"
    done = run("--json", "jobs", "watch", "job_1")
    document = json.loads(done.out)
    assert (done.code, document["job"]["error"]["code"], document["model"]) == (1, "diverged", None)


def test_a_broken_stream_does_not_fail_the_command(stand_in: StandIn, run: Run) -> None:
    stand_in.break_after = 3
    assert run("jobs", "watch", "job_1").code == 0


def test_an_interrupt_prints_how_to_watch_or_cancel_the_job(
    stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Jobs, "wait", interrupt)
    done = run("jobs", "watch", "job_1")
    assert done.code == 130
    assert "backpropd jobs watch job_1" in done.err
    assert "backpropd jobs cancel job_1" in done.err


def test_without_a_terminal_progress_is_printed_as_lines(
    stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    lines = run("jobs", "watch", "job_1").err.splitlines()
    assert len(lines) == EPOCHS
    assert lines[0] == "epoch 1: loss 1.0000, validation 1.1000"


def test_a_job_is_cancelled(stand_in: StandIn, run: Run) -> None:
    assert "job_1 is cancelled" in run("jobs", "cancel", "job_1").out
