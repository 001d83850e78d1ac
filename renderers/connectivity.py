"""Connectivity templates: the policy trees that Apstra applies to ports and switches.

A template is a list of policies, as `PUT obj-policy-import` takes it: a visible `batch`, and for each
primitive a `pipeline` and the primitive itself; primitives below it hang on a further `batch`. Ids of
policies are chosen by the client, so they are UUIDv5 of fabric and label: making a template twice makes
one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

NAMESPACE: Final = str(uuid5(NAMESPACE_DNS, "intentc.dev"))
TAG: Final = "intentc"
"""Mark of ownership on all that can carry a tag."""
_X, _Y, _STEP_X, _STEP_Y = 290, 80, 200, 70
"""Where Apstra's editor draws the first primitive, and the distance to the next."""
_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Primitive:
    """One step of a template, and those that build on it."""

    type: str
    attributes: Mapping[str, Any]
    name: str = ""
    """Tells it from its siblings; part of its id."""
    children: tuple[Primitive, ...] = ()


def template_id(fabric: str, label: str) -> str:
    """Return the id of a template."""
    return _child(NAMESPACE, f"{fabric}/{label}")


def template(
    fabric: str, label: str, primitives: Iterable[Primitive], description: str = ""
) -> dict[str, Any]:
    """Return a template with all its policies."""
    root = template_id(fabric, label)
    positions: dict[str, list[int]] = {}
    below: list[dict[str, Any]] = []
    pipelines: list[str] = []
    for index, step in enumerate(primitives):
        several = _pipeline(_child(root, _path(index, step)), step, (index, 0), positions)
        pipelines.append(several[0]["id"])
        below += several
    batch = _policy(root, label, "batch", {"subpolicies": pipelines})
    batch["description"] = description
    batch["tags"] = [TAG]
    batch["user_data"] = _ENCODE({"isSausage": True, "positions": positions})
    batch["visible"] = True
    return {"policies": [batch, *below]}


def _child(parent: str, name: str) -> str:
    """Return the UUIDv5 of a name (RFC 9562 §5.5), as `uuid.uuid5` does, without its objects on the way."""
    mark = sha1(bytes.fromhex(parent.replace("-", "")) + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(mark[16], 16) & 3]
    return f"{mark[:8]}-{mark[8:12]}-5{mark[13:16]}-{variant}{mark[17:20]}-{mark[20:32]}"


def _path(index: int, step: Primitive) -> str:
    return f"{step.type}/{step.name or index}"


def _pipeline(
    own: str, step: Primitive, place: tuple[int, int], positions: dict[str, list[int]]
) -> list[dict[str, Any]]:
    """Return the pipeline of a primitive, the primitive, and all below it."""
    column, row = place
    positions[own] = [_X + _STEP_X * column, _Y + _STEP_Y * row, 1]
    children = [(_child(own, _path(index, child)), child) for index, child in enumerate(step.children)]
    second = _child(own, "batch") if children else None
    steps = {"first_subpolicy": own, "second_subpolicy": second, "resolver": None}
    found = [
        _policy(_child(own, "pipeline"), f"{step.name} (pipeline)", "pipeline", steps),
        _policy(own, step.name, step.type, dict(step.attributes)),
    ]
    if second:
        below = {"subpolicies": [_child(child, "pipeline") for child, _ in children]}
        found.append(_policy(second, f"{step.name} (batch)", "batch", below))
    for index, (child, primitive) in enumerate(children):
        found += _pipeline(child, primitive, (column + index, row + 1), positions)
    return found


def _policy(identity: str, label: str, type_: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": identity,
        "label": label,
        "description": "",
        "tags": [],
        "visible": False,
        "policy_type_name": type_,
        "attributes": attributes,
    }
