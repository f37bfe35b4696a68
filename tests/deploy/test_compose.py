"""The compose file and the image: their schema, their linter, and what they promise about secrets and health."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.compose import FILE, ROOT, Missing, read

SECRETS = {"POSTGRES_PASSWORD": "p@ss/w:rd#?%", "REDIS_PASSWORD": "s3cret-enough"}
OURS = ("migrate", "api", "worker", "reaper")
ALL = (*OURS, "postgres", "redis")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return read(SECRETS)


def lint(*command: str) -> None:
    program = Path(sys.executable).with_name(command[0])
    result = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_compose_file_keeps_to_the_compose_specification() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE.name)


def test_the_linter_has_nothing_to_say_about_the_dockerfile() -> None:
    lint("hadolint", "Dockerfile")


def test_there_is_a_service_for_each_program_and_each_server(services: dict[str, Any]) -> None:
    assert sorted(services) == sorted(ALL)


@pytest.mark.parametrize("name", SECRETS)
def test_compose_refuses_to_start_without_a_password_and_names_the_variable(name: str) -> None:
    without = {other: value for other, value in SECRETS.items() if other != name}
    for variables in (without, without | {name: ""}):
        with pytest.raises(Missing, match=f"{name} is missing a value: set {name}"):
            read(variables)


def test_no_password_has_a_default() -> None:
    uses = re.findall(r"(?<!\$)\$\{?(\w*PASSWORD\w*)(:.)?", FILE.read_text())
    assert {name for name, _ in uses} == set(SECRETS)
    assert {sign for _, sign in uses} == {":?"}


def test_the_api_is_published_on_the_loopback_alone_and_nothing_else_is_published(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"]}


def test_the_published_port_is_chosen_with_the_setting_that_chooses_it_elsewhere() -> None:
    assert read({**SECRETS, "BACKPROPD_PORT": "8001"})["api"]["ports"] == ["127.0.0.1:8001:8000"]


def test_our_programs_wait_for_the_migration_to_have_succeeded(services: dict[str, Any]) -> None:
    for name in ("api", "worker", "reaper"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_every_service_that_stays_has_a_health_check(services: dict[str, Any]) -> None:
    checked = {name for name, service in services.items() if service["healthcheck"].get("test")}
    assert checked == set(ALL) - {"migrate"}


def test_the_number_of_workers_is_passed_on_when_it_is_chosen_and_left_to_its_default_when_not(
    services: dict[str, Any],
) -> None:
    assert "BACKPROPD_WORKERS" not in services["worker"]["environment"]
    assert read({**SECRETS, "BACKPROPD_WORKERS": "3"})["worker"]["environment"]["BACKPROPD_WORKERS"] == "3"


def test_the_api_and_the_workers_share_the_folder_of_the_blobs(services: dict[str, Any]) -> None:
    for name in OURS:
        assert services[name]["volumes"] == ["data:/data"]
        assert services[name]["environment"]["BACKPROPD_DATA_DIR"] == "/data"


def test_no_program_of_the_compose_file_runs_as_root(services: dict[str, Any]) -> None:
    assert {name: services[name]["user"] for name in ("postgres", "redis")} == {
        "postgres": "postgres",
        "redis": "valkey",
    }
    assert re.search(r"^USER 10001:10001$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert all("user" not in services[name] for name in OURS)


def test_our_programs_can_write_nothing_but_their_data_and_gain_no_rights(services: dict[str, Any]) -> None:
    for name in (*OURS, "redis"):
        assert services[name]["read_only"] is True
        assert services[name]["tmpfs"] == ["/tmp"]
    for name in ALL:
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]


def test_everybody_needs_a_key(services: dict[str, Any]) -> None:
    assert {services[name]["environment"]["BACKPROPD_MODE"] for name in OURS} == {"keys"}
    assert "BACKPROPD_MODE=keys" in (ROOT / "Dockerfile").read_text()
