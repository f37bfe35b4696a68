"""What all commands share: options, output and exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.client.stand_in import StandIn, problem


def test_a_list_is_a_table(stand_in: StandIn, run: Run) -> None:
    done = run("datasets", "list")
    assert done.code == 0
    assert "ds_1" in done.out
    assert "plants" in done.out


def test_names_that_look_like_markup_are_printed_unchanged(stand_in: StandIn, run: Run) -> None:
    stand_in.dataset_names = ["a [/red] :smile: [bold]name"]
    assert "a [/red] :smile: [bold]name" in run("datasets", "list").out


def test_in_a_pipe_each_row_is_one_line_and_nothing_is_cut(stand_in: StandIn, run: Run) -> None:
    stand_in.dataset_names = ["a name that is rather long, and longer than a terminal of eighty columns likes to show"]
    assert stand_in.dataset_names[0] in run("datasets", "list").out


@pytest.mark.parametrize("arguments", [("--json", "datasets", "list"), ("datasets", "list", "--json")])
def test_the_json_option_may_come_before_or_after_the_command(
    stand_in: StandIn, run: Run, arguments: tuple[str, ...]
) -> None:
    done = run(*arguments)
    assert (done.code, json.loads(done.out)[0]["id"]) == (0, "ds_1")


def test_url_and_key_may_come_after_the_command(stand_in: StandIn, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKPROPD_URL")
    assert run("datasets", "show", "ds_1", f"--url={stand_in.url}", "--api-key", "secret").code == 0
    assert stand_in.headers("/v1/datasets/ds_1", "Authorization") == ["Bearer secret"]


def test_arguments_after_two_dashes_are_not_options(stand_in: StandIn, run: Run) -> None:
    assert run("datasets", "show", "--", "--json").out.startswith("column")


def test_a_rejected_request_exits_with_3_and_names_every_pointer(stand_in: StandIn, run: Run) -> None:
    mistakes = [{"pointer": "/target", "detail": "is not [a] column"}]
    stand_in.faults = [("/jobs", problem(422, "unknown_column", "no [such] target", errors=mistakes))]
    done = run("train", "ds_1", "--target", "colour")
    assert done.code == 3
    assert done.out == ""
    assert "no [such] target" in done.err
    assert "/target: is not [a] column" in done.err


def test_a_missing_key_is_reported_with_how_to_set_one(stand_in: StandIn, run: Run) -> None:
    stand_in.faults = [("/ds_1", problem(401, "unauthenticated", "an API key is required"))]
    done = run("datasets", "show", "ds_1")
    assert done.code == 3
    assert "an API key is required" in done.err
    assert "BACKPROPD_API_KEY" in done.err


def test_a_rate_limit_is_reported_with_when_to_try_again(stand_in: StandIn, run: Run) -> None:
    stand_in.faults = [("/ds_1", problem(429, "rate_limited", "too many", {"Retry-After": "37"}))]
    done = run("datasets", "show", "ds_1")
    assert done.code == 3
    assert "try again in 37 s" in done.err


def test_an_internal_error_exits_with_4(stand_in: StandIn, run: Run) -> None:
    stand_in.faults = [("/ds_1", problem(500, "internal_error", "a bug"))]
    assert run("datasets", "show", "ds_1").code == 4


def test_an_unreachable_service_exits_with_4(stand_in: StandIn, run: Run) -> None:
    done = run("--url", "http://127.0.0.1:9", "datasets", "list")
    assert done.code == 4
    assert "http://127.0.0.1:9" in done.err
    assert "Traceback" not in done.err


def test_a_response_from_another_server_is_reported(stand_in: StandIn, run: Run) -> None:
    stand_in.dataset_names = []
    done = run("--url", f"{stand_in.url}/elsewhere", "datasets", "list")
    assert done.code in (3, 4)
    assert "is a backpropd service there?" in done.err


def test_a_missing_file_exits_with_2(stand_in: StandIn, run: Run) -> None:
    done = run("train", "nowhere.csv", "--target", "kind")
    assert done.code == 2
    assert "nowhere.csv" in done.err


def test_a_wrong_command_line_exits_with_2(stand_in: StandIn, run: Run) -> None:
    assert run("train", "ds_1", "--target", "kind", "--hidden", "many").code == 2
    assert run("train", "ds_1", "--target", "kind", "--batch-size", "some").code == 2
    assert stand_in.requests == []


def test_the_help_explains_the_exit_codes(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    assert "130" in done.out


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").out.startswith("backpropd 0.")


def test_a_real_process_prints_json_on_stdout_and_nothing_else(stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "plants.csv").write_text("height,width,kind\n1,2,fern\n")
    command = [sys.executable, "-m", "backpropd.cli", "--url", stand_in.url, "--json"]
    done = subprocess.run(
        [*command, "train", str(tmp_path / "plants.csv"), "--target", "kind"], capture_output=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"]["id"] == "model_1"
    assert b"\x1b" not in done.stderr


def test_the_help_imports_no_slow_libraries() -> None:
    check = (
        "import sys; from backpropd.cli import app; sys.exit(bool({'plotext', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], timeout=30).returncode == 0
