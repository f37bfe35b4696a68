"""What every command has in common: what it prints, for whom, and the exit code it ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.client.stand_in import StandIn, problem


def test_a_list_is_a_table_for_people(stand_in: StandIn, run: Run) -> None:
    ended = run("datasets", "list")
    assert ended.code == 0
    assert "ds_1" in ended.out
    assert "plants" in ended.out


def test_names_that_look_like_markup_are_shown_as_they_are(stand_in: StandIn, run: Run) -> None:
    stand_in.names = ["a [/red] :smile: [bold]name"]
    assert "a [/red] :smile: [bold]name" in run("datasets", "list").out


def test_in_a_pipe_a_row_is_a_line_and_nothing_is_cut(stand_in: StandIn, run: Run) -> None:
    stand_in.names = ["a name that is rather long, and longer than a terminal of eighty columns likes to show"]
    assert stand_in.names[0] in run("datasets", "list").out


@pytest.mark.parametrize("arguments", [("--json", "datasets", "list"), ("datasets", "list", "--json")])
def test_json_is_one_document_before_the_command_or_after(
    stand_in: StandIn, run: Run, arguments: tuple[str, ...]
) -> None:
    ended = run(*arguments)
    assert (ended.code, json.loads(ended.out)[0]["id"]) == (0, "ds_1")


def test_url_and_key_may_stand_after_the_command_too(
    stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BACKPROPD_URL")
    assert run("datasets", "show", "ds_1", f"--url={stand_in.url}", "--api-key", "secret").code == 0
    assert stand_in.headers("/v1/datasets/ds_1", "Authorization") == ["Bearer secret"]


def test_what_stands_after_two_dashes_is_no_option(stand_in: StandIn, run: Run) -> None:
    assert run("datasets", "show", "--", "--json").out.startswith("column")


def test_a_refusal_ends_with_3_and_names_every_place(stand_in: StandIn, run: Run) -> None:
    mistakes = [{"pointer": "/target", "detail": "is not [a] column"}]
    stand_in.faults = [("/jobs", problem(422, "unknown_column", "no [such] target", errors=mistakes))]
    ended = run("train", "ds_1", "--target", "colour")
    assert ended.code == 3
    assert ended.out == ""
    assert "no [such] target" in ended.err
    assert "/target: is not [a] column" in ended.err


def test_who_has_no_key_is_told_how_to_give_one(stand_in: StandIn, run: Run) -> None:
    stand_in.faults = [("/ds_1", problem(401, "unauthenticated", "an API key is asked for"))]
    ended = run("datasets", "show", "ds_1")
    assert ended.code == 3
    assert "an API key is asked for" in ended.err
    assert "BACKPROPD_API_KEY" in ended.err


def test_who_comes_too_often_is_told_when_to_come_again(stand_in: StandIn, run: Run) -> None:
    stand_in.faults = [("/ds_1", problem(429, "rate_limited", "too many", {"Retry-After": "37"}))]
    ended = run("datasets", "show", "ds_1")
    assert ended.code == 3
    assert "try again in 37 s" in ended.err


def test_a_service_in_trouble_ends_with_4(stand_in: StandIn, run: Run) -> None:
    stand_in.faults = [("/ds_1", problem(500, "internal_error", "an error of its own"))]
    assert run("datasets", "show", "ds_1").code == 4


def test_nobody_at_the_address_ends_with_4(stand_in: StandIn, run: Run) -> None:
    ended = run("--url", "http://127.0.0.1:9", "datasets", "list")
    assert ended.code == 4
    assert "http://127.0.0.1:9" in ended.err
    assert "Traceback" not in ended.err


def test_a_page_that_is_not_the_services_ends_with_4(stand_in: StandIn, run: Run) -> None:
    stand_in.names = []
    ended = run("--url", f"{stand_in.url}/elsewhere", "datasets", "list")
    assert ended.code in (3, 4)
    assert "is a backpropd service there?" in ended.err


def test_a_file_that_is_not_there_ends_with_2(stand_in: StandIn, run: Run) -> None:
    ended = run("train", "nowhere.csv", "--target", "kind")
    assert ended.code == 2
    assert "nowhere.csv" in ended.err


def test_a_wrong_command_line_ends_with_2(stand_in: StandIn, run: Run) -> None:
    assert run("train", "ds_1", "--target", "kind", "--hidden", "many").code == 2
    assert run("train", "ds_1", "--target", "kind", "--batch-size", "some").code == 2
    assert stand_in.asked == []


def test_the_help_says_what_the_exit_codes_mean(run: Run) -> None:
    ended = run("--help")
    assert ended.code == 0
    assert "130" in ended.out


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out.startswith("backpropd 0.")


def test_a_real_process_speaks_json_on_stdout_and_nothing_else(stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "plants.csv").write_text("height,width,kind\n1,2,fern\n")
    command = [sys.executable, "-m", "backpropd.cli", "--url", stand_in.url, "--json"]
    ended = subprocess.run(
        [*command, "train", str(tmp_path / "plants.csv"), "--target", "kind"], capture_output=True, timeout=30
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["model"]["id"] == "model_1"
    assert b"\x1b" not in ended.stderr


def test_the_help_loads_no_plots_and_no_arrays() -> None:
    check = (
        "import sys; from backpropd.cli import app; sys.exit(bool({'plotext', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], timeout=30).returncode == 0
