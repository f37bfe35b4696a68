"""Snapshots and forks by the command."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.client.stand_in import StandIn


def test_snapshots_are_listed_with_the_size_of_each_parameter(stand_in: StandIn, run: Run) -> None:
    lines = run("jobs", "snapshots", "job_1").out.splitlines()
    assert lines[0].split() == ["epoch", "|layers.0.bias|", "|layers.0.weight|"]
    assert [line.split() for line in lines[1:]] == [["0", "0", "5"], ["5", "5", "5"]]
    assert [each["epoch"] for each in json.loads(run("jobs", "snapshots", "job_1", "--json").out)] == [0, 5]
    assert [each["epoch"] for each in json.loads(run("jobs", "snapshots", "job_1", "--after", 0, "--json").out)] == [5]


def test_snapshots_are_written_to_a_file_which_says_if_there_are_more(
    stand_in: StandIn, run: Run, tmp_path: Path
) -> None:
    done = run("jobs", "snapshots", "job_1", "-o", tmp_path / "a.safetensors")
    assert (done.code, "there are more: --after 0" in done.out) == (0, True)
    assert b"next_after" in (tmp_path / "a.safetensors").read_bytes()
    assert "more" not in run("jobs", "snapshots", "job_1", "--after", 0, "-o", tmp_path / "b.safetensors").out


def test_a_fork_is_watched_until_it_ends(stand_in: StandIn, run: Run) -> None:
    done = run("jobs", "fork", "job_1", 5, "--epochs", 20, "--training", '{"l2": 0.1}', "--name", "slower")
    assert (done.code, "job_1 succeeded" in done.out) == (0, True)
    assert stand_in.bodies == [{"epoch": 5, "training": {"epochs": 20, "l2": 0.1}, "name": "slower"}]


def test_a_fork_may_be_left_alone(stand_in: StandIn, run: Run) -> None:
    done = run("jobs", "fork", "job_1", 5, "--no-wait", "--json")
    assert json.loads(done.out)["parent"] == {"job_id": "job_1", "epoch": 5}
    assert stand_in.bodies == [{"epoch": 5, "training": {}}]


@pytest.mark.parametrize("text", ["[1]", "{", "1"])
def test_training_that_is_no_object_is_a_wrong_command_line(stand_in: StandIn, run: Run, text: str) -> None:
    assert run("jobs", "fork", "job_1", 5, "--training", text).code == 2
    assert not stand_in.requests
