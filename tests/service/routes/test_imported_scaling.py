"""The scaling of an imported regression's targets."""

from typing import Any

import pytest

from tests.service.requests import rejected_pointers
from tests.service.routes.test_exports import post
from tests.service.validation import Client


@pytest.mark.parametrize(
    ("scaling", "pointer"),
    [
        ({"scale": [0.0]}, "/scaling/scale"),
        ({"scale": [-1.0]}, "/scaling/scale"),
        ({"bounds": [[2.0], [1.0]]}, "/scaling/bounds"),
        ({"bounds": [[1.0, 1.0], [2.0, 2.0]]}, "/scaling"),
        ({"bounds": [[2.0], [2.0]]}, None),
    ],
)
def test_a_scaling_without_meaning_is_refused(http: Client, scaling: dict[str, Any], pointer: str | None) -> None:
    network = {"kind": "feedforward", "hidden": [], "output_activation": "linear"}
    weights = {"layers.0.weight": [[1.0]], "layers.0.bias": [0.0]}
    model = {"network": network, "features": ["x"], "target": "y", "weights": weights}
    answer = post(http, {**model, "scaling": {"offset": [1.0], "scale": [2.0], **scaling}})
    assert (answer.status_code, pointer) == (201, None) or rejected_pointers(answer) == [pointer]
