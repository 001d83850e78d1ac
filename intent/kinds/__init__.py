"""The kinds of intent: one module per kind, one row per kind in `KINDS`."""

from __future__ import annotations

from typing import Final

from intent.kinds.assertion import AssertionSpec
from intent.kinds.cluster import ClusterSpec
from intent.kinds.external_connection import ExternalConnectionSpec
from intent.kinds.fabric import FabricSpec
from intent.kinds.fabric_attachment import FabricAttachmentSpec
from intent.kinds.facts import FactsSpec
from intent.kinds.node import NodeProfileSpec, NodeSpec
from intent.kinds.project import ProjectSpec
from intent.kinds.sriov_pool import SriovPoolSpec
from intent.kinds.srv6_policy import SRv6PolicySpec
from intent.kinds.underlay import UnderlaySpec
from intent.kinds.virtual_network import VirtualNetworkSpec
from intent.kinds.virtual_network_router import VirtualNetworkRouterSpec
from intent.kinds.workload import WorkloadSpec
from intent.model import Spec

KINDS: Final[dict[str, type[Spec]]] = {
    "Project": ProjectSpec,
    "Underlay": UnderlaySpec,
    "NodeProfile": NodeProfileSpec,
    "Node": NodeSpec,
    "Cluster": ClusterSpec,
    "VirtualNetwork": VirtualNetworkSpec,
    "VirtualNetworkRouter": VirtualNetworkRouterSpec,
    "SriovPool": SriovPoolSpec,
    "Fabric": FabricSpec,
    "FabricAttachment": FabricAttachmentSpec,
    "ExternalConnection": ExternalConnectionSpec,
    "SRv6Policy": SRv6PolicySpec,
    "Workload": WorkloadSpec,
    "Assertion": AssertionSpec,
    "Facts": FactsSpec,
}
"""Every kind a document can have, with the model of its `spec`."""
