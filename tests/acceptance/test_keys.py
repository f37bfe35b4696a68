"""The whole stack in the mode `keys`: it starts without a key, and serves clients with one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backpropd.client import Client, ServiceError
from embedded.demo import stack

pytestmark = pytest.mark.acceptance


def make_key(folder: Path, tenant: str, scopes: str) -> str:
    """Create a key with the admin command."""
    command = [sys.executable, "-m", "service", "keys", "create", "--tenant", tenant, "--scopes", scopes]
    environment = {**os.environ, "BACKPROPD_DATA_DIR": str(folder / "data")}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_two_tenants_train_at_the_same_time_and_no_client_without_a_key(tmp_path: Path) -> None:
    with stack(tmp_path, {"BACKPROPD_MODE": "keys", "BACKPROPD_WORKERS": "1"}) as url:
        jobs = {}
        for tenant in ("us", "them"):
            with Client(url, make_key(tmp_path, tenant, "write")) as client:
                job = client.jobs.create(client.datasets.sample("iris")["id"], "species", training={"epochs": 5})
                jobs[tenant] = client.jobs.wait(job["id"])["id"]
        with Client(url) as keyless, pytest.raises(ServiceError) as raised:
            keyless.jobs.get(jobs["us"])
        assert raised.value.status == 401
        with Client(url, make_key(tmp_path, "us", "read")) as reader:
            assert reader.jobs.get(jobs["us"])["status"] == "succeeded"
            with pytest.raises(ServiceError) as raised:
                reader.jobs.get(jobs["them"])
            assert raised.value.status == 404
            with pytest.raises(ServiceError) as raised:
                reader.jobs.delete(jobs["us"])
            assert raised.value.status == 403
