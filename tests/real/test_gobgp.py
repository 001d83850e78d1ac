"""Two GoBGPs that peer in network namespaces: what the driver announces is what the far one hears.

injector ── bgph ── headend          injector ── reflector ── headend
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from secrets import token_hex

import pytest

from compiler.derived.announcements import distinguisher, update_size
from reconciler.drivers.base import PermanentError
from reconciler.drivers.gobgp.client import Api
from reconciler.drivers.gobgp.driver import Gobgp
from reconciler.drivers.gobgp.heard import Heard, heard
from reconciler.drivers.gobgp.messages import new, packed
from reconciler.drivers.gobgp.paths import Announced, Nlri, Segment, Weighted, announced_as, spec_of
from reconciler.drivers.gobgp.received import Watch, received
from renderers.resource import Key, Resource
from tests.calico_receiver import in_force, rejected
from tests.gobgpd import GOBGPD, Neighbor, real
from tests.reconciler.gobgp.test_driver import bring

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(GOBGPD is None, reason="gobgpd is not installed"),
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2"),
]
A, R, B = "fd00:b6::a", "fd00:b6::c", "fd00:b6::b"
IDS = {A: "10.0.0.1", R: "10.0.0.3", B: "10.0.0.2"}


@dataclass(frozen=True)
class Peers:
    """An injector, and what the headend behind it hears."""

    injector: Api
    headend: Api
    netns: str
    """Namespace of the headend."""

    def until(self, holds: Callable[[list[Announced]], bool], what: str) -> list[Announced]:
        """Wait until what the headend heard is as it should be."""
        end = time.monotonic() + 60
        while True:
            found = [item for item in self.headend.policies() if item.neighbor]
            if holds(found):
                return found
            assert time.monotonic() < end, f"{what}: {found}"
            time.sleep(0.1)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=60)


@contextmanager
def namespaces(*addresses: str) -> Iterator[dict[str, str]]:
    """Make a network namespace for each address, all on one bridge in a namespace of its own."""
    prefix = f"bgph-{token_hex(3)}"
    made = {address: f"{prefix}-{at}" for at, address in enumerate(addresses)}
    hub = f"{prefix}-hub"
    with ExitStack() as stack:
        for name in (hub, *made.values()):
            try:
                ip("netns", "add", name)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespace can be made here: {error.stderr.decode().strip()}")
            stack.callback(ip, "netns", "delete", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", hub, "link", "add", "br0", "type", "bridge")
        ip("-n", hub, "link", "set", "br0", "up")
        for at, (address, name) in enumerate(made.items()):
            ip("-n", hub, "link", "add", f"p{at}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", hub, "link", "set", f"p{at}", "master", "br0", "up")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "address", "add", f"{address}/64", "dev", "eth0", "nodad")
        yield made


@contextmanager
def peers(*, reflector: bool = False) -> Iterator[Peers]:
    with ExitStack() as stack:
        names = stack.enter_context(namespaces(A, B, *([R] if reflector else [])))
        middle = {A: R, B: R} if reflector else {A: B, B: A}
        if reflector:
            clients = (Neighbor(A, client=True), Neighbor(B, client=True))
            stack.enter_context(real(IDS[R], names[R], clients))
        one, two = (
            stack.enter_context(real(IDS[own], names[own], (Neighbor(middle[own]),))) for own in (A, B)
        )
        yield Peers(one, two, names[B])


@pytest.fixture(scope="module")
def direct() -> Iterator[Peers]:
    with peers() as made:
        yield made


@pytest.fixture
def driver(direct: Peers, tmp_path: Path) -> Iterator[Gobgp]:
    made = Gobgp("bgp", direct.injector, ["core", "edge"], tmp_path / "leases")
    yield made
    for item in direct.injector.policies():
        if not item.neighbor:
            direct.injector.withdraw(item)
    direct.until(lambda found: found == [], "the table is emptied")


def resource(said: Announced, cluster: str) -> Resource:
    return Resource(Key("srpolicy", f"cluster/{cluster}", "sr-policy", str(said.nlri)), spec_of(said))


def ours(*by: str, color: int = 100, weight: int = 1) -> Announced:
    """Return a policy towards a node that is ours."""
    nlri = Nlri(distinguisher("edge", 300), color, "fd11::2")
    lists = (
        Weighted(weight, (*map(Segment, by), Segment("fcdd:0:0:2::12c", 19))),
        Weighted(3, (Segment("fcbb:0:9::"), Segment("fcdd:0:0:2::12c", 19))),
    )
    return Announced(nlri, A, f"cafe::{color:x}", lists, 200, 128, no_advertise=True)


def test_injected_changed_and_withdrawn_as_the_peer_sees_it(direct: Peers, driver: Gobgp) -> None:
    first, second = ours("fcbb:0:1::"), ours("fcbb:0:1::", color=4)
    bring(driver, resource(first, "edge"), resource(second, "edge"))
    found = direct.until(lambda found: len(found) == 2, "both are there")
    assert {replace(item, neighbor="") for item in found} == {first, second}
    assert {item.neighbor for item in found} == {A}
    changed = ours("fcbb:0:2::", "fcbb:0:3::", weight=7)
    bring(driver, resource(changed, "edge"), resource(second, "edge"))
    direct.until(lambda found: {replace(item, neighbor="") for item in found} == {changed, second}, "changed")
    bring(driver, resource(second, "edge"))
    direct.until(lambda found: [item.nlri for item in found] == [second.nlri], "withdrawn")


def test_an_agent_takes_them_and_hears_of_changes(direct: Peers, driver: Gobgp) -> None:
    watch = Watch(direct.headend.address)
    while watch.wait(0.5):
        pass
    bring(driver, resource(ours("fcbb:0:1::"), "edge"))
    assert watch.wait(60)
    direct.until(lambda found: len(found) == 1, "it is there")
    (policy,) = received(direct.headend)
    assert (policy.bsid, policy.color, policy.preference) == ("cafe::64", 100, 200)
    assert policy.lists == (
        (1, ("fcbb:0:1::", "fcdd:0:0:2::12c")),
        (3, ("fcbb:0:9::", "fcdd:0:0:2::12c")),
    )
    while watch.wait(0.5):
        pass
    bring(driver)
    assert watch.wait(60), "a withdrawal is a change"
    direct.until(lambda found: found == [], "it is gone")
    assert received(direct.headend) == ()
    watch.close()


def calico(family: int = 4, sid: str = "fcff::4", bsid: str = "cafe::3") -> Announced:
    """Return what a Calico-VPP node announces of itself: without NO_ADVERTISE and route targets."""
    lists = (Weighted(12, (Segment(sid, {4: 19, 6: 18}[family]),)),)
    return Announced(Nlri(0, family, B), B, bsid, lists, 11, 10)


def test_te_wins_at_a_calico_node_and_after_its_removal_the_default_does(
    direct: Peers, driver: Gobgp
) -> None:
    own = calico()
    direct.headend.announce(own)
    while not any(item.nlri == own.nlri for item in direct.injector.policies()):
        time.sleep(0.1)
    heard = [own]
    nlri = Nlri(distinguisher("core", 4), 4, B)
    lists = (Weighted(1, (Segment("fcbb:0:1::"), Segment("fcff::4", 19))),)
    te = Announced(nlri, A, "cafe::8001", lists, 100, 128, no_advertise=True)
    bring(driver, resource(te, "core"))
    heard += direct.until(lambda found: [item.nlri for item in found] == [nlri], "TE is there")
    assert rejected(heard[-1]) == ""
    chosen = in_force(heard, B, 19)
    assert chosen is not None
    assert chosen.lists == lists
    (gone,) = bring(driver)
    assert gone.operation == "delete"
    heard += direct.until(lambda found: [item.lists for item in found] != [lists], "its remainder is there")
    for told in (heard, [own, heard[-1]]):
        chosen = in_force(told, B, 19)
        assert chosen is not None
        assert (chosen.lists, chosen.bsid) == ((Weighted(1, (Segment("fcff::4", 19),)),), "cafe::3")
    assert driver.observe().resources == {}
    direct.headend.withdraw(own)


def test_on_the_wire_nobody_passes_it_on_and_nothing_has_a_name(
    direct: Peers, driver: Gobgp, tmp_path: Path
) -> None:
    said = ours("fcbb:0:1::")
    update = captured(direct, tmp_path, lambda: bring(driver, resource(said, "edge")))
    nlri = bytes([192, *said.nlri.distinguisher.to_bytes(4), *said.nlri.color.to_bytes(4)])
    assert nlri + IPv6Address("fd11::2").packed in update
    assert bytes.fromhex("c00804ffffff02") in update, "COMMUNITIES: NO_ADVERTISE"
    assert bytes.fromhex("0d128000") + IPv6Address("cafe::64").packed in update, "binding SID of 16 bytes"
    assert bytes.fromhex("0d1a10") in update, "segment B with its behaviour, and the flag that says so"
    assert bytes.fromhex("0c06") in update
    assert bytes.fromhex("0f028000") in update, "priority 128"
    assert sub_tlvs(update) == SAID, "and never 129, a name"
    assert len(update) <= update_size([2, 2], 0)


def captured(found: Peers, tmp_path: Path, act: Callable[[], object]) -> bytes:
    """Return the UPDATE with a tunnel encapsulation that the headend gets meanwhile."""
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump is not installed")
    file = tmp_path / "wire.pcap"
    command = ["ip", "netns", "exec", found.netns, "tcpdump", "-i", "eth0", "-U", "-w", str(file)]
    command += ["-Z", "root", "tcp port 179"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"listening" in process.stderr.readline()
        act()
        end = time.monotonic() + 60
        updates: list[bytes] = []
        while not updates and time.monotonic() < end:
            time.sleep(0.1)
            updates = [part for part in messages(file.read_bytes()) if b"\x0d\x12\x80" in part]
        process.terminate()
    assert updates, "no UPDATE with an SR policy"
    return updates[-1]


def messages(capture: bytes) -> Iterator[bytes]:
    """Yield the BGP messages that are in a capture as a whole; each has a marker of sixteen ones."""
    for data in streams(capture):
        at = data.find(b"\xff" * 16)
        while 0 <= at <= len(data) - 19:
            length = int.from_bytes(data[at + 16 : at + 18])
            if length < 19 or at + length > len(data):
                break
            yield data[at : at + length]
            at += length


def streams(capture: bytes) -> list[bytes]:
    """Return what TCP carried over IPv6 in each direction, as far as there is no gap."""
    at, found = 24, dict[bytes, tuple[int, bytearray]]()
    while at + 16 <= len(capture):
        length = int.from_bytes(capture[at + 8 : at + 12], sys.byteorder)
        frame = capture[at + 16 : at + 16 + length]
        at += 16 + length
        if len(frame) < length:
            break  # tcpdump is still writing it
        segment = frame[54:]  # behind Ethernet and IPv6
        flow, seq = frame[22:58], int.from_bytes(segment[4:8])
        payload = segment[segment[12] // 16 * 4 : int.from_bytes(frame[18:20])]
        opens = segment[13] >> 1 & 1  # SYN, which counts as one byte
        begin, data = found.setdefault(flow, (seq + opens, bytearray()))
        place = (seq - begin) % 2**32
        if payload and place <= len(data):
            data[place : place + len(payload)] = payload
    return [bytes(data) for _, data in found.values()]


SAID = [12, 13, 15, 128, 128]
"""Preference, binding SID, priority, and two segment lists: nothing else is ever announced."""


def sub_tlvs(update: bytes) -> list[int]:
    """Return the types of what an UPDATE says of an SR policy; from 128 on, two bytes say the length."""
    (tunnel,) = [value for kind, value in attributes(update) if kind == 23]  # TUNNEL_ENCAP
    assert (int.from_bytes(tunnel[:2]), int.from_bytes(tunnel[2:4])) == (15, len(tunnel) - 4)
    found, at = [], 4
    while at < len(tunnel):
        found.append(tunnel[at])
        size = 1 if tunnel[at] < 128 else 2
        at += 1 + size + int.from_bytes(tunnel[at + 1 : at + 1 + size])
    assert at == len(tunnel)
    return sorted(found)


def attributes(update: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of the path attributes of an UPDATE (RFC 4271 §4.3)."""
    at = 23 + int.from_bytes(update[19:21])
    while at < len(update):
        size = 2 if update[at] & 0x10 else 1
        begin = at + 2 + size
        end = begin + int.from_bytes(update[at + 2 : begin])
        yield update[at + 1], update[begin:end]
        at = end


