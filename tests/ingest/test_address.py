"""Addresses as people write them."""

import pytest

from geo_policing.errors import InvalidInput
from geo_policing.ingest.transports.address import parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7001", ("127.0.0.1", 7001)),
        (":7001", ("127.0.0.1", 7001)),
        ("gateway.city.example:0", ("gateway.city.example", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_host_and_port(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "7001", "host", "host:", "host:x", "host:65536", "host:-1", "host:７"])
def test_what_has_no_port_is_refused_with_a_remedy(text):
    with pytest.raises(InvalidInput, match="write HOST:PORT") as refused:
        parse_address(text, "--tcp")
    assert (refused.value.field, refused.value.value) == ("--tcp", text)


@pytest.mark.parametrize("text", ["::1:7001", "[host]:7001", "[]:7001", "x" * 64 + ":7001", "a..b:7001"])
def test_what_has_no_right_host_is_refused(text):
    with pytest.raises(InvalidInput, match="no right host"):
        parse_address(text)
