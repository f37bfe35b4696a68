"""Response curves of models."""

from backpropd.client import Client
from tests.client.stand_in import StandIn


def test_a_curve_request_contains_only_the_given_arguments(stand_in: StandIn, service: Client) -> None:
    curve = service.models.curve("model_1", "height", points=2, start=0, stop=1, hold={"width": 2})
    assert (curve["x"], curve["outputs"][0]["h"]) == ([0, 1], [0, 1])
    service.models.curve("model_1")
    given, default = stand_in.bodies
    assert given == {"feature": "height", "points": "2", "from": "0", "to": "1", "hold": '{"width": 2}'}
    assert default == {"points": "101", "hold": "{}"}
