"""The page, the dashboard and the alerts name the metrics that a scrape really shows, with their labels."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from backpropd.config import Settings
from tests.deploy.compose import ROOT
from tests.servers import free_port
from tests.service.requests import open_app, sample, submit
from tests.service.test_operator_metrics import scrape

DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "operations.md").read_text()
ALERTS = DEPLOY / "alerts.yml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
]
PANELS: list[dict[str, Any]] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
LABELS_OF_PROMETHEUS = {"le", "job", "instance"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The answers of the operator's port and of a tenant's `/metrics`."""
    folder = tmp_path_factory.mktemp("metrics")
    settings = Settings(data_dir=folder, broker_url=f"redis+socket://{folder}/none.sock").with_defaults()
    with open_app(settings, metrics_port=free_port()) as app:
        http = app.test_client()
        submit(http, sample(http, "iris"))
        return {"operator": scrape(app), "tenant": http.get("/metrics").text}


def labels_of(text: str) -> dict[str, set[str]]:
    """The labels of each series, by its name."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            if not each.name.endswith("_created"):
                found.setdefault(each.name, set()).update(each.labels)
    return found


def families(text: str) -> set[str]:
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in labels_of(text)}


@pytest.mark.parametrize("who", ["operator", "tenant"])
def test_the_page_explains_every_metric_and_no_other(shown: dict[str, str], who: str) -> None:
    section = PAGE.partition(f"<!-- metrics of the {who} -->")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(backpropd_\w+)", section, re.MULTILINE)) == families(shown[who])


def expressions() -> list[str]:
    return [rule["expr"] for rule in RULES] + [target["expr"] for panel in PANELS for target in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_reads_series_that_exist_by_labels_that_they_have(shown: dict[str, str], expression: str) -> None:
    existing = labels_of(shown["operator"])
    named = re.findall(r"\bbackpropd_\w+", re.sub(r'"[^"]*"', '""', expression))
    assert set(named) <= set(existing)
    assert named or expression.startswith("up{")
    labels = {label for name in named for label in existing[name]} | LABELS_OF_PROMETHEUS
    used = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    used += [label for group in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(r",\s*", group)]
    assert set(used) <= labels


def test_every_series_of_the_operator_is_on_the_dashboard(shown: dict[str, str]) -> None:
    drawn = {
        name for panel in PANELS for target in panel["targets"] for name in re.findall(r"backpropd_\w+", target["expr"])
    }
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in drawn} == families(shown["operator"])


def test_the_alerts_name_components_that_exist(shown: dict[str, str]) -> None:
    named = {name for rule in RULES for name in re.findall(r'component="(\w+)"', rule["expr"])}
    assert named
    assert named <= set(re.findall(r'component="(\w+)"', shown["operator"]))


def test_the_page_says_what_to_do_about_each_of_the_ten_alerts() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == 10
    assert re.findall(r"^\| `(Backpropd\w+)`", PAGE, re.MULTILINE) == names


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_accepts_the_alerts() -> None:
    assert subprocess.run(["promtool", "check", "rules", ALERTS]).returncode == 0


def test_every_panel_has_a_place_of_its_own() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert all(panel["datasource"]["uid"] == "${source}" for panel in PANELS)
