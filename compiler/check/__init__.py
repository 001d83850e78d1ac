"""Checks: what intent must fulfil before anything is made of it, inside each domain and across domains.

Each check is a function that reads and reports; `CHECKS` need no ids, `CHECKS_WITH_IDS` run after allocation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from compiler.allocated import Allocated
from compiler.check.address_space import (
    check_address_space,
    check_leases,
    check_sid_blocks,
    check_steered,
)
from compiler.check.addresses import check_addresses, check_blocks, check_ipam
from compiler.check.announcements import check_announcements, check_functions, check_hearers
from compiler.check.assertions import check_assertions
from compiler.check.border import check_exits
from compiler.check.calico_pools import check_calico_pools
from compiler.check.effects import check_effects
from compiler.check.fabric import check_bonds, check_cables, check_fabric_attachments, check_pod_ports
from compiler.check.fabric_mtu import check_mtu
from compiler.check.names import check_names
from compiler.check.overlaps import check_overlaps, check_pod_space
from compiler.check.overlay import check_clusters, check_meshes
from compiler.check.paths import check_policies
from compiler.check.pods import check_offers, check_workloads
from compiler.check.ports import (
    check_first_vlan,
    check_pins,
    check_trunks,
    check_vlans_of_exits,
    check_vlans_of_ports,
    check_vlans_of_zones,
)
from compiler.check.providers import check_providers
from compiler.check.targets import check_targets
from compiler.check.underlay import check_links
from compiler.check.vfs import check_capacity, check_pools
from compiler.check.zones import check_zone_leaks
from compiler.resolved import Resolved
from intent.diagnostics import Report

CHECKS: Final[tuple[Callable[[Resolved, Report], None], ...]] = (
    check_effects,  # what is said without effect
    check_links,  # links end at what exists, their SIDs are routed, facts speak of them
    check_clusters,  # each SRv6 cluster inside itself: data plane, nodes, MTU
    check_meshes,  # clusters of one mesh against each other
    check_address_space,  # SIDs, pods, services and nodes apart wherever they are routed together
    check_sid_blocks,  # SIDs inside the block of their underlay
    check_policies,  # TE paths against underlay, hardware, facts and each other
    check_steered,  # steered prefixes leave SIDs and the way to them alone
    check_announcements,  # SR policies that travel by BGP: told apart, not too large, not lost on the way
    check_calico_pools,  # Calico's pools against the nodes that draw from them
    check_pools,  # pools of VFs against NICs and each other
    check_offers,  # networks against what each cluster has installed, and the names that pods take them by
    check_workloads,  # pods against what they are offered
    check_capacity,  # VFs against the pods that are expected
    check_addresses,  # ranges, reserved addresses and routes inside their subnets
    check_ipam,  # no address handed out twice, enough for the expected pods
    check_names,  # no two documents make an object of the same name
    check_overlaps,  # subnets apart wherever routes meet
    check_pod_space,  # networks apart from the space of pods and services
    check_fabric_attachments,  # fixed ports exist and carry each network once
    check_cables,  # every PF that a network extends over has a cable
    check_pod_ports,  # pods that run are on ports that can be configured
    check_bonds,  # a bond finds its networks on all legs
    check_zone_leaks,  # routes leak by zone, so routers choose whole zones
    check_mtu,  # pod, VF, PF, port and tunnel fit into each other
    check_providers,  # what Apstra and FRR can take
    check_exits,  # ways out use ports, neighbours and next hops that exist
    check_assertions,  # what users want to stay true
    check_targets,  # something goes to each of them
)
CHECKS_WITH_IDS: Final[tuple[Callable[[Allocated, Report], None], ...]] = (
    check_leases,  # facts and steered prefixes against what was leased
    check_hearers,  # Calico-VPP survives what its GoBGP announces to others
    check_functions,  # service SIDs have a place in the distinguishers of BGP
    check_pins,  # pinned VLANs and VNIs lie in the pools of their fabrics
    check_first_vlan,  # Apstra keeps VLAN 1 for itself
    check_vlans_of_zones,  # every switch allows the VLANs that carry its zones
    check_vlans_of_ports,  # every port allows the VLANs that it needs
    check_vlans_of_exits,  # links to the outside share no VLAN with networks
    check_trunks,  # what pods tag by themselves belongs to networks
    check_blocks,  # every node has addresses of each overlay network
)
