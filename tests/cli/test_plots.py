"""Plots by the command, and what is drawn by the service and offered by the command."""

from pathlib import Path
from typing import get_args

import pytest

from backpropd.cli.commands import models
from service.schemas.plots import ModelPlotKind
from tests.cli.conftest import Run
from tests.client.stand_in import StandIn

PLOTS = [("jobs", "job_1", "loss"), *(("models", "model_1", kind) for kind in get_args(models.PlotKind))]


@pytest.mark.parametrize(("group", "id", "kind"), PLOTS)
@pytest.mark.parametrize(("name", "media_type"), [("a.svg", "image/svg+xml"), ("a.PNG", "image/png")])
def test_a_plot_is_written_as_its_file_is_called(
    stand_in: StandIn, run: Run, tmp_path: Path, group: str, id: str, kind: str, name: str, media_type: str
) -> None:
    options = ("--kind", kind) if group == "models" else ()
    assert run(group, "plot", id, *options, "-o", tmp_path / name).code == 0
    assert (tmp_path / name).read_bytes() == b"a picture"
    assert stand_in.bodies[-1] == {"kind": kind}
    assert stand_in.headers(f"/v1/{group}/{id}/plot", "Accept")[-1] == media_type


def test_a_file_of_another_kind_is_a_wrong_command_line(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    assert run("jobs", "plot", "job_1", "-o", tmp_path / "a.pdf").code == 2
    assert run("models", "plot", "model_1", "--kind", "pie").code == 2
    assert not stand_in.requests


def test_the_command_offers_every_plot_of_the_service() -> None:
    assert set(get_args(models.PlotKind)) == set(get_args(ModelPlotKind))
