"""Which addresses count as one client."""

from __future__ import annotations

import pytest

from davstore.model.networks import network_of, site_of


@pytest.mark.parametrize(
    ("one", "other", "ipv4_bits", "same"),
    [
        ("192.0.2.1", "192.0.2.200", 24, True),
        ("192.0.2.1", "192.0.3.1", 24, False),
        ("192.0.2.1", "192.0.2.200", 32, False),
        ("192.0.2.1", "::ffff:192.0.2.1", 32, True),
        ("2001:db8::1", "2001:db8::ffff:1", 32, True),
        ("2001:db8::1", "2001:db8:0:1::1", 32, False),
        ("fe80::1%eth0", "fe80::2%eth0", 32, True),
        ("", "a socket", 32, True),
    ],
)
def test_a_household_is_one_client(one: str, other: str, ipv4_bits: int, same: bool) -> None:
    assert (network_of(one, ipv4_bits=ipv4_bits) == network_of(other, ipv4_bits=ipv4_bits)) is same


@pytest.mark.parametrize(
    ("network", "site"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::/64", "2001:db8:1::/48"),
        ("", ""),
    ],
)
def test_a_site_is_what_one_customer_may_have(network: str, site: str) -> None:
    assert site_of(network) == site
