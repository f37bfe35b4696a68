"""The compose file as Docker Compose reads it, with its variables substituted."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"

# ${NAME}, ${NAME:-default} or ${NAME:?message}, and $$ for a dollar:
# https://docs.docker.com/reference/compose-file/interpolation/
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::(?P<sign>[-?])(?P<rest>[^}]*))?\}|(?P<odd>.))")


class Missing(Exception):
    """A required variable is missing: Compose would not start."""


def read(variables: Mapping[str, str]) -> dict[str, Any]:
    """The services by name, with the environment of their containers."""
    services = _interpolate(yaml.safe_load(FILE.read_text()), variables)["services"]
    for service in services.values():
        service["environment"] = _environment(service.get("environment", {}), variables)
    return dict(services)


def _interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _substitute(match, variables), value)
    if isinstance(value, list):
        return [_interpolate(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: _interpolate(item, variables) for key, item in value.items()}
    return value


def _substitute(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match["dollar"]:
        return "$"
    assert not match["odd"], f"compose does not understand {match.group()!r}"
    value = variables.get(match["name"], "")
    if not value and match["sign"] == "?":
        raise Missing(f"required variable {match['name']} is missing a value: {match['rest']}")
    return value or (match["rest"] if match["sign"] == "-" else "")


def _environment(declared: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """A name without a value has that of the variable, and is left out if there is none."""
    passed = {name: variables.get(name) if value is None else str(value) for name, value in declared.items()}
    return {name: value for name, value in passed.items() if value is not None}
