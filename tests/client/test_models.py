"""Models: what the client asks of them."""

from __future__ import annotations

from backpropd.client import Client
from tests.client.stand_in import StandIn


def test_a_curve_asks_for_just_what_was_given(stand_in: StandIn, service: Client) -> None:
    curve = service.models.curve("model_1", "height", points=2, start=0, stop=1, hold={"width": 2})
    assert (curve["x"], curve["outputs"][0]["h"]) == ([0, 1], [0, 1])
    service.models.curve("model_1")
    asked, left_out = stand_in.bodies
    assert asked == {"feature": "height", "points": "2", "from": "0", "to": "1", "hold": '{"width": 2}'}
    assert left_out == {"points": "101", "hold": "{}"}
