"""Kubernetes objects as plain dicts, with the marks by which they are known as ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
SUBJECT: Final = "intentc.dev/subject"
OWNER: Final = "intentc"


def manifest(
    kind: tuple[str, str],
    name: tuple[str, str],
    subject: str,
    body: Mapping[str, Any],
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return an object: API version and kind, namespace and name, subject, and all below metadata."""
    return {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {
            "name": name[1],
            "namespace": name[0],
            "labels": {MANAGED_BY: OWNER},
            "annotations": {SUBJECT: subject, **(annotations or {})},
        },
        **body,
    }
