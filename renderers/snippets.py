"""The lines to paste into a workload: the annotation that names its networks, and the VFs it asks for."""

from __future__ import annotations

import json
from typing import Final

from compiler.elements.pods import PodEntry, PodSnippet
from compiler.graph import Scope
from renderers.origins import renamed
from renderers.resource import Key, Resource

_FIELDS: Final = {"networks": ("text",), "resources": ("text",)}
NETWORKS: Final = "k8s.v1.cni.cncf.io/networks"


def snippet(scope: Scope, element: PodSnippet) -> Resource:
    """Return a patch of the workload, as text for people."""
    lines = [
        "apiVersion: apps/v1",
        f"kind: {element.kind}",
        "metadata:",
        f"  name: {json.dumps(element.workload)}",
        f"  namespace: {json.dumps(element.namespace)}",
        "spec:",
        "  template:",
        "    metadata:",
        "      annotations:",
        f"        {NETWORKS}: |-",
        *(f"          {line}" for line in _annotation(element.networks)),
    ]
    if element.resources:
        lines += ["    spec:", "      containers:", "        - name: main  # the container that uses the VFs"]
        lines += ["          resources:"]
        for part in ("requests", "limits"):
            lines += [f"            {part}:"]
            lines += [f'              {name}: "{count}"' for name, count in element.resources]
    text = "".join(f"{line}\n" for line in lines)
    key = Key("workloads", str(scope), "snippet", f"{element.workload}.yaml")
    return Resource(
        key, {"text": text}, element.subject, origins=renamed(element.origins, _FIELDS), view=True
    )


def _annotation(networks: tuple[PodEntry, ...]) -> list[str]:
    """Return the JSON list with one network per line."""
    rows = [f"  {json.dumps(_entry(item))}" for item in networks]
    return ["[", *(f"{row}," for row in rows[:-1]), *rows[-1:], "]"]


def _entry(item: PodEntry) -> dict[str, object]:
    entry: dict[str, object] = {"name": item.name, "namespace": item.namespace}
    if item.interface:
        entry["interface"] = item.interface
    if item.addresses:
        entry["ips"] = list(item.addresses)
    if item.mac:
        entry["mac"] = item.mac
    return entry
