"""Which addresses media may be fetched from."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from model_zoo.errors import FetchRefusedError
from serve.addresses import check_address

ANYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_a_public_address_is_allowed(address: str) -> None:
    check_address("media.example", address, ())


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),  # noqa: S104
        *("169.254.1.1", "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "192.0.2.1"),
        *("198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "fec0::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::7f00:1", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::"),
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(FetchRefusedError, match=r"media\.example: its address .* fetch_networks"):
        check_address("media.example", address, ())


def test_a_network_of_the_settings_is_allowed_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = (ip_network("10.1.0.0/16"),)
    check_address("store.internal", "10.1.2.3", inner)
    check_address("store.internal", "::ffff:10.1.2.3", inner)
    with pytest.raises(FetchRefusedError):
        check_address("store.internal", "10.2.0.1", inner)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:169.254.169.254", "169.254.170.2", "fd00:ec2::254", "168.63.129.16"]
)
def test_no_setting_opens_the_metadata_service(address: str) -> None:
    with pytest.raises(FetchRefusedError):
        check_address("media.example", address, ANYWHERE)
