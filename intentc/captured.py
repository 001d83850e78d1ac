"""The facts of Calico-VPP nodes as a file: what was known, and what a GoBGP hears now.

Invariant: what is not heard is kept, for a node that is silent for a while still has its SIDs; only a node
that intent does not have any more is dropped. The same facts make the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from compiler.derived.addresses import clip, ends
from compiler.derived.overlay import SID_FACT
from compiler.resolved import Cluster, Resolved
from intent.kinds.facts import NodeSids
from intent.kinds.project import Target
from intent.model import API_VERSION
from reconciler.drivers.gobgp.heard import Heard

HEAD: Final = "# Written by `intentc facts capture`; what is changed by hand is lost.\n"


@dataclass(frozen=True, slots=True)
class Capture:
    """What the file shall say, and what there is to tell about it."""

    nodes: tuple[NodeSids, ...]
    changes: tuple[str, ...]
    """What differs from the file as it is."""
    gaps: tuple[str, ...]
    """What is not heard, and what nobody knows."""


def capture(
    target: Target, resolved: Resolved, before: Iterable[NodeSids], now: Mapping[str, Heard]
) -> Capture:
    """Return the facts of the Calico-VPP nodes of a target's clusters."""
    known = {item.node: item for item in before}
    clusters = [resolved.clusters[name] for name in target.clusters if announces(resolved.clusters[name])]
    nodes: list[NodeSids] = []
    changes: list[str] = []
    gaps: list[str] = []
    # Other targets may hear the rest of them: one reflector serves many clusters.
    claimed = {str(server.ipv6) for server in resolved.servers.values()}
    for cluster in clusters:
        for name in cluster.servers:
            old = known.pop(name, None)
            address = resolved.servers[name].ipv6 or (old.address if old else None)
            told = now.get(str(address))
            claimed.add(str(address))
            gaps += _gaps(name, cluster, old, told)
            made = _merged(name, cluster, old, told)
            if made:
                nodes.append(made)
                changes += _changes(old, made)
    changes += [f"{name}: is in none of {', '.join(target.clusters)} any more" for name in sorted(known)]
    strangers = sorted(now.keys() - claimed)
    gaps += [f"{address} announces itself, and no node has that address (spec.ipv6)" for address in strangers]
    return Capture(tuple(sorted(nodes, key=lambda item: item.node)), tuple(changes), tuple(gaps))


def announces(cluster: Cluster) -> bool:
    """Say whether the nodes of a cluster announce themselves as Calico-VPP does."""
    spec = cluster.spec
    return spec.dataplane == "calico-vpp" and spec.control_plane == "bgp" and spec.srv6 is not None


def _merged(name: str, cluster: Cluster, old: NodeSids | None, told: Heard | None) -> NodeSids | None:
    """Return the facts of a node: what it announces, and what was known of the rest."""
    if told is None:
        return old
    sids = {
        field: sid
        for family, field in SID_FACT.items()
        if (sid := told.sids.get(family) or (getattr(old, field) if old else None))
    }
    blocks = sorted(_blocks(told.prefixes, cluster)) or (map(str, old.blocks) if old else ())
    said = {"node": name, "address": told.address, "blocks": list(blocks)}
    return NodeSids.model_validate(said | {field: str(sid) for field, sid in sids.items()})


def _blocks(prefixes: Iterable[str], cluster: Cluster) -> Iterator[str]:
    """Yield the pod blocks among what a node announces: localsids and services lie elsewhere."""
    pools = [pool for pool in (cluster.spec.pod_cidrs.ipv4, cluster.spec.pod_cidrs.ipv6) if pool]
    for text in prefixes:
        block = ip_network(text)
        if any(
            block.version == pool.version and clip(ends(block), ends(pool)) == ends(block) for pool in pools
        ):
            yield text


def _gaps(name: str, cluster: Cluster, old: NodeSids | None, told: Heard | None) -> Iterator[str]:
    if told is None:
        yield f"{name}: is not heard" + ("; what was known is kept" if old else ", and in no capture before")
        return
    cidrs = cluster.spec.pod_cidrs
    for family, field in SID_FACT.items():
        if getattr(cidrs, family) and family not in told.sids:
            kept = getattr(old, field) if old else None
            yield f"{name}: announces no {field}" + (f"; {kept} is kept" if kept else "")


def _changes(old: NodeSids | None, made: NodeSids) -> Iterator[str]:
    if old is None:
        yield f"{made.node}: new"
        return
    for field in ("address", *SID_FACT.values()):
        before, after = getattr(old, field), getattr(made, field)
        if before != after:
            yield f"{made.node}: {field} {before or 'unknown'} → {after}"
    gone, come = set(old.blocks) - set(made.blocks), set(made.blocks) - set(old.blocks)
    for mark, blocks in (("-", gone), ("+", come)):
        for block in sorted(map(str, blocks)):
            yield f"{made.node}: {mark} block {block}"


def write(name: str, source: str, nodes: Sequence[NodeSids]) -> str:
    """Return the text of the file."""
    lines = [
        f"apiVersion: {API_VERSION}",
        "kind: Facts",
        "metadata:",
        f"  name: {name}",
        "spec:",
        f'  captured: "{source}"',
        "  nodes:" if nodes else "  nodes: []",
    ]
    for item in nodes:
        # Quoted, since an address may end in a colon.
        lines += [f"    - node: {item.node}", f'      address: "{item.address}"']
        lines += [f'      {field}: "{sid}"' for field in SID_FACT.values() if (sid := getattr(item, field))]
        if item.blocks:
            lines.append("      blocks:")
            lines += [f'        - "{block}"' for block in item.blocks]
    return HEAD + "\n".join(lines) + "\n"
