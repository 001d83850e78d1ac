"""Why networks are in fabrics and on ports, and where their ids come from; shared by all that stand on it.

Many networks are on the port of one NIC, and thousands take their ids from one pool: what is said of a NIC, a
pool or a network in a fabric is made once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compiler.derived.memo import remembered
from compiler.derived.reasons import NAME, Origins
from compiler.resolved import Network, Resolved
from intent.kinds.virtual_network import SriovAttachment, SriovBondAttachment
from intent.model import Intent, Origin, camel
from intent.source import FieldPath


@remembered
def _made(_: Resolved) -> dict[tuple[str, ...], Origins]:
    """Return what was made already for many to share, by what was asked."""
    return {}


def pooled(field: str, pool: str, fabrics: tuple[str, ...], resolved: Resolved) -> Origins:
    """Return the pools that an id was leased from: those of fabrics, or else of the project."""
    made, key = _made(resolved), ("pool", field, pool, *fabrics)
    if key not in made:
        path = ("spec", "pools", camel(pool))
        said = [name for name in fabrics if getattr(resolved.fabric(name).pools, pool) is not None]
        places = [resolved.fabrics[name] for name in said]
        places += [resolved.project] if len(said) < len(fabrics) else []
        made[key] = tuple(Origin(field, intent, path, "pool of leases") for intent in places)
    return made[key]


def cabling(name: str, nic: str, resolved: Resolved) -> Origins:
    """Return why a NIC (or bond) of a server enters the fabric where it does: its cables, and its bond."""
    made, key = _made(resolved), ("cables", name, nic)
    if key not in made:
        server = resolved.servers[name]
        bonds = [bond for bond in server.bonds.values() if nic in (bond.name, *bond.nics)]
        legs = dict.fromkeys((nic, *(leg for bond in bonds for leg in bond.nics)))
        lag = "lag" if any((name, bond.name) in resolved.lags for bond in bonds) else ""
        said = [place for bond in bonds for place in server.places("bonds", bond.name)]
        rows = [(lag, *place) for place in said]
        # A bond that takes the NIC in would move it to its LAG.
        others = [bond.name for bond in server.bonds.values() if bond not in bonds and bond.mode == "802.3ad"]
        rows += [
            ("", intent, (*path, "nics"))
            for other in others
            for intent, path in server.places("bonds", other)
        ]
        rows += [("", server.intent, server.wires[leg].path) for leg in legs if leg in server.wires]
        rows += [(lag, server.intent, NAME)] if lag else []
        rows += [("", server.intent, ("spec", "range"))] if server.intent.words else []
        below = any(intent is server.profile for intent, _ in said)
        rows += [(lag, server.intent, ("spec", "profile"))] if below else []
        made[key] = tuple(Origin(*row, "its cables") for row in rows)
    return made[key]


def group_origins(intent: Intent, group: str | None, field: str = "") -> Origins:
    """Return the redundancy group of a fabric that something belongs to."""
    groups = enumerate(intent.spec.redundancy_groups)
    return tuple(
        Origin(field, intent, ("spec", "redundancyGroups", at)) for at, item in groups if item.name == group
    )


def drawn(network: Network, field: str, resolved: Resolved) -> Origins:
    """Return why a network has its VNI or VLAN: said, or leased from the pools of its fabrics."""
    said = getattr(network.spec, field)
    own = Origin(field, network.intent, ("spec", field), "" if said else "leased")
    return (own,) if said else (own, *pooled(field, field, network.fabrics, resolved))


@remembered
def _fixed(resolved: Resolved) -> Mapping[tuple[str, str], Intent]:
    """Return the first FabricAttachment that leads each network into each fabric."""
    found: dict[tuple[str, str], Intent] = {}
    for intent in resolved.of("FabricAttachment").values():
        for port in intent.spec.ports:
            points = resolved.points(port.node, port.nic or port.bond or "") if port.node else ()
            for fabric in (port.fabric,) if port.fabric else (point.fabric for point in points):
                found.setdefault((intent.spec.network, fabric), intent)
    return found


def _pools(network: Network) -> Iterator[str]:
    for item in network.spec.attachments:
        if isinstance(item, SriovAttachment):
            yield item.pool
        elif isinstance(item, SriovBondAttachment):
            yield from item.pools


@remembered
def _ways(resolved: Resolved) -> Mapping[tuple[str, str], Origins]:
    """Return, by pool and fabric, the cables of the NIC that leads there, where it is the only one."""
    found: dict[tuple[str, str], Origins] = {}
    for pool in resolved.pools.values():
        for server, nics in pool.members.items():
            for nic in nics:
                for fabric in {point.fabric for point in resolved.points(server, nic)}:
                    only = (pool.name, fabric) not in found
                    found[pool.name, fabric] = cabling(server, nic, resolved) if only else ()
    return found


def entrance(network: Network, fabric: str, field: str, resolved: Resolved) -> Origins:
    """Return why a network is in a fabric: its VFs, its fixed ports, or the way out of its zone."""
    made, key = _made(resolved), ("entrance", network.name, fabric, field)
    if key not in made:
        places: list[tuple[Intent, FieldPath]] = [(network.intent, ("spec", "extendToFabric"))]
        fixed = _fixed(resolved).get((network.name, fabric))
        several = enumerate(network.spec.attachments)
        with_vfs = [at for at, item in several if item.type in ("sriov", "sriovBond")]
        places += [(network.intent, ("spec", "attachments", at)) for at in with_vfs[:1]]
        places += [
            (one.intent, one.path)
            for pool in _pools(network)
            for one in _ways(resolved).get((pool, fabric), ())
        ]
        if not with_vfs:
            way_out = (network.intent, ("spec", "gateway"))
            places += [(fixed, ("spec", "network")), (fixed, ("spec", "ports"))] if fixed else [way_out]
        made[key] = tuple(Origin(field, *place, "leads into the fabric") for place in places)
    return made[key]
