"""Settings of Calico-VPP's agents: what would keep them from starting is refused, and names are theirs."""

from __future__ import annotations

import pytest

from tests.overlays import CALICO, CALICO_BASE
from tests.support import build

FIRST = "{interfaceName: eth1}"
SECOND = "{interfaceName: eth2, vppDriver: virtio}"
MAIN = "{interfaceName: eth1, isMain: true}"


def messages(said: str, uplink: str = "") -> list[str]:
    """Return what is said of a cluster with such settings."""
    text = CALICO.replace("  uplinkInterface: eth1\n", f"  calicoVpp: {{{said}}}\n{uplink}")
    assert text != CALICO
    return [entry.message for entry in build(*CALICO_BASE[:3], text).diagnostics]


@pytest.mark.parametrize(
    "said",
    [
        f"interfaces: {{uplinkInterfaces: [{FIRST}]}}",
        'interfaces: {uplinkInterfaces: [{"interfaceName": "eth1", "vppDriver": ""}]}',  # as released
        'interfaces: {uplinkInterfaces: [{interfaceName: eth1, physicalNetworkName: "", newDriver: ""}]}',
        f"interfaces: {{uplinkInterfaces: [{FIRST}, {SECOND}]}}",
        f"interfaces: {{uplinkInterfaces: [{SECOND}, {MAIN}]}}",
        f"interfaces: {{maxPodIfSpec: {{rx: 4}}, defaultPodIfSpec: {{rx: 4}}, uplinkInterfaces: [{FIRST}]}}",
        f"debug: {{translateUplinkAddrMaskTo64: false}}, interfaces: {{uplinkInterfaces: [{FIRST}]}}",
    ],
)
def test_what_agents_start_with(said: str) -> None:
    assert messages(said) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"interfaces: {{uplinkInterfaces: [{FIRST}, {{interfaceName: eth2}}]}}", "'eth2' is not the main"),
        (
            f'interfaces: {{uplinkInterfaces: [{FIRST}, {{interfaceName: eth2, vppDriver: ""}}]}}',
            "'eth2' is not",
        ),
        (f"interfaces: {{uplinkInterfaces: [{MAIN}, {MAIN}]}}", "two uplinks are the main one"),
        ("interfaces: {maxPodIfSpec: {rx: 2}, defaultPodIfSpec: {rx: 3}}", "pods get 3 as rx and may have 2"),
        ("interfaces: {maxPodIfSpec: {rxqsz: 512}}", "pods get 1024 as rxqsz and may have 512"),
        ("featureGates: {srv6Enabled: false}", "srv6Enabled"),
        ("debug: {gsoEnabled: true}", "gsoEnabled"),
        ("featureGates: {memifEnabled: yes}", "expected true or false"),
    ],
)
def test_what_agents_do_not_start_with_and_what_srv6_decides(said: str, words: str) -> None:
    found = messages(said, "  uplinkInterface: eth1\n" if "uplinkInterfaces" not in said else "")
    assert any(words in message for message in found), found


def test_uplinks_are_said_once() -> None:
    found = messages(f"interfaces: {{uplinkInterfaces: [{FIRST}]}}", "  uplinkInterface: eth1\n")
    assert found[0] == "uplinks are said twice"
