"""Sets of machines by their addresses."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Networks(NamedTuple):
    """A set of networks, with single addresses among them."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @staticmethod
    def parse(text: str) -> Networks:
        """Read addresses and networks (`10.0.0.0/8`), with commas or spaces between them. Raises ValueError."""
        return Networks(tuple(ipaddress.ip_network(word) for word in text.replace(",", " ").split()))

    def holds(self, address: Address | None) -> bool:
        """Tell whether an address is in one of them; a local socket, which has none, is not."""
        return address is not None and any(address in network for network in self.networks)


NOBODY = Networks()


def find_address(text: str) -> Address | None:
    """Return the address in a text; None for any other text. IPv4-mapped IPv6 addresses count as IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=4096)
def network_of(address: str, *, ipv4_bits: int = 24) -> str | None:
    """Return the network whose machines count as one client; None for a local socket, which has no address.

    For IPv6 that is the /64, which any household has for itself.
    """
    client = find_address(address.partition("%")[0])
    if client is None:
        return None
    bits = ipv4_bits if client.version == 4 else 64
    return str(ipaddress.ip_network((client, bits), strict=False))


def site_of(network: str) -> str:
    """Return the block that one customer of a provider may have (RFC 6177): of IPv6 a /48, of IPv4 the network."""
    try:
        found = ipaddress.ip_network(network)
    except ValueError:
        return network
    return str(found.supernet(new_prefix=48)) if found.version == 6 and found.prefixlen > 48 else network
