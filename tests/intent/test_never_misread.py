"""What YAML readers take for something else: read as it was meant, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from intent.diagnostics import Report
from intent.kinds.fabric import SwitchPort
from intent.load import load
from intent.source import Source

HEAD = "apiVersion: intentc.dev/v1alpha1\n"
FIXED = """kind: VirtualNetwork
metadata: {{name: n}}
spec:
  subnets: [{{cidr: 10.0.0.0/24}}]
  attachments: [{{type: bareMetal}}]
  ipam:
    mode: central
    fixed:
      - owner: w
        address: 10.0.0.9
        mac: {}
"""
NETWORK = (
    "kind: VirtualNetwork\nmetadata: {{name: n}}\nspec:\n  attachments: [{{type: bareMetal}}]\n  {}: {}\n"
)
TARGETS = """kind: VirtualNetwork
metadata: {{name: n}}
spec:
  attachments: [{{type: bareMetal}}]
  routeTargets:
    imports:
      - {}
"""
PROFILE = "kind: NodeProfile\nmetadata: {{name: n}}\nspec:\n  {}\n"
FABRIC = """kind: Fabric
metadata: {{name: n}}
spec:
  provider: frr
  switches:
    - name: a
      asn: 65001
      {}: {}
"""


def read(text: str) -> tuple[Any, list[str]]:
    """Return the spec of a document (None where it was refused) and the places of what was refused."""
    report = Report()
    found = load([Source("a.yaml", HEAD + text)], report)
    return (found[0].spec if found else None), [f"{entry.code}@{entry.span}" for entry in report.sorted()]


def refusal(text: str) -> str:
    spec, (first, *_) = read(text)
    assert spec is None
    return first.partition("@")[0]


@pytest.mark.parametrize(
    "mac", ["10:20:30:40:50:10", "00:11:22:33:44:55", "02:00:00:00:00:59", "aa:bb:cc:dd:ee:ff"]
)
def test_a_mac_of_digits_is_a_mac(mac: str) -> None:
    spec, found = read(FIXED.format(mac))
    assert found == []
    assert spec.ipam.fixed[0].mac == mac


@pytest.mark.parametrize(
    "mac", ["102030405010", "010203040506", "1:20:30:40:50:10", "10:20:30", "1:30", "0x1020304050"]
)
def test_what_is_no_mac_is_refused_where_it_stands(mac: str) -> None:
    assert read(FIXED.format(mac)) == (None, ["IC1023@a.yaml:12:14"])


@pytest.mark.parametrize("target", ["65000:10", "1:30", "10:20", "4200000000:59", "192.0.2.1:10", "65000:0"])
def test_a_route_target_is_not_a_number_to_the_base_60(target: str) -> None:
    spec, found = read(TARGETS.format(target))
    assert found == []
    assert spec.route_targets.imports == (target,)


@pytest.mark.parametrize("target", ["65000", "010:10", "65000:010", "0x10:1", "1:2:3", "6.5e4", "65_000:1"])
def test_what_is_no_route_target_is_refused(target: str) -> None:
    assert refusal(TARGETS.format(target)) == "IC1023"


@pytest.mark.parametrize(
    "number",
    [
        "010",
        "0o17",
        "0x64",
        "0b11",
        "1_000",
        "1e3",
        "1:30",
        "100.0",
        "+100",
        "'100'",
        "no",
        ".inf",
        "٣٠٠",
    ],
)
def test_a_number_is_written_as_a_number_or_refused(number: str) -> None:
    assert refusal(NETWORK.format("mtu", number)) == "IC1022"


def test_a_number_is_itself() -> None:
    assert read(NETWORK.format("mtu", "1500"))[0].mtu == 1500


@pytest.mark.parametrize(
    "said", ["no", "No", "NO", "off", "yes", "on", "y", "n", "True", "FALSE", "0", "1", "'true'", "~"]
)
def test_only_true_and_false_are_truth_values(said: str) -> None:
    assert refusal(NETWORK.format("extendToFabric", said)) == "IC1022"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "no",
            "on",
            "y",
            "Null",
            "NULL",
            "True",
            "010",
            "0o17",
            "0x1f",
            "1:30",
            "190:20:30",
            "12e03",
            "1_000",
        ),
        *("65000:10", "1.10", "1.0", ".5", "-0", "+1", ".inf", ".nan", "2026-01-02", "2026-01-02T03:04:05Z"),
        *("10:20:30:40:50:10", "102030405010", "000000000000", "9" * 30, "=", "0.0.0.0/0"),
    ],
)
def test_text_stays_what_was_written(text: str) -> None:
    spec, found = read(
        PROFILE.format(
            f"labels: {{said: {text}, {text}: key}}"
            if ":" not in text
            else f"labels:\n    said: {text}\n    {text}: key"
        )
    )
    assert found == []
    assert spec.labels == {"said": text, text: "key"}


@pytest.mark.parametrize(
    ("said", "meant"),
    [("8086", "8086"), ("0000", "0000"), ("1572", "1572"), ("1e10", "1e10"), ("0e00", "0e00")],
)
def test_hex_digits_stay_hex_digits(said: str, meant: str) -> None:
    spec, found = read(PROFILE.format(f"nics: [{{name: eth0, vendor: {said}}}]"))
    assert found == []
    assert spec.nics[0].vendor == meant


@pytest.mark.parametrize("value", ["true", "null", "~", ""])
def test_what_is_a_value_of_yaml_is_no_label_without_quotes(value: str) -> None:
    assert refusal(PROFILE.format(f"labels: {{said: {value}}}")) == "IC1022"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1:30", "IC1023"),
        ("010", "IC1023"),
        ("3232235777", "IC1023"),
        ("0x7f000001", "IC1023"),
        ("1.2.3", "IC1023"),
        ("010.0.0.1", "IC1023"),
        ("127.1", "IC1023"),
        ("1.2.3.4 ", ""),
    ],
)
def test_an_address_has_four_plain_parts(value: str, code: str) -> None:
    spec, found = read(FABRIC.format("loopback", value))
    assert [entry.partition("@")[0] for entry in found] == ([code] if code else [])
    assert (spec is None) == bool(code)


def test_a_port_that_ends_in_another_sort_of_digit_is_another_port() -> None:
    entry = SwitchPort(name="swp[1-48]")
    assert [entry.covers(port) for port in ("swp1", "swp48", "swp49", "swp²", "swp", "swpx")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
