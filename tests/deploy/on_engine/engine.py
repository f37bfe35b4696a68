"""`Engine`: Docker or Podman, whichever answers here; `Project`: the compose file as a project of its own on it."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.deploy.compose import ROOT
from tests.servers import free_port

NO_ENGINE = "no container engine answers: start Docker or Podman with its compose plugin, or set DOCKER_HOST"


class Engine:
    """The program, `docker` or `podman`, whose engine and compose plugin answer. Without one the program exits."""

    def __init__(self) -> None:
        found = [name for name in ("docker", "podman") if shutil.which(name) and _answers(name)]
        if not found:
            sys.exit(NO_ENGINE)
        self.program = found[0]

    @property
    def version(self) -> str:
        """Its name and version, and those of its compose plugin."""
        server = self.run("version", "--format", "{{.Server.Version}}").strip()
        return f"{self.program} {server}, compose {self.run('compose', 'version', '--short').strip()}"

    def run(self, *arguments: str, environment: dict[str, str] | None = None, timeout: float = 1800) -> str:
        """The output of a command. Fails with what it printed."""
        command = [self.program, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
        return done.stdout


def _answers(program: str) -> bool:
    checks = (["info"], ["compose", "version"])
    return all(subprocess.run([program, *check], capture_output=True, check=False).returncode == 0 for check in checks)


class Project:
    """The services under a project name, port and passwords of their own. `compose` runs its command of that name."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.port = free_port()
        passwords = {name: secrets.token_hex(32) for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD")}
        settings = {**passwords, "BACKPROPD_PORT": str(self.port)}
        self._file = folder / ".env"
        self._file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._environment = {key: value for key, value in os.environ.items() if key not in settings}

    def compose(self, *arguments: str) -> str:
        """The output of a compose command."""
        options = ("--project-name", "backpropd-test", "--env-file", str(self._file), "--progress", "quiet")
        return self.engine.run("compose", *options, *arguments, environment=self._environment)

    def containers(self, service: str) -> Sequence[str]:
        """The ids of a service's running containers."""
        return self.compose("ps", "--quiet", service).split()

    def inside(self, container: str, *command: str) -> str:
        """The output of a command inside a container."""
        return self.engine.run("exec", container, *command)

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows about a container."""
        found: list[dict[str, Any]] = json.loads(self.engine.run("inspect", container))
        return found[0]
