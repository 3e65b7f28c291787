"""Which addresses of the network media may be fetched from: public ones, and those the settings name."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from model_zoo.errors import FetchRefusedError, TemporaryFetchError
from serve.shown import shown

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]  # host and port -> addresses, the preferred one first

# They answer with credentials of the machine, so that no setting allows them.
_METADATA = frozenset(
    map(
        ip_address,
        (
            *("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"),  # AWS, and others
            *("168.63.129.16", "100.100.100.200", "192.0.0.192"),  # Azure, Alibaba, Oracle
        ),
    )
)
_NOT_FOR_MEDIA = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16")))
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # nothing else of IPv6 is handed out to the public
_TRANSLATED = IPv6Network("64:ff9b::/96")  # the last 32 bits are the IPv4 address that a NAT64 connects to


def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host; raises TemporaryFetchError where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TemporaryFetchError(f"{shown(host)}: no address for this name ({error}); check its spelling") from error
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def check_address(host: str, text: str, allowed: Sequence[Network]) -> None:
    """Raise FetchRefusedError for an address that is not public and in none of the `allowed` networks."""
    address = _reached(ip_address(text))
    inside = any(address.version == network.version and address in network for network in allowed)
    if address in _METADATA or not (inside or _is_public(address)):
        raise FetchRefusedError(
            f"{shown(host)}: its address {text} is not a public one; where it is meant, name its network in "
            "fetch_networks (REELWARDEN_FETCH_NETWORKS), which never opens the metadata service of a cloud"
        )


def _reached(address: Address) -> Address:
    """Return the IPv4 address that is meant by an IPv6 one that only wraps it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    listed = any(address.version == network.version and address in network for network in _NOT_FOR_MEDIA)
    return address.is_global and not (address.is_multicast or address.is_reserved or listed)
