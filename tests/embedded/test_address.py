"""The API's address: what to ask, and what a port that cannot be had says."""

import pytest

from backpropd.errors import Conflict
from embedded import address
from embedded.address import Address


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_an_api_that_listens_everywhere_is_asked_on_the_loopback(host: str, url: str) -> None:
    assert Address(host, 8000).url == url


def test_port_0_becomes_a_free_port() -> None:
    chosen = address.free("127.0.0.1", 0)
    assert chosen.port > 0
    assert address.free("127.0.0.1", chosen.port) == chosen


def test_a_host_that_is_not_of_this_machine_is_refused_with_the_reason() -> None:
    with pytest.raises(Conflict, match=r"Cannot listen on 192\.0\.2\.1, port 8000: .*BACKPROPD_HOST"):
        address.free("192.0.2.1", 8000)


def test_nothing_answers_where_nothing_listens() -> None:
    assert not address.free("127.0.0.1", 0).answers("/healthz")
