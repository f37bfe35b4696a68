"""Fixtures: an API to attack."""

from collections.abc import Iterator

import pytest

from tests.acceptance.attacks.api import Api, running_api


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A running API with the default limits, shared by the tests of a module."""
    with running_api(tmp_path_factory.mktemp("attacked")) as running:
        yield running


@pytest.fixture(autouse=True)
def still_serves_others(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each attack on `api`, the other tenant is served."""
    yield
    if "api" in request.fixturenames:
        api: Api = request.getfixturevalue("api")
        with api.http(api.other) as http:
            assert http.get("/v1/jobs").status_code == 200
            assert http.post("/v1/datasets", json={"sample": "xor"}).status_code == 201
