"""Writes docs/impact.md: what each change does to traffic, from the tables that the planner reads.

A part of `intentc.reference`; the prose around the tables stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, get_args

from renderers.effects import EFFECTS
from renderers.rules import VIEW, Effect, Operation

_FAMILIES: Final = {
    "vpp": "VPP on nodes",
    "linux": "Linux as the data plane of nodes",
    "kubernetes": "Kubernetes objects",
    "srpolicy": "SR policies announced over BGP",
    "cni": "CNI configuration of nodes",
    "apstra": "Apstra",
    "frr": "FRR switches and routers",
}
"""Families in the order of the page, in words."""


def page(header: str) -> str:
    """Return the page; the header says that it is generated."""
    lines = ["# What a change does to traffic", "", header, _BEFORE]
    shown = {name: effects for name, effects in EFFECTS.items() if effects != VIEW}
    for family, title in _FAMILIES.items():
        lines += [f"## {title}", ""]
        for _, kind in sorted(name for name in shown if name[0] == family):
            lines += [f"### {kind}", "", "| action | where | class | reason |", "|---|---|---|---|"]
            lines += [*_rows(shown[family, kind]), ""]
    return "\n".join([*lines, _AFTER])


def _rows(effects: Iterable[Effect]) -> Iterator[str]:
    """Yield a line per effect; what says the same of several fields or operations stands once."""
    for effect in effects:
        cells = (_actions(effect), _where(effect), f"**{effect.level}**", _cell(effect.reason))
        yield "| " + " | ".join(cells) + " |"


def _actions(effect: Effect) -> str:
    return ", ".join(operation for operation in get_args(Operation) if operation in effect.on)


def _where(effect: Effect) -> str:
    fields = " ".join(f"`{path}`" for path in sorted(effect.fields))
    return "; ".join(filter(None, (fields, _cell(effect.case.words) if effect.case else "")))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_BEFORE: Final = """\
Every action of a plan says what it does to traffic, and why. The summary of a plan adds the classes up.

| class | means |
|---|---|
| **hitless** | nothing that runs loses a packet |
| **brief loss** | traffic is lost for moments, and comes back by itself |
| **drain** | pods are evicted, or have to be made anew before they are reached again |
| **reboot** | nodes restart, after all their pods were evicted |
| **destroy** | what is in use goes, and does not come back by this action |

An action may match several rows below; the worst counts, and of equals the first. A row without a field \
holds for every change of the object. Views (exec files, the neutral blueprint, snippets for workloads) are \
another form of other objects, and always hitless.

## New before old

The order of a plan comes from what needs what. What is needed is made first, across all targets, and what \
goes is taken away last, in reverse:

1. A policy with another binding SID is made; then the steering is re-pointed, in one step; then the old \
policy goes.
2. A policy whose segment lists change gets the new lists first, then other weights, and loses the old lists \
last. It is never without a list, and a list that stands as wanted is not touched.
3. A new source address of encapsulation reaches existing policies list by list, in the same way.
4. A route is swapped in place.

Two changes cannot be made this way, because VPP holds one object under one SID: a localsid with another \
behaviour or table, and a policy of another sort (`encap`, `type`, `fib_table`) under the same binding SID. \
A second SID would need a lease of its own. VPP is told to take the old one away and to add the new one in \
two messages that follow each other, and the plan says *brief loss*. Agents of Calico-VPP do the same with \
every announced policy that changes.
"""

_AFTER: Final = """\
## Limits

- A class tells what an action does by itself, in its place in the plan. A prefix that leaves the overlay in \
one action and is covered by a wider one in another counts as destroyed.
- Of SR-IOV the plan knows the policies, not the nodes. Where the operator reboots only if something is \
missing (kernel arguments, hardware offload, a number in the firmware), the plan says *reboot*. Where a \
policy does not name the vendor of its NICs, a change of `numVfs` counts as *drain*, and NVIDIA (Mellanox) \
NICs reboot all the same. An operator in its systemd mode reboots for every drain; one with `disableDrain` \
evicts nobody, and pods lose their VFs.
- How many nodes are drained at once, the operator's `SriovNetworkPoolConfig` says; the plan counts actions, \
not nodes.
- What running pods do not notice can still part them from a network that changes on the other side: a VLAN \
that changes on NAD and fabric is hitless at the NAD and *drain* at the fabric.
- Text for FRR is judged by its lines. `frr-reload` is taken for granted: where the text is loaded by a \
restart of FRR, every change is a brief loss.
- One text cannot be made in two steps. Routes that move inside `localsids.conf`, and lines that replace \
others in a switch's configuration, change in one go.
- Apstra ships all that is staged in one deployment; what others staged acts with it, and is in no plan.
- Calico-VPP reads its configuration when it starts. The plan counts the restart with the change, although \
the restart is up to whoever rolls the DaemonSet.
"""