def test_through_a_reflector_route_targets_name_the_headends(tmp_path: Path) -> None:
    with peers(reflector=True) as found:
        driver = Gobgp("bgp", found.injector, ["edge"], tmp_path / "leases")
        mine = replace(ours("fcbb:0:1::"), no_advertise=False, route_targets=("10.0.0.9", IDS[B]))
        other = replace(ours("fcbb:0:1::", color=5), no_advertise=False, route_targets=("10.0.0.9",))
        update = captured(
            found, tmp_path, lambda: bring(driver, resource(mine, "edge"), resource(other, "edge"))
        )
        there = found.until(lambda found: len(found) == 2, "both are there")
        assert {replace(item, neighbor="") for item in there} == {mine, other}
        assert [policy.bsid for policy in received(found.headend)] == ["cafe::64"], "the other is not meant"
        target = bytes.fromhex("0102") + IPv4Address("10.0.0.9").packed + b"\x00\x00"
        assert target in update
        assert sub_tlvs(update) == SAID
        assert bytes.fromhex("ffffff02") not in update
        bring(driver)
        found.until(lambda found: found == [], "withdrawn")


def test_what_nodes_say_of_themselves_is_heard(direct: Peers, driver: Gobgp) -> None:
    for said in (calico(4), calico(6, "fcff::6", "cafe::5")):
        direct.headend.announce(said)
    for afi, prefix, length in ((2, "fd80::40", 122), (1, "10.80.0.64", 26)):
        family = new("Family", afi=afi, safi=1)
        nlri = packed("IPAddressPrefix", prefix=prefix, prefix_len=length)
        hop = packed("NextHopAttribute", next_hop=B)
        path = new("Path", nlri=nlri, pattrs=[packed("OriginAttribute"), hop], family=family)
        direct.headend._call("AddPath", new("AddPathRequest", path=path), "AddPathResponse")  # noqa: SLF001 -- the driver announces no prefixes
    expected = Heard(B, {"ipv4": "fcff::4", "ipv6": "fcff::6"}, ("10.80.0.64/26", "fd80::40/122"))
    end = time.monotonic() + 60
    while (found := heard(driver.api)) != {B: expected}:
        assert time.monotonic() < end, found
        time.sleep(0.1)
    for said in (calico(4), calico(6, "fcff::6", "cafe::5")):
        direct.headend.withdraw(said)


def test_what_gobgp_cannot_pack_is_refused_by_name(driver: Gobgp) -> None:
    broken = new("Path", nlri=packed("Any"), family=new("Family", afi=2, safi=73))
    with pytest.raises(PermanentError):
        driver.api._call("AddPath", new("AddPathRequest", path=broken), "AddPathResponse")  # noqa: SLF001 -- nothing that the driver sends is refused
    assert announced_as(spec_of(ours("fcbb:0:1::"))) == ours("fcbb:0:1::")
