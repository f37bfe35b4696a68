"""Plots of unusual models: many labels, deep networks, names with control characters, numbers that are not finite."""

from xml.etree import ElementTree

import numpy as np
import pytest

from service.renderers import plots
from service.renderers.figures import rendered
from service.schemas.plots import SVG

ROC = {"roc": [{"label": "_a", "auc": 1.0, "points": {"fpr": [0.0, 0.0, 1.0], "tpr": [0.0, 1.0, 1.0]}}]}


def words(draw: plots.Draw) -> str:
    return " ".join(ElementTree.fromstring(rendered(draw, SVG)).itertext())


def test_of_many_labels_and_targets_the_first_are_drawn() -> None:
    matrix = {"labels": [f"l{n}" for n in range(900)], "counts": [[[1, 0], [0, 1]]] * 900}
    text = words(plots.confusion_plot({"confusion_matrix": matrix}, "Matrix"))
    assert "the first 16 of 900 labels" in text
    assert ("l15" in text, "l16" in text) == (True, False)
    residuals = {"quantiles": {"probabilities": [0.0, 1.0], "values": [-1.0, 1.0]}}
    output = {"residuals": residuals, "predicted_versus_actual": {"mean_predicted": [1.0], "mean_actual": [1.0]}}
    text = words(plots.residuals_plot({"outputs": [output] * 900}, [f"t{n}" for n in range(900)], "Residuals"))
    assert "the first 16 of 900 targets" in text


def test_of_a_deep_network_the_first_layers_are_drawn() -> None:
    weights = [np.ones((16, 16)) for _ in range(100)]
    text = words(plots.network_plot(weights, [f"x{n}" for n in range(16)], [f"y{n}" for n in range(16)], "Network"))
    assert "88 more layers are not drawn" in text
    assert ("x0" in text, "y0" in text) == (True, False)


@pytest.mark.parametrize("name", ["a\x01b", "a\nb", "$a$", "<a>&b", "\ufffe", "a" * 1000])
def test_any_name_is_drawn(name: str) -> None:
    assert words(plots.network_plot([np.ones((1, 1))], [name], ["y"], f"Network of {plots._short(name)}"))


def test_an_importance_that_is_not_finite_has_no_bar_and_columns_of_equal_beginnings_have_two() -> None:
    rows = [{"column": "a" * 50 + str(n), "mean": None if n else 0.5, "deviation": None} for n in range(40)]
    text = words(plots.importance_plot(rows, "r2", "Importance"))
    assert "30 of 40 columns" in text
    assert text.count("a" * 39) == 30


def test_a_class_whose_name_begins_with_an_underscore_is_in_the_legend() -> None:
    assert "_a: area 1.000" in words(plots.roc_plot(ROC, "ROC"))
