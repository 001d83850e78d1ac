"""Calico-VPP clusters: configuration of the agents, SID pools, BGP, MTU of pods.

Names and JSON keys are those that the agents look up (Calico-VPP 3.32).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from compiler.elements.overlay import (
    BgpConfiguration,
    BgpPeering,
    CalicoNodeConfig,
    CalicoOverlay,
    CalicoPool,
    MtuSetting,
)
from compiler.graph import Element, Scope
from renderers.manifest import MANAGED_BY, OWNER
from renderers.origins import renamed
from renderers.resource import Key, Resource

FAMILY: Final = "kubernetes"
NAMESPACE: Final = "calico-vpp-dataplane"
API: Final = "crd.projectcalico.org/v1"
PASSWORDS: Final = "calico-vpp-bgp-passwords"
"""Role, and its binding, that lets agents read passwords of neighbours."""

SHARED: Final = frozenset(
    {
        ("Installation", "default"),
        ("BGPConfiguration", "default"),
        ("ConfigMap", "calico-vpp-config"),
        ("IPPool", "default-ipv4-ippool"),
        ("IPPool", "default-ipv6-ippool"),
    }
)
"""Objects that Calico itself lives on: we set fields of them, and nobody may prune them when we stop."""
KEEP: Final = {
    "argocd.argoproj.io/sync-options": "Prune=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}

Fields = Mapping[str, tuple[str, ...]]
"""Paths in the manifest by field of the element."""

NEEDS: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    (FAMILY, "ClusterRoleBinding"): ((FAMILY, "ClusterRole"),),
    (FAMILY, "RoleBinding"): ((FAMILY, "Role"),),
    # Without the right to its password an agent opens no session.
    (FAMILY, "BGPPeer"): ((FAMILY, "RoleBinding"),),
    # Agents panic over a configuration whose pools do not exist.
    (FAMILY, "ConfigMap"): ((FAMILY, "IPPool"),),
}
REPLACES: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    (FAMILY, "IPPool"): frozenset({"spec.cidr", "spec.blockSize"}),
}


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield the objects of a Calico-VPP cluster."""
    where = str(scope)
    pools: list[Key] = []
    for element in elements:
        match element:
            case CalicoPool():
                resource = _pool(where, element)
                if element.tunnels_only:
                    pools.append(resource.key)
                yield resource
            case CalicoOverlay():
                yield _config(where, element, tuple(pools))
                yield from _reservations(where, element)
            case BgpConfiguration():
                spec: dict[str, Any] = {"asNumber": element.asn, "nodeToNodeMeshEnabled": element.node_mesh}
                fields = {"asn": ("spec.asNumber",), "node_mesh": ("spec.nodeToNodeMeshEnabled",)}
                yield _object(where, (API, "BGPConfiguration", "default"), spec, element, fields)
                if element.secrets:
                    yield from _passwords(where, element)
            case BgpPeering():
                yield _peer(where, element)
            case MtuSetting():
                spec = {"calicoNetwork": {"mtu": element.mtu}}
                fields = {"mtu": ("spec.calicoNetwork.mtu",)}
                yield _object(
                    where, ("operator.tigera.io/v1", "Installation", "default"), spec, element, fields
                )
            case CalicoNodeConfig():
                yield _node_config(where, element)


def _metadata(kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    """Return the metadata of an object, with our mark, and with a bar to pruning where others live on it."""
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "labels": {MANAGED_BY: OWNER},
        **({"annotations": dict(KEEP)} if (kind, name) in SHARED else {}),
    }


def _object(
    where: str,
    what: tuple[str, str, str],
    spec: dict[str, Any],
    element: Element,
    fields: Fields,
    needs: tuple[Key, ...] = (),
) -> Resource:
    """Return an object of the cluster as a whole; `what` is its API, kind and name."""
    api, kind, name = what
    body = {"apiVersion": api, "kind": kind, "metadata": _metadata(kind, name), "spec": spec}
    return Resource(
        Key(FAMILY, where, kind, name), body, element.subject, needs, renamed(element.origins, fields)
    )


def _pool(where: str, element: CalicoPool) -> Resource:
    spec: dict[str, Any] = {
        "cidr": element.cidr,
        "ipipMode": "Never",
        "vxlanMode": "Never",
        "nodeSelector": element.selector,
    }
    if element.block_size is not None:
        spec["blockSize"] = element.block_size
    if element.tunnels_only:
        # Otherwise pods get addresses from a pool whose node selector matches.
        spec["allowedUses"] = ["Tunnel"]
    else:
        spec["natOutgoing"] = element.nat_outgoing
    if element.disabled:
        spec["disabled"] = True
    fields = {
        "cidr": ("spec.cidr",),
        "block_size": ("spec.blockSize",),
        "name": ("metadata.name", "spec.nodeSelector"),
    }
    return _object(where, (API, "IPPool", element.name), spec, element, fields)


