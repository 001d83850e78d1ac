"""What changes of FRR's texts do, told from the lines that come, go or change.

`frr-reload` brings a running FRR to a text by the lines that differ. The batches for `ip` and `bridge` are
run whole: lines that are there already change nothing, but for members of a bond, which are set down and up,
and a line that is gone is undone by nobody but whoever applies the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from renderers.changes import value
from renderers.rules import CREATE, DELETE, REPLACE, UPDATE, Case, Effect, Effects

Line = tuple[str, ...]
"""A line below the lines that it stands in, outermost first."""


def _lines(spec: Any) -> set[Line]:
    return set(_stacked(str(value(spec, "text"))))


def _stacked(text: str) -> Iterator[Line]:
    above: list[tuple[int, str]] = []
    for raw in text.splitlines():
        line = raw.strip()
        if line in ("", "!") or line.startswith("exit"):
            continue
        depth = len(raw) - len(raw.lstrip())
        above = [(other, words) for other, words in above if other < depth]
        above.append((depth, line))
        yield tuple(words for _, words in above)


def _loses(before: Any, after: Any) -> bool:
    return not _lines(before) <= _lines(after)


def _bonds(_before: Any, after: Any) -> bool:
    return any(line[-1].endswith(" down") for line in _lines(after))


def _alters(before: Any, after: Any) -> bool:
    """Say whether what was there changes: a line goes, or one comes to a known interface or neighbour."""
    old, new = _lines(before), _lines(after)
    if not old <= new:
        return True
    known = {words for line in old if (words := _about(line))}
    return any(_about(line) in known for line in new - old)


def _about(line: Line) -> Line:
    """Return the interface or neighbour that a line configures; nothing for other lines."""
    words = line[-1].split()
    if words[0] == "neighbor":
        return (line[0], words[1])
    return (line[0],) if line[0].startswith("interface ") else ()


def _drops(before: Any, after: Any) -> bool:
    return not _things(before) <= _things(after)


def _things(spec: Any) -> set[Line]:
    """Return what a configuration holds, by zone: zones, networks, neighbours and routed prefixes."""
    heads = {"vrf": 1, "vni": 1, "neighbor": 1, "ip route": 2, "ipv6 route": 2}
    found: set[Line] = set()
    for line in _lines(spec):
        for head, at in heads.items():
            if line[-1].startswith(f"{head} "):
                found.add((line[0].partition("vrf ")[2], head, line[-1].split()[at]))
    return found


_GONE: Final = Case("a line goes or changes", _loses)

EFFECTS: Final[Effects] = {
    ("frr", "links"): (
        Effect("hitless", "the switch has no links of ours yet", CREATE),
        Effect("hitless", "links are added: those that are there stay", UPDATE),
        Effect(
            "brief loss",
            "the batch sets the members of the switch's bonds down and up, one after the other",
            UPDATE,
            case=Case("the switch has bonds", _bonds),
        ),
        Effect("brief loss", "a link is set up anew, or goes", UPDATE, case=_GONE),
        Effect("brief loss", "all links are set up anew", REPLACE),
        Effect("destroy", "the switch loses the links of all networks", DELETE),
    ),
    ("frr", "vlans"): (
        Effect("hitless", "no port carries a network yet", CREATE),
        Effect("hitless", "VLANs are added to ports: those that they carry stay", UPDATE),
        Effect(
            "destroy",
            "a port loses a VLAN: what is still tagged with it is dropped",
            UPDATE,
            case=_GONE,
        ),
        Effect("brief loss", "all ports lose their VLANs and get them anew", REPLACE),
        Effect("destroy", "all ports lose their VLANs", DELETE),
    ),
    ("frr", "configuration"): (
        Effect("hitless", "FRR runs nothing of ours on the switch yet", CREATE),
        Effect("hitless", "networks, neighbours or routes are added: those that are there stay", UPDATE),
        Effect(
            "brief loss",
            "lines that go, or that change a known neighbour or interface, reset what they configure",
            UPDATE,
            case=Case("more than new lines of their own", _alters),
        ),
        Effect(
            "destroy",
            "the switch loses a zone, a network, a neighbour or a static route",
            UPDATE,
            case=Case("a zone, network, neighbour or prefix goes", _drops),
        ),
        Effect("brief loss", "FRR starts anew: all sessions of the switch open anew", REPLACE),
        Effect("destroy", "the switch leaves the fabric", DELETE),
    ),
    ("frr", "secrets"): (
        Effect("brief loss", "sessions that get a password open anew", CREATE),
        Effect("brief loss", "sessions whose password changes open anew", UPDATE | REPLACE),
        Effect(
            "brief loss", "sessions that lose their password open anew, if the far end drops it too", DELETE
        ),
    ),
    ("frr", "static-routes"): (
        Effect("hitless", "the router routes no localsids yet", CREATE),
        Effect("hitless", "routes are added: those that are there stay", UPDATE),
        Effect(
            "brief loss",
            "the localsids of a node are routed otherwise, or not at all where the node goes",
            UPDATE,
            case=_GONE,
        ),
        Effect("brief loss", "all localsids behind the router are routed anew", REPLACE),
        Effect("destroy", "the nodes behind the router are reached by no SID", DELETE),
    ),
}
