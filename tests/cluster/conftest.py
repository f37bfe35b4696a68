"""The hosts, made once and repaired before each test."""

import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster.hosts import HostCluster, running_hosts

SCRATCH = Path(tempfile.gettempdir()) / "backpropd-cluster"  # of the servers; an interrupted run leaves it to the next


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave these tests out unless they are asked for: they need root, and take minutes."""
    return None if config.getoption("--cluster") else True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the programs logged last, if a test fails."""
    report = yield
    hosts = getattr(item, "funcargs", {}).get("hosts")
    if report.failed and isinstance(hosts, HostCluster):
        report.sections.append(("logs of the hosts", hosts.logs()))
    return report


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostCluster]:
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(mode=0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(SCRATCH))
        with running_hosts(tmp_path_factory.mktemp("hosts")) as cluster:
            for name, value in cluster.environment.items():  # for what the tests themselves do with S3
                patch.setenv(name, value)
            yield cluster
    shutil.rmtree(SCRATCH, ignore_errors=True)


@pytest.fixture
def cluster(hosts: HostCluster) -> HostCluster:
    """The hosts, all connected, with the true clock, and with every program running."""
    hosts.repair()
    return hosts