def _config(where: str, element: CalicoOverlay, pools: tuple[Key, ...]) -> Resource:
    data = {
        "CALICOVPP_FEATURE_GATES": {**element.feature_gates, "srv6Enabled": True},
        "CALICOVPP_SRV6": {"localsidPool": element.localsids, "policyPool": element.policies},
        "CALICOVPP_DEBUG": {**element.debug, "gsoEnabled": False},
        "CALICOVPP_INTERFACES": element.interfaces,
    }
    texts = {name: json.dumps(value) for name, value in data.items()}
    if element.service_prefixes:
        texts["SERVICE_PREFIX"] = ",".join(element.service_prefixes)
    fields = {
        "localsids": ("data.CALICOVPP_SRV6",),
        "policies": ("data.CALICOVPP_SRV6",),
        "feature_gates": ("data.CALICOVPP_FEATURE_GATES",),
        "debug": ("data.CALICOVPP_DEBUG",),
        "interfaces": ("data.CALICOVPP_INTERFACES",),
        "service_prefixes": ("data.SERVICE_PREFIX",),
    }
    return _config_map(where, "calico-vpp-config", texts, element, fields, pools)


def _config_map(
    where: str,
    name: str,
    data: dict[str, str],
    element: Element,
    fields: Fields,
    needs: tuple[Key, ...] = (),
) -> Resource:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata("ConfigMap", name, NAMESPACE),
        "data": data,
    }
    key = Key(FAMILY, where, "ConfigMap", f"{NAMESPACE}/{name}")
    return Resource(key, body, element.subject, needs, renamed(element.origins, fields))


def _reservations(where: str, element: CalicoOverlay) -> Iterator[Resource]:
    """Yield the rights that Calico's IPAM needs inside the agent, and that its manifest does not give."""
    rights = {"ipreservations": ["get", "list", "watch"], "ipamconfigs": ["get", "create"]}
    rules = [
        {"apiGroups": ["crd.projectcalico.org"], "resources": [resource], "verbs": verbs}
        for resource, verbs in rights.items()
    ]
    yield from _right(where, "Cluster", "calico-vpp-ipreservations", rules, (element, ("",)))


def _passwords(where: str, element: BgpConfiguration) -> Iterator[Resource]:
    """Yield the right to the Secrets with passwords of neighbours, which their manifest does not give."""
    rule = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": list(element.secrets),
        "verbs": ["get", "list", "watch"],
    }
    yield from _right(where, "", PASSWORDS, [rule], (element, ("", "secrets")))


def _right(
    where: str, reach: str, name: str, rules: list[dict[str, Any]], why: tuple[Element, tuple[str, ...]]
) -> Iterator[Resource]:
    """Yield a role and its binding to the agents, in their namespace or (`Cluster`) everywhere."""
    group, namespace = "rbac.authorization.k8s.io", "" if reach else NAMESPACE
    element, told = why
    place = f"{namespace}/{name}" if namespace else name
    kinds = (f"{reach}Role", f"{reach}RoleBinding")
    role, binding = (Key(FAMILY, where, kind, place) for kind in kinds)
    bodies: tuple[dict[str, Any], ...] = (
        {"rules": rules},
        {
            "roleRef": {"apiGroup": group, "kind": kinds[0], "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "calico-vpp-node-sa", "namespace": NAMESPACE}],
        },
    )
    origins = renamed(element.origins, dict.fromkeys(told, ("",)))
    for key, body, needs in ((role, bodies[0], ()), (binding, bodies[1], (role,))):
        metadata = _metadata(key.type, name, namespace)
        spec = {"apiVersion": f"{group}/v1", "kind": key.type, "metadata": metadata, **body}
        yield Resource(key, spec, element.subject, needs, origins)


def _peer(where: str, element: BgpPeering) -> Resource:
    spec: dict[str, Any] = {
        "peerIP": element.address,
        "asNumber": element.asn,
        "nodeSelector": element.selector,
    }
    if element.secret:
        name, _, key = element.secret.partition("/")
        spec["password"] = {"secretKeyRef": {"name": name, "key": key}}
    fields = {
        "name": ("metadata.name",),
        "address": ("spec.peerIP",),
        "asn": ("spec.asNumber",),
        "selector": ("spec.nodeSelector",),
        "secret": ("spec.password",),
    }
    right = Key(FAMILY, where, "RoleBinding", f"{NAMESPACE}/{PASSWORDS}")
    needs = (right,) if element.secret else ()
    return _object(where, (API, "BGPPeer", element.name), spec, element, fields, needs)


def _node_config(where: str, element: CalicoNodeConfig) -> Resource:
    """Return the object that one node's agent reads: a YAML document under one key."""
    names = {"ipv4": "DT4", "ipv6": "DT6"}
    lines = ["localsids:", *(f'  {names[family]}: "{sid}"' for family, sid in element.localsids)]
    lines += [f'node: "{element.node}"', "policies:" if element.policies else "policies: []"]
    for row in element.policies:
        lines += [f'- bsid: "{row["bsid"]}"', f'  node: "{row["node"]}"', "  segment_list:"]
        lines += [f'  - "{sid}"' for sid in row["segment_list"]]
        lines.append(f"  traffic: {row['traffic']}")
    fields = {"node": ("metadata.name", "data.srv6"), "localsids": ("data.srv6",), "policies": ("data.srv6",)}
    return _config_map(
        where, f"srv6-config-{element.node}", {"srv6": "\n".join(lines) + "\n"}, element, fields
    )
