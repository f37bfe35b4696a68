"""Existing clients of the Open Inference Protocol work with the service as they are, each in its released version."""

import json
import subprocess
from pathlib import Path

import pytest

from backpropd.client import Client
from tests.service.requests import PLANT, PLANTS

pytestmark = pytest.mark.acceptance

ENVIRONMENT = Path(__file__).parents[2] / ".venv-clients"
SCRIPT = Path(__file__).with_name("inference_clients.py")
ROWS = [[10.5, "yes", "01001"], [30.25, "no", "01002"], [3.5, "no", "01003"]]
MANY = 400  # rows, more than a short body has


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of the environment that has the clients, which `make test` makes."""
    assert (ENVIRONMENT / ".ready").exists(), "run `make .venv-clients/.ready`, which installs the clients"
    return ENVIRONMENT / "bin" / "python"


@pytest.fixture(scope="module")
def model(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A classifier from a number, a boolean and a category."""
    table = tmp_path_factory.mktemp("plants") / "plants.csv"
    table.write_text(PLANTS)
    dataset = client.datasets.upload(table)
    job = client.jobs.create(dataset["id"], "kind", features=list(PLANT), training={"epochs": 3, "seed": 1})
    return str(client.jobs.wait(job["id"])["model_id"])


@pytest.mark.parametrize("times", [1, MANY])
def test_their_predictions_are_those_of_the_other_route(
    python: Path, url: str, client: Client, model: str, times: int
) -> None:
    rows = ROWS * times
    predictions = client.models.predict(model, rows)
    expected = {
        "labels": [each["label"] for each in predictions],
        "probabilities": [[*each["probabilities"].values()] for each in predictions],
    }
    run = subprocess.run([python, SCRIPT, url, model, json.dumps(rows)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    triton, kserve = found["triton"], found["kserve"]
    assert triton.pop("health") == kserve.pop("health") == [True, True, True]
    assert triton.pop("extensions") == ["binary_tensor_data"]
    assert triton.pop("inputs") == list(PLANT)
    missing, unknown = triton.pop("errors")
    assert "potted, postcode" in missing
    assert "there is no model 'm_1'" in unknown
    for way, answer in [*triton.items(), *kserve.items()]:
        assert answer == expected, way
