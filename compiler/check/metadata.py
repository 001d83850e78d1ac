"""Checks of what every document can say of itself."""

from __future__ import annotations

from compiler.resolved import Resolved
from intent.diagnostics import Report


def check_metadata(resolved: Resolved, report: Report) -> None:
    """Say so where a document asks for a protection that is not enforced yet."""
    for documents in resolved.intents.values():
        for intent in documents.values():
            if intent.meta.protect:
                report.warning(
                    "IC2060",
                    intent.span("metadata", "protect", key=True),
                    f"{intent.kind} {intent.name!r} asks for protection, which is not enforced yet",
                    "the deletion brake still stops mass deletions",
                )
