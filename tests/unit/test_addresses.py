"""Which addresses are public, and which address a host spells."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsprompt.net.addresses import ends_in_number, is_local_name, is_public_unicast, literal_address

REFUSED_NETWORKS = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "168.63.129.16/32",
    "::/96",
    "::1/128",
    "::ffff:0:0/96",
    "::ffff:0:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/32",
    "2001:1::/32",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "4000::/3",
    "5f00::/16",
    "fc00::/7",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]

PUBLIC = ("8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "168.63.129.17", "2606:4700::1111")

SPELLINGS = {
    "127.0.0.1": "127.0.0.1",
    "127.1": "127.0.0.1",
    "127.0.1": "127.0.0.1",
    "0x7f.1": "127.0.0.1",
    "0X7F.0.0.0x1": "127.0.0.1",
    "0177.0.0.01": "127.0.0.1",
    "2130706433": "127.0.0.1",
    "017700000001": "127.0.0.1",
    "0x7f000001": "127.0.0.1",
    "0": "0.0.0.0",
    "127.0.0.1.": "127.0.0.1",
    "0xA9FEA9FE": "169.254.169.254",
    "[::1]": "::1",
    "::1": "::1",
    "[::ffff:7f00:1]": "::ffff:127.0.0.1",
}

NAMES = (
    "example.com",
    "1.2.3.4.5",
    "256.0.0.1",
    "1.16777216",
    "4294967296",
    "08.1",
    "1e3",
    "0x7g",
    "a:b",
    "",
    "[",
    "-1",
)


@pytest.mark.parametrize("network", REFUSED_NETWORKS)
def test_first_middle_and_last_address_of_a_special_block_are_not_public(network: str) -> None:
    block = ip_network(network)
    chosen = (block[0], block[block.num_addresses // 2], block[-1])

    assert not any(is_public_unicast(address) for address in chosen)


@pytest.mark.parametrize("interface", ["0:5efe", "200:5efe"])
def test_an_isatap_address_is_not_public(interface: str) -> None:
    assert not is_public_unicast(ip_address(f"2606:4700::{interface}:7f00:1"))


def test_an_address_with_a_zone_is_not_public() -> None:
    assert not is_public_unicast(IPv6Address("2606:4700::1111%eth0"))


@pytest.mark.parametrize("text", PUBLIC)
def test_an_ordinary_address_is_public(text: str) -> None:
    assert is_public_unicast(ip_address(text))


@pytest.mark.parametrize(("host", "address"), SPELLINGS.items())
def test_every_spelling_of_an_address_is_understood(host: str, address: str) -> None:
    assert literal_address(host) == ip_address(address)


@pytest.mark.parametrize("host", NAMES)
def test_what_is_no_address_is_a_name(host: str) -> None:
    assert literal_address(host) is None


@given(st.integers(0, 2**32 - 1))
def test_decimal_octal_and_hex_spell_the_same_address(number: int) -> None:
    expected = IPv4Address(number)

    assert {literal_address(text) for text in (str(number), f"0{number:o}", hex(number), str(expected))} == {expected}


@pytest.mark.parametrize("host", ["1.2.3.4.5", "256.0.0.1", "example.1", "example.0x1f.", "08.1", "8.8.8.8"])
def test_a_last_label_that_is_a_number_is_seen(host: str) -> None:
    assert ends_in_number(host)


@pytest.mark.parametrize("host", ["1.example", "example.1e3", "example.0x7g", "a:b", "", "[::1]"])
def test_another_last_label_is_none(host: str) -> None:
    assert not ends_in_number(host)


@given(st.text(max_size=40))
def test_no_text_makes_it_fail(host: str) -> None:
    literal_address(host)
    ends_in_number(host)
    is_local_name(host)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "x.local",
        "x.INTERNAL.",
        "metadata",
        "metadata.",
        "metadata.google.internal",
    ],
)
def test_names_that_lead_inside_are_local(host: str) -> None:
    assert is_local_name(host)


@pytest.mark.parametrize("host", ["example.com", "mylocalhost", "localhost.example.com", "metadata.example.com", ""])
def test_other_names_are_not_local(host: str) -> None:
    assert not is_local_name(host)
