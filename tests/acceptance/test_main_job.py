"""The main job on real data: upload, train, watch, predict, over HTTP on the embedded stack."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from backpropd.client import Client, Epoch, Job, JobDidNotSucceed, ServiceError

pytestmark = pytest.mark.acceptance

SAMPLES = Path(__file__).parent.parent.parent / "backpropd" / "tabular" / "samples"


def train(client: Client, table: str, target: str, **spec: Any) -> tuple[Job, list[Epoch]]:
    """Upload a sample, train on it, and follow every epoch."""
    dataset = client.datasets.upload(SAMPLES / f"{table}.csv")
    job = client.jobs.create(dataset["id"], target, **spec)
    epochs: list[Epoch] = []
    return client.jobs.wait(job["id"], on_epoch=epochs.append, timeout=200), epochs


@pytest.mark.parametrize(
    ("table", "target", "units", "epochs", "min_accuracy"),
    [
        ("iris", "species", 8, 100, 0.93),
        ("breast_cancer", "diagnosis", 16, 50, 0.95),
        ("digits", "digit", 64, 40, 0.95),
    ],
)
def test_a_table_is_learned_and_its_model_predicts(
    client: Client, table: str, target: str, units: int, epochs: int, min_accuracy: float
) -> None:
    done, followed = train(
        client,
        table,
        target,
        network={"hidden": [{"units": units, "activation": "tanh"}]},
        training={"epochs": epochs, "seed": 1},
    )
    assert [epoch["epoch"] for epoch in followed] == list(range(1, epochs + 1))
    assert followed == list(client.jobs.epochs(done["id"]))
    model = client.models.get(done["model_id"] or "")
    assert model["validation_metrics"] is not None
    assert model["validation_metrics"]["accuracy"] >= min_accuracy
    with (SAMPLES / f"{table}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    predictions = client.models.predict(model["id"], rows)
    correct = sum(each["label"] == row[target] for each, row in zip(predictions, rows, strict=True))
    assert correct / len(rows) >= min_accuracy
    assert all(abs(sum(each["probabilities"].values()) - 1) < 1e-6 for each in predictions)


def test_the_error_on_diabetes_is_a_fifth_below_that_of_the_mean(client: Client) -> None:
    done, _ = train(
        client,
        "diabetes",
        "progression",
        network={"hidden": [{"units": 8, "activation": "tanh"}]},
        training={"epochs": 200, "seed": 0, "early_stopping": {"patience": 10}},
    )
    model = client.models.get(done["model_id"] or "")
    assert model["validation_metrics"] is not None
    assert model["validation_metrics"]["r2"] >= 1 - 0.8**2  # an error 20 % below the mean's
    assert done["stop_reason"] == "early_stopping"


def test_the_same_seed_gives_the_same_losses_and_the_same_bytes(client: Client) -> None:
    runs = [train(client, "iris", "species", training={"epochs": 30, "seed": 5}) for _ in range(2)]
    (first, first_epochs), (second, second_epochs) = runs
    untimed = [[{**epoch, "seconds": 0.0} for epoch in epochs] for epochs in (first_epochs, second_epochs)]
    assert untimed[0] == untimed[1]
    hashes = {client.models.get(job["model_id"] or "")["sha256"] for job in (first, second)}
    assert len(hashes) == 1


def xor_accuracy(client: Client, hidden: list[dict[str, Any]]) -> float:
    dataset = client.datasets.sample("xor")
    training = {"epochs": 500, "seed": 2, "optimizer": {"name": "adam", "learning_rate": 0.05}}
    job = client.jobs.create(dataset["id"], "y", network={"hidden": hidden}, training=training)
    return client.models.get(client.jobs.wait(job["id"])["model_id"] or "")["metrics"]["accuracy"]


def test_xor_is_learned_with_a_hidden_layer_and_not_without(client: Client) -> None:
    assert xor_accuracy(client, [{"units": 4, "activation": "tanh"}]) == 1.0
    assert xor_accuracy(client, []) <= 0.75


def test_a_diverging_loss_fails_the_job_with_how_to_fix_it(client: Client) -> None:
    dataset = client.datasets.sample("diabetes")
    training = {"optimizer": {"name": "sgd", "learning_rate": 1e6}, "epochs": 50, "seed": 1}
    job = client.jobs.create(
        dataset["id"], "progression", network={"hidden": [{"units": 8, "activation": "relu"}]}, training=training
    )
    with pytest.raises(JobDidNotSucceed, match="learning_rate") as caught:
        client.jobs.wait(job["id"])
    assert caught.value.code == "diverged"
    assert client.jobs.get(job["id"])["model_id"] is None


def test_an_unknown_target_is_rejected_with_the_columns(client: Client) -> None:
    dataset = client.datasets.sample("iris")
    with pytest.raises(ServiceError, match="sepal_length, sepal_width") as caught:
        client.jobs.create(dataset["id"], "specie")
    assert (caught.value.status, caught.value.code) == (422, "unknown_column")
    assert caught.value.problems[0].pointer == "/target"


def test_the_api_reference_is_served(url: str) -> None:
    assert httpx.get(f"{url}/openapi.json").json()["openapi"].startswith("3.1")
    page = httpx.get(f"{url}/docs").text
    assert "http" not in page.replace("http-equiv", "")
    assert httpx.get(f"{url}/docs/js/swagger-ui-bundle.js").status_code == 200


def test_the_command_trains_and_predicts(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "backpropd.cli", "--url", url]
    table = str(SAMPLES / "wine.csv")
    arguments = ["train", table, "--target", "cultivar", "--hidden", "8", "--epochs", "30", "--seed", "1"]
    trained = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    model_id = trained.stdout.split("the model is ")[1].split(":")[0]
    out = tmp_path / "out.csv"
    subprocess.run([*command, "predict", model_id, table, "-o", str(out)], check=True, capture_output=True)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["label"] == row["cultivar"] for row in rows) / len(rows) > 0.95
    rejected = subprocess.run([*command, "jobs", "show", "job_0"], check=False, capture_output=True, text=True)
    assert rejected.returncode == 3
    assert "there is no job" in rejected.stderr
