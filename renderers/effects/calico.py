"""What changes of Calico's objects do to a cluster on Calico-VPP 3.32.

The agents read `calico-vpp-config` as their environment, when they start.
"""

from __future__ import annotations

from typing import Final

from renderers.rules import CREATE, DELETE, REPLACE, UPDATE, Case, Effect, Effects, where

_POOL: Final = where(
    "a pool of Calico", "apiVersion", lambda found: str(found).startswith("crd.projectcalico.org/")
)
_FAR: Final = where("a pool of another cluster of its mesh", "spec.disabled", bool)
_OWN: Final = Case(
    "a pool of Calico that is its own",
    lambda before, after: _POOL.holds(before, after) and not _FAR.holds(before, after),
)
_AGENTS: Final = where("calico-vpp-config", "metadata.name", lambda found: found == "calico-vpp-config")
_NODE: Final = where("srv6-config-NODE", "metadata.name", lambda found: str(found).startswith("srv6-config-"))
_RESTART: Final = (
    "read when agents start: that restart takes VPP, and with it all pods of the node, off the network"
)
_SESSIONS: Final = frozenset({"spec.peerIP", "spec.asNumber", "spec.password", "spec.nodeSelector"})

EFFECTS: Final[Effects] = {
    ("kubernetes", "IPPool"): (
        Effect("hitless", "addresses are drawn from it by what starts later", CREATE, case=_POOL),
        Effect("hitless", "addresses that were drawn stay; new ones follow it", UPDATE, case=_POOL),
        Effect(
            "brief loss",
            "connections of pods that leave the cluster get another source address and break",
            UPDATE,
            frozenset({"spec.natOutgoing"}),
            _POOL,
        ),
        Effect(
            "destroy",
            "pods with its addresses lose routes and NAT; Calico wants a second pool, and new pods, first",
            DELETE | REPLACE,
            case=_OWN,
        ),
        Effect(
            "brief loss",
            "connections of pods to that cluster get the address of a node, and no answer comes back",
            DELETE | REPLACE,
            case=_FAR,
        ),
    ),
    ("kubernetes", "ConfigMap"): (
        Effect("hitless", "only its marks change", UPDATE | REPLACE, case=_AGENTS),
        Effect("brief loss", _RESTART, CREATE | UPDATE | REPLACE, frozenset({"data"}), _AGENTS),
        Effect(
            "drain",
            "VPP takes another interface when an agent restarts: empty the node before, it may be cut off",
            UPDATE | REPLACE,
            frozenset({"data.CALICOVPP_INTERFACES"}),
            _AGENTS,
        ),
        Effect("destroy", "agents do not start without it", DELETE, case=_AGENTS),
        Effect("hitless", "only its marks change", UPDATE | REPLACE, case=_NODE),
        Effect(
            "brief loss",
            "the agent takes the policies of the node out of VPP and adds them anew",
            CREATE | UPDATE | REPLACE,
            frozenset({"data"}),
            _NODE,
        ),
        Effect("destroy", "the node has no SIDs and no policies without it", DELETE, case=_NODE),
    ),
    ("kubernetes", "BGPConfiguration"): (
        Effect("hitless", "only its marks change", UPDATE),
        Effect(
            "brief loss",
            "BGP sessions of all nodes open anew; only graceful restart keeps routes meanwhile",
            CREATE | REPLACE,
        ),
        Effect(
            "brief loss",
            "BGP sessions of all nodes open anew; only graceful restart keeps routes meanwhile",
            UPDATE,
            frozenset({"spec"}),
        ),
        Effect(
            "destroy",
            "nodes go back to AS 64512 and a full mesh: sessions with neighbours that expect another AS "
            "stay down",
            DELETE,
        ),
    ),
    ("kubernetes", "BGPPeer"): (
        Effect("hitless", "one more session", CREATE),
        Effect("hitless", "only its marks change", UPDATE),
        Effect("brief loss", "the session closes, and opens anew", UPDATE, _SESSIONS),
        Effect("brief loss", "the session closes, and opens anew", REPLACE),
        Effect("destroy", "the session closes, and what was learned from it goes", DELETE),
    ),
    ("kubernetes", "Installation"): (
        Effect("hitless", "only its marks change", UPDATE),
        Effect(
            "brief loss",
            "the operator restarts calico-node, node after node; running pods keep their MTU",
            CREATE | UPDATE,
            frozenset({"spec"}),
        ),
        Effect("destroy", "the operator takes Calico away from the cluster", DELETE | REPLACE),
    ),
    ("kubernetes", "ClusterRole"): (
        Effect("hitless", "only rights are given", CREATE | UPDATE | REPLACE),
        Effect("destroy", "Calico's IPAM is refused: pods that start get no address", DELETE),
    ),
    ("kubernetes", "ClusterRoleBinding"): (
        Effect("hitless", "only rights are given", CREATE | UPDATE | REPLACE),
        Effect("destroy", "Calico's IPAM is refused: pods that start get no address", DELETE),
    ),
    ("kubernetes", "Role"): (
        Effect("hitless", "only rights are given", CREATE | UPDATE | REPLACE),
        Effect("hitless", "no neighbour has a password any more", DELETE),
    ),
    ("kubernetes", "RoleBinding"): (
        Effect("hitless", "only rights are given", CREATE | UPDATE | REPLACE),
        Effect("hitless", "no neighbour has a password any more", DELETE),
    ),
}
