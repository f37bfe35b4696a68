"""Plots of jobs and models over HTTP, as SVG and PNG, which outlive the dataset."""

import io
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from tests.service.requests import PLANTS, Work, read_model, submit, train_model, upload
from tests.service.validation import Client

SVG, PNG = {"Accept": "image/svg+xml"}, {"Accept": "image/png"}


def words(svg: bytes) -> set[str]:
    """The texts in a picture, whose text is text."""
    return {
        "".join(each.itertext()).strip() for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("text")
    }


@pytest.fixture
def classifier(http: Client, work: Work) -> Iterator[str]:
    """A model of plants, whose dataset is deleted."""
    dataset = upload(http, PLANTS)
    model = train_model(http, work, dataset, "kind", training={"epochs": 3})
    assert http.delete(f"/v1/datasets/{dataset}").status_code == 204
    return model


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("confusion", {"predicted", "true", "fern", "moss"}),
        ("roc", {"false positive rate", "true positive rate"}),
        ("calibration", {"mean predicted probability", "observed share"}),
        ("network", {"height", "kind", "16 units", "1 unit"}),
    ],
)
def test_a_report_is_drawn_after_its_dataset_is_gone(http: Client, classifier: str, kind: str, shown: set[str]) -> None:
    answer = http.get(f"/v1/models/{classifier}/plot?kind={kind}", headers=SVG)
    assert (answer.status_code, answer.content_type) == (200, "image/svg+xml")
    assert shown <= words(answer.data)
    again = http.get(f"/v1/models/{classifier}/plot?kind={kind}", headers=SVG)
    assert again.data == answer.data
    picture = imread(io.BytesIO(http.get(f"/v1/models/{classifier}/plot?kind={kind}", headers=PNG).data))
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 10


def test_the_importance_of_columns_is_drawn_from_the_dataset(http: Client, work: Work) -> None:
    model = train_model(http, work, dataset := upload(http, PLANTS), "kind", training={"epochs": 3})
    answer = http.get(f"/v1/models/{model}/plot?kind=importance")
    assert {"height", "potted", "postcode"} <= words(answer.data)
    http.delete(f"/v1/datasets/{dataset}")
    refused = http.get(f"/v1/models/{model}/plot?kind=importance")
    assert (refused.status_code, refused.json["code"]) == (409, "conflict")


def test_residuals_are_named_by_their_targets(http: Client, work: Work) -> None:
    model = train_model(http, work, upload(http, PLANTS), ["price", "height"], training={"epochs": 3})
    answer = http.get(f"/v1/models/{model}/plot?kind=residuals")
    assert {"price", "height", "share of the rows"} <= words(answer.data)
    refused = http.get(f"/v1/models/{model}/plot?kind=roc")
    assert (refused.status_code, refused.json["code"]) == (409, "conflict")
    assert "needs a classification model" in refused.json["detail"]


def test_the_loss_of_a_job_is_drawn_from_its_epochs(http: Client, work: Work) -> None:
    job = submit(http, upload(http, PLANTS), "kind", training={"epochs": 3, "validation_fraction": 0.2})["id"]
    early = http.get(f"/v1/jobs/{job}/plot")
    assert (early.status_code, early.json["code"]) == (409, "conflict")
    work()
    answer = http.get(f"/v1/jobs/{job}/plot?kind=loss")
    assert {"epoch", "loss", "training", "validation"} <= words(answer.data)


@pytest.mark.parametrize("kind", ["mcculloch_pitts", "perceptron", "perceptron_network"])
def test_the_network_of_every_kind_is_drawn(http: Client, work: Work, kind: str) -> None:
    table = "a,b,y\n" + "".join(f"{n % 2},{n // 2 % 2},{n % 2 and n // 2 % 2}\n" for n in range(16))
    network: dict[str, Any] = {"kind": kind}
    if kind == "mcculloch_pitts":
        network |= {"threshold": 2}
    job = submit(http, upload(http, table), "y", network=network)
    work()
    model = read_model(http, job)["id"]
    answer = http.get(f"/v1/models/{model}/plot?kind=network")
    assert (answer.status_code, {"a", "b"} <= words(answer.data)) == (200, True)


def test_bad_requests_for_plots_say_what_there_is(http: Client, classifier: str) -> None:
    wrong = http.get(f"/v1/models/{classifier}/plot?kind=pie")
    assert (wrong.status_code, wrong.json["errors"][0]["pointer"]) == (422, "/kind")
    assert "confusion" in wrong.json["errors"][0]["detail"]
    assert http.get(f"/v1/models/{classifier}/plot").status_code == 200  # of the network
    assert http.get(f"/v1/models/{classifier}/plot?kind=roc", headers={"Accept": "text/html"}).status_code == 406
    assert http.get("/v1/models/model_unknown/plot?kind=roc").status_code == 404
    assert http.get("/v1/jobs/job_unknown/plot").status_code == 404
