"""Connectivity templates: the policy trees that Apstra applies to ports and switches.

A template is a list of policies, as `PUT obj-policy-import` takes it: a visible `batch`, and for each
primitive a `pipeline` and the primitive itself; primitives below it hang on a further `batch`. Ids of
policies are chosen by the client, so they are UUIDv5 of fabric and label: making a template twice makes
one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_DNS, UUID, uuid5

NAMESPACE: Final = uuid5(NAMESPACE_DNS, "intentc.dev")
TAG: Final = "intentc"
"""Mark of ownership on all that can carry a tag."""
_X, _Y, _STEP_X, _STEP_Y = 290, 80, 200, 70
"""Where Apstra's editor draws the first primitive, and the distance to the next."""


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
    return str(_template_uuid(fabric, label))


def template(
    fabric: str, label: str, primitives: Iterable[Primitive], description: str = ""
) -> dict[str, Any]:
    """Return a template with all its policies."""
    root = _template_uuid(fabric, label)
    steps = [(uuid5(root, _path(index, step)), step) for index, step in enumerate(primitives)]
    positions: dict[str, list[int]] = {}
    below = [
        policy for at, (own, step) in enumerate(steps) for policy in _pipeline(own, step, (at, 0), positions)
    ]
    batch = {
        **_policy(
            str(root), label, "batch", {"subpolicies": [f"{uuid5(own, 'pipeline')}" for own, _ in steps]}
        ),
        "description": description,
        "tags": [TAG],
        "user_data": json.dumps({"isSausage": True, "positions": positions}, separators=(",", ":")),
        "visible": True,
    }
    return {"policies": [batch, *below]}


def _template_uuid(fabric: str, label: str) -> UUID:
    return uuid5(NAMESPACE, f"{fabric}/{label}")


def _path(index: int, step: Primitive) -> str:
    return f"{step.type}/{step.name or index}"


def _pipeline(
    own: UUID, step: Primitive, place: tuple[int, int], positions: dict[str, list[int]]
) -> Iterator[dict[str, Any]]:
    """Yield the pipeline of a primitive, the primitive, and all below it."""
    column, row = place
    positions[str(own)] = [_X + _STEP_X * column, _Y + _STEP_Y * row, 1]
    children = [(uuid5(own, _path(index, child)), child) for index, child in enumerate(step.children)]
    second = str(uuid5(own, "batch")) if children else None
    steps = {"first_subpolicy": str(own), "second_subpolicy": second, "resolver": None}
    yield _policy(str(uuid5(own, "pipeline")), f"{step.name} (pipeline)", "pipeline", steps)
    yield _policy(str(own), step.name, step.type, dict(step.attributes))
    if second:
        below = {"subpolicies": [str(uuid5(child, "pipeline")) for child, _ in children]}
        yield _policy(second, f"{step.name} (batch)", "batch", below)
    for index, (child, primitive) in enumerate(children):
        yield from _pipeline(child, primitive, (column + index, row + 1), positions)


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
