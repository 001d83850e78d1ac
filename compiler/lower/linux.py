"""Lowering of what only nodes have whose kernel is the data plane: their uplink, and bridges of zones.

All else of their overlay is the same as on every data plane of ours. Pods of the default network are routed
by the main table, where the CNI plugin puts them; a zone has a VRF, and each of its networks a bridge in it.
"""

from __future__ import annotations

from collections.abc import Iterator

from compiler.allocated import Allocated
from compiler.derived.overlay import families, networks_of
from compiler.derived.reasons import table_origins, zone_origins
from compiler.elements.overlay import Bridge, LinuxHost
from compiler.graph import Element
from compiler.lower.conflists import bridge_name
from compiler.resolved import Cluster, Server
from intent.model import Origin


def node(allocated: Allocated, name: str) -> Iterator[Element]:
    """Yield what one node (CLUSTER/NODE) has beside its overlay."""
    cluster_name, _, server_name = name.partition("/")
    resolved = allocated.resolved
    cluster, server = resolved.clusters[cluster_name], resolved.servers[server_name]
    overlay = cluster.spec.srv6
    if overlay is None or cluster.spec.dataplane != "linux" or server.uplink is None:
        return
    yield LinuxHost(
        subject=f"{server.intent.subject}/overlay/host",
        origins=(
            Origin("", cluster.intent, ("spec", "dataplane")),
            Origin("interface", server.intent, ("spec", "uplink", "interface")),
            Origin("encapsulation", cluster.intent, ("spec", "srv6", "encapsulation")),
        ),
        interface=server.uplink.interface,
        encapsulation=overlay.encapsulation,
    )
    yield from _bridges(cluster, server, allocated)


def _bridges(cluster: Cluster, server: Server, allocated: Allocated) -> Iterator[Bridge]:
    resolved = allocated.resolved
    for network in networks_of(cluster, resolved):
        if not network.vrf:
            continue
        why = [
            origin
            for family in families(cluster, network.vrf, resolved)
            for origin in zone_origins(cluster, network.vrf, family, resolved)
        ]
        yield Bridge(
            subject=f"{network.intent.subject}/{server.intent.uid}/bridge",
            origins=(
                Origin("name", network.intent, ("metadata", "name")),
                Origin("", network.intent, ("spec", "attachments")),
                *table_origins("table", network.vrf, resolved),
                *dict.fromkeys(why),
            ),
            name=bridge_name(network.name),
            table=allocated.table_of(cluster.name, network.vrf),
        )
