"""Policy changes under a numbered stream: how many packets are lost, and the longest time without one.

Changes go through the real driver, as an apply would do them: stage, commit, verify.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from itertools import cycle
from typing import Any, Final

from lab.network import Lab
from lab.spaces import SEND_RATE, LabError, Spaces, stream
from reconciler.drivers.base import Driver
from reconciler.drivers.linux.driver import Linux
from reconciler.plan import Action
from renderers.resource import Resource
from renderers.rules import Impact

_TARGET: Final = "loss"
_UNTOLD: Final = Impact("hitless", "")
TURNS: Final[tuple[tuple[tuple[int, tuple[str, ...]], ...], ...]] = (
    ((1, ("p4",)),),
    ((3, ("p1", "p3")), (1, ("p2",))),
    ((1, ()),),
    ((1, ("p2", "p4")),),
    ((1, ("p1", "p3")), (2, ("p4",)), (4, ("p1",))),
)
"""Weighted lists of routers that the policy takes by turns; the service SID comes after them."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a stream saw of some changes."""

    changes: int
    sent: int
    lost: int
    rate: float
    """Packets per second, as they were really sent."""
    longest_gap: float
    """Seconds."""
    twice: int

    def __str__(self) -> str:
        """Write it for people."""
        return (
            f"{self.changes} policy changes under {self.rate:,.0f} packets/s: {self.lost} of {self.sent:,} "
            f"packets lost, longest gap {1000 * self.longest_gap:.1f} ms"
        )


def measure(lab: Lab, changes: int, count: int, family: str = "ipv4", rate: int = SEND_RATE) -> Loss:
    """Change the policy from one pod to the other by turns, spread over so many packets."""
    (one, other) = lab.pods
    address = getattr(lab.pods[other], family)
    policy = policy_towards(lab, one, address)
    driver = Linux(_TARGET, lab.spaces.name(one), lab.folder / "leases")
    ends = (lab.spaces, lab.pods[one].name, lab.pods[other].name, address)
    return measured(driver, [*variants(lab, policy), policy], ends, changes, count, rate)


def measured(
    driver: Driver,
    turns: Sequence[Resource],
    ends: tuple[Spaces, str, str, str],
    changes: int,
    count: int,
    rate: int = SEND_RATE,
) -> Loss:
    """Change a policy by turns; it begins as the last of them, and ends so."""
    spaces, one, other, address = ends
    pause, now = count / rate / (changes + 1), turns[-1]
    with stream(spaces, (one, other), address, rate, flows=64) as report:
        start = time.monotonic()
        for number, after in zip(range(1, changes + 1), cycle(turns), strict=False):
            time.sleep(max(0.0, start + number * pause - time.monotonic()))
            change(driver, now, after)
            now = after
        time.sleep(max(0.0, start + count / rate - time.monotonic()))
    if now is not turns[-1]:
        change(driver, now, turns[-1])
    return Loss(
        changes,
        report["sent"],
        report["lost"],
        report["sent"] / report["seconds"],
        report["longest_gap"],
        report["twice"],
    )


def policy_towards(lab: Lab, node: str, address: str) -> Resource:
    """Return the policy that carries the packets of a node to an address."""
    resources = {item.key: item for item in lab.resources(node) if item.key.family == "linux"}
    for item in resources.values():
        if item.key.type == "steering" and ip_address(address) in ip_network(item.spec["prefix"]):
            return resources[item.key._replace(type="policy", name=item.spec["bsid"])]
    raise LabError(f"node {node} steers nothing to {address}")


def variants(lab: Lab, policy: Resource) -> list[Resource]:
    """Return the policy over other routers."""
    routers = lab.graph.allocated.resolved.underlay.routers
    service = policy.spec["lists"][0]["sids"][-1]
    found = []
    for turn in TURNS:
        rows: list[dict[str, Any]] = []
        for weight, names in turn:
            sids = [*(str(routers[name].sid) for name in names), service]
            rows.append({"weight": weight, "mode": "encap" if names else "encap.red", "sids": sids})
        rows.sort(key=lambda row: row["sids"])
        found.append(replace(policy, spec={**policy.spec, "lists": rows}))
    return found


def change(driver: Driver, before: Resource, after: Resource) -> None:
    """Do one change as an apply does it."""
    batch = driver.stage([Action(_TARGET, "update", 0, before, after, "", _UNTOLD)])
    failed = [outcome.message for outcome in driver.commit(batch) if outcome.status != "done"]
    if failed or driver.verify(batch):
        raise LabError(f"a policy could not be changed: {failed or 'it was not there when read back'}")
