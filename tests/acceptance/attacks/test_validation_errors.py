"""Attacks by requests with a million mistakes: validation stops after the first few, in linear time."""

import pytest

from tests.acceptance.attacks.api import JSON, Api

pytestmark = pytest.mark.acceptance

MILLION = 1_000_000


def post(api: Api, path: str, body: bytes, status: int) -> None:
    """Post JSON under observation; the answer has this status and is short, and costs little."""
    with api.http() as http, api.observed() as seen:
        answer = http.post(path, content=body, headers=JSON)
    assert answer.status_code == status, answer.text[:1000]
    assert len(answer.content) < 20_000
    seen.check(seconds=4, mib=200)


def test_a_million_zeros_as_rows_of_an_unknown_model_are_not_validated(api: Api) -> None:
    body = b'{"rows": [' + b"0," * MILLION + b"0]}"
    post(api, "/v1/models/model_1k86dw4hjn3dbakw4sq9qgi3p/predictions", body, 404)
