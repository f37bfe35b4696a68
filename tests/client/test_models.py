"""Predictions and response curves of models."""

import io

import pytest

from backpropd.client import Client, ServiceError
from tests.client.stand_in import StandIn, problem


def test_a_curve_request_contains_only_the_given_arguments(stand_in: StandIn, service: Client) -> None:
    curve = service.models.curve("model_1", "height", points=2, start=0, stop=1, hold={"width": 2})
    assert (curve["x"], curve["outputs"][0]["h"]) == ([0, 1], [0, 1])
    service.models.curve("model_1")
    given, default = stand_in.bodies
    assert given == {"feature": "height", "points": "2", "from": "0", "to": "1", "hold": '{"width": 2}'}
    assert default == {"points": "101", "hold": "{}"}


def test_a_table_is_predicted_as_a_stream(stand_in: StandIn, service: Client) -> None:
    table = io.BytesIO(b"height\n1\n2\n")
    with service.models.predict_file("model_1", table, accept="application/jsonl", keep=["id", "a,b"]) as answer:
        assert b"".join(answer.chunks).count(b"fern") == 2
    assert [each["code"] for each in answer.warnings] == ["unseen_category"]
    assert stand_in.queries == [{"keep": 'id,"a,b"'}]


def test_a_table_to_predict_is_sent_with_options_of_reading(stand_in: StandIn, service: Client) -> None:
    table, options = io.BytesIO(b"1;5\n"), {"delimiter": ";", "header": False, "missing": ["?"], "sheet": None}
    with service.models.predict_file("model_1", table, keep=["id"], **options) as answer:
        assert b"".join(answer.chunks)
    assert stand_in.queries == [{"delimiter": ";", "header": "false", "missing": '["?"]', "keep": "id"}]


def test_a_rejected_table_is_an_error(stand_in: StandIn, service: Client) -> None:
    stand_in.faults = [("/predictions", problem(422, "invalid", "no"))]
    with pytest.raises(ServiceError, match="no"), service.models.predict_file("model_1", io.BytesIO(b"height\n1\n")):
        pass
