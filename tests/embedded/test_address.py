"""The API's address: its URL, and the message for a port that cannot be used."""

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
def test_the_url_of_an_api_on_all_interfaces_is_on_the_loopback(host: str, url: str) -> None:
    assert Address(host, 8000).url == url


def test_port_0_becomes_a_free_port() -> None:
    chosen = address.free("127.0.0.1", 0)
    assert chosen.port > 0
    assert address.free("127.0.0.1", chosen.port) == chosen


def test_a_host_of_another_machine_is_rejected_with_the_reason() -> None:
    with pytest.raises(Conflict, match=r"Cannot listen on 192\.0\.2\.1, port 8000: .*BACKPROPD_HOST"):
        address.free("192.0.2.1", 8000)


def test_an_address_without_a_server_does_not_answer() -> None:
    assert not address.free("127.0.0.1", 0).answers("/healthz")
