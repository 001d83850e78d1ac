"""The noun between renderers and reconciler: one object of one target, as that target would show it.

Invariant: `key` and `spec` can be computed from an observation alone; `subject`, `needs` and `origins` are
ours, and take no part in equality or digests, so moving a comment changes no plan.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from intent.model import Origin


class Key(NamedTuple):
    """The target's own identity of an object."""

    family: str
    """What kind of consumer reads it: vpp, kubernetes, apstra, frr, fabric."""
    scope: str
    """Where it lives: node/CLUSTER/NODE, cluster/NAME, fabric/NAME, router/UNDERLAY/NAME."""
    type: str
    """The consumer's word for what it is: policy, NetworkAttachmentDefinition, virtual-network."""
    name: str
    """Identity inside scope and type: a BSID, namespace/name, a label."""

    def __str__(self) -> str:
        """Write the key on one line."""
        return f"{self.family}:{self.scope}:{self.type}:{self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One object that should exist, or that was seen to exist."""

    key: Key
    spec: Mapping[str, Any]
    """Plain values (str, int, bool, None, lists, dicts), as the target takes them; {"text": …} for text."""
    subject: str = field(default="", compare=False)
    """Stable name of what it is about, for grouping: Kind/uid, with a path below it where needed."""
    needs: tuple[Key, ...] = field(default=(), compare=False)
    """Objects without which it cannot work; if one of them fails, this one is not tried."""
    origins: Sequence[Origin] = field(default=(), compare=False, repr=False)
    """The lines of intent that caused it, field by field."""
    view: bool = field(default=False, compare=False)
    """Another form of other resources (an exec file, the neutral blueprint): for people, not counted."""
    protected: bool = field(default=False, compare=False)
    """The document behind it says `protect: true`: it goes only with a named approval."""

    @property
    def document(self) -> str:
        """Subject of the document that it belongs to: Kind/uid, at the head of its own subject."""
        return document_of(self.subject)

    @property
    def digest(self) -> str:
        """Hash of key and spec: equal objects have equal digests on every machine."""
        return digest([*self.key, self.spec])


def document_of(subject: str) -> str:
    """Return the subject of the document that a subject (of an object, the owner of a lease) belongs to."""
    return "/".join(subject.split("/", 2)[:2])


def canonical(value: Any) -> str:
    """Write plain values as JSON, always the same way."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """Return the first 32 hex digits of the SHA-256 of plain values."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]
