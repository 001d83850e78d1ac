"""What intent and ledger say, value by value, as digests: comments, order, notes and lines do not count.

Invariant: two repositories whose `state` is the same compile to the same objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from compiler.ledger.leases import Lease, parse_ledger
from intent.diagnostics import Report
from intent.model import Intent
from intent.repository import Repository
from intent.source import FieldPath
from renderers.resource import digest

Value = tuple[str, FieldPath]
"""A value in intent: the subject of its document, and the path to it."""
GONE: Final = "gone"
"""Instead of the digest of a value: there is no such document …"""
UNSET: Final = "unset"
"""… or it does not say the field."""


def documents_of(repository: Repository) -> dict[str, Intent]:
    """Return every document by its subject."""
    return {intent.subject: intent for intent in (repository.project, *repository.intents, *repository.facts)}


def leases_of(repository: Repository) -> dict[str, Lease]:
    """Return the leases that are held, by owner and pool."""
    ledger = parse_ledger(repository.ledger, Report())
    return {f"{lease.owner} {lease.pool}": lease for lease in ledger.leases if not lease.freed}


def digest_at(documents: Mapping[str, Intent], value: Value) -> str:
    """Return a digest of what a document says at a path, notes for people left out."""
    subject, path = value
    document = documents.get(subject)
    if document is None:
        return GONE
    node = document.doc.data
    if not path:
        said = {name: part for name, part in node["metadata"].items() if name != "annotations"}
        return digest({**node, "metadata": said})[:16]
    for step in path:
        inside = (
            step in node if isinstance(node, dict) else isinstance(node, list) and step in range(len(node))
        )
        if not inside:
            return UNSET
        node = node[step]
    return digest(node)[:16]


def state(repository: Repository) -> str:
    """Return a digest of everything that a compile depends on; empty where the ledger cannot be read."""
    documents = documents_of(repository)
    report = Report()
    ledger = parse_ledger(repository.ledger, report)
    if report.failed:
        return ""
    leases = sorted([lease.owner, lease.pool, lease.value, lease.freed] for lease in ledger.leases)
    return digest([[[name, digest_at(documents, (name, ()))] for name in sorted(documents)], leases])
