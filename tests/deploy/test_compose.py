"""The compose file and the image: schema, linter, secrets, health checks and permissions."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.compose import FILE, ROOT, Missing, read

SECRETS = {"POSTGRES_PASSWORD": "p@ss/w:rd#?%", "REDIS_PASSWORD": "s3cret-enough"}
OWN = ("migrate", "api", "worker", "reaper")
ALL = (*OWN, "postgres", "redis")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return read(SECRETS)


def lint(*command: str) -> None:
    program = Path(sys.executable).with_name(command[0])
    result = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_compose_file_follows_the_compose_specification() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE.name)


def test_the_dockerfile_passes_its_linter() -> None:
    lint("hadolint", "Dockerfile")


def test_there_is_a_service_for_each_program_and_each_server(services: dict[str, Any]) -> None:
    assert sorted(services) == sorted(ALL)


@pytest.mark.parametrize("name", SECRETS)
def test_compose_does_not_start_without_a_password_and_names_the_variable(name: str) -> None:
    without = {other: value for other, value in SECRETS.items() if other != name}
    for variables in (without, without | {name: ""}):
        with pytest.raises(Missing, match=f"{name} is missing a value: set {name}"):
            read(variables)


def test_no_password_has_a_default() -> None:
    uses = re.findall(r"(?<!\$)\$\{?(\w*PASSWORD\w*)(:.)?", FILE.read_text())
    assert {name for name, _ in uses} == set(SECRETS)
    assert {sign for _, sign in uses} == {":?"}


def test_only_the_api_is_published_and_only_on_the_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"]}


def test_the_published_port_is_that_of_the_setting() -> None:
    assert read({**SECRETS, "BACKPROPD_PORT": "8001"})["api"]["ports"] == ["127.0.0.1:8001:8000"]


def test_programs_start_after_the_migration_has_succeeded(services: dict[str, Any]) -> None:
    for name in ("api", "worker", "reaper"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_every_long_running_service_has_a_health_check(services: dict[str, Any]) -> None:
    checked = {name for name, service in services.items() if service["healthcheck"].get("test")}
    assert checked == set(ALL) - {"migrate"}


def test_the_number_of_workers_is_passed_on_if_it_is_set(
    services: dict[str, Any],
) -> None:
    assert "BACKPROPD_WORKERS" not in services["worker"]["environment"]
    assert read({**SECRETS, "BACKPROPD_WORKERS": "3"})["worker"]["environment"]["BACKPROPD_WORKERS"] == "3"


def test_all_programs_share_the_data_folder(services: dict[str, Any]) -> None:
    for name in OWN:
        assert services[name]["volumes"] == ["data:/data"]
        assert services[name]["environment"]["BACKPROPD_DATA_DIR"] == "/data"


def test_no_service_runs_as_root(services: dict[str, Any]) -> None:
    assert {name: services[name]["user"] for name in ("postgres", "redis")} == {
        "postgres": "postgres",
        "redis": "valkey",
    }
    assert re.search(r"^USER 10001:10001$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert all("user" not in services[name] for name in OWN)


def test_programs_can_write_only_their_data_and_gain_no_privileges(services: dict[str, Any]) -> None:
    for name in (*OWN, "redis"):
        assert services[name]["read_only"] is True
        assert services[name]["tmpfs"] == ["/tmp"]
    for name in ALL:
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]


def test_every_client_needs_a_key(services: dict[str, Any]) -> None:
    assert {services[name]["environment"]["BACKPROPD_MODE"] for name in OWN} == {"keys"}
    assert "BACKPROPD_MODE=keys" in (ROOT / "Dockerfile").read_text()
