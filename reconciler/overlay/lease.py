"""Who may write the overlay of some clusters: a Lease of the API server, written over the version read.

The exact lease stands in an annotation; the fields of the Lease say the same to people.
"""

from __future__ import annotations

import json
from typing import Final

from reconciler.drivers.base import Lease, PermanentError
from reconciler.kube import LEASES, Conflict, Kube, Object
from renderers.manifest import MANAGED_BY, OWNER

_ANNOTATION: Final = "intentc.dev/lease"
_LARGEST: Final = 2**31 - 1
"""What leaseTransitions holds."""


def read_lease(kube: Kube, place: tuple[str, str]) -> Lease | None:
    """Return the lease with a namespace and name; None where there never was one."""
    body = kube.get(LEASES, *place)
    return _lease(body, place) if body else None


def swap_lease(kube: Kube, place: tuple[str, str], expected: Lease | None, new: Lease) -> bool:
    """Put a lease in the place of the expected one; False where another one is there."""
    namespace, name = place
    body = kube.get(LEASES, namespace, name)
    if (_lease(body, place) if body else None) != expected:
        return False
    try:
        if body is None:
            kube.create(LEASES, namespace, _object({"name": name, "labels": {MANAGED_BY: OWNER}}, new))
        else:
            kube.replace(LEASES, namespace, _object(body["metadata"], new))
    except Conflict:
        return False
    return True


def _lease(body: Object, place: tuple[str, str]) -> Lease:
    text = (body["metadata"].get("annotations") or {}).get(_ANNOTATION)
    try:
        said = json.loads(text or "")
        return Lease(str(said["holder"]), float(said["expires"]), int(said["token"]))
    except (ValueError, KeyError, TypeError) as error:
        words = f"Lease {'/'.join(place)} is none of ours, or damaged; delete it, or use another namespace"
        raise PermanentError(words) from error


def _object(metadata: Object, lease: Lease) -> Object:
    said = {"holder": lease.holder, "expires": lease.expires, "token": lease.token}
    annotations = {**(metadata.get("annotations") or {}), _ANNOTATION: json.dumps(said)}
    spec: Object = {"leaseTransitions": min(lease.token, _LARGEST)}
    if lease.holder:  # an empty one is refused
        spec["holderIdentity"] = lease.holder
    return {
        "apiVersion": LEASES.api,
        "kind": LEASES.kind,
        "metadata": {**metadata, "annotations": annotations},
        "spec": spec,
    }
