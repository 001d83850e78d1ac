"""A plan as JSON: to be saved, reviewed, hashed, and applied later without thinking again.

Invariant: the text depends on the plan alone, and reading it back gives an equal plan. Origins become
places (file:line:col) for people, and are no part of the plan that is read back.
"""

from __future__ import annotations

from typing import Any, Final

from reconciler.plan import Action, Plan
from renderers.changes import ABSENT, Change
from renderers.resource import Key, Resource
from renderers.rules import Impact

FORMAT: Final = "intentc-plan/1"
_DAMAGED: Final = "this plan is damaged; make it anew with intentc plan"


def as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values."""
    return {
        "format": FORMAT,
        "summary": {**plan.counts, "views": plan.views, "unchanged": plan.unchanged},
        "actions": [_action(action) for action in plan.actions],
    }


def from_json(data: Any) -> Plan:
    """Read what `as_json` wrote; another format is a ValueError that says what to do."""
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise ValueError(
            f"this is no plan of the format {FORMAT} (found {found!r}); make it anew with intentc plan"
        )
    try:
        return Plan(tuple(map(_read_action, data["actions"])), data["summary"]["unchanged"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(_DAMAGED) from error


def places(data: Any) -> dict[tuple[str, Key], tuple[str, ...]]:
    """Return the lines of intent (file:line:col) that a saved plan gives for each action, by `Action.id`."""
    try:
        return {
            (entry["target"], Key(**entry["key"])): tuple(
                sorted({origin["at"] for origin in entry["origins"]})
            )
            for entry in data["actions"]
        }
    except (KeyError, TypeError) as error:
        raise ValueError(_DAMAGED) from error


def _action(action: Action) -> dict[str, Any]:
    return {
        "target": action.target,
        "operation": action.operation,
        "phase": action.phase,
        "key": action.key._asdict(),
        "subject": action.subject,
        "view": action.view,
        "reason": action.reason,
        "impact": action.impact._asdict(),
        "changes": [_change(change) for change in action.changes],
        "before": _state(action.before),
        "after": _state(action.after),
        "origins": [
            {"field": origin.field, "at": str(origin.span), "rule": origin.rule}
            for origin in action.resource.origins
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    """Write a change; the side that does not have the field is left out."""
    sides = {"before": change.before, "after": change.after}
    return {"path": change.path, **{side: value for side, value in sides.items() if value is not ABSENT}}


def _state(resource: Resource | None) -> dict[str, Any] | None:
    if resource is None:
        return None
    needs = [list(need) for need in resource.needs]
    return {
        "digest": resource.digest,
        "subject": resource.subject,
        "needs": needs,
        "spec": dict(resource.spec),
    }


def _read_action(data: dict[str, Any]) -> Action:
    key = Key(**data["key"])
    before, after = (_read_state(key, data[side], view=data["view"]) for side in ("before", "after"))
    return Action(
        data["target"],
        data["operation"],
        data["phase"],
        before,
        after,
        data["reason"],
        Impact(**data["impact"]),
    )


def _read_state(key: Key, data: dict[str, Any] | None, *, view: bool) -> Resource | None:
    if data is None:
        return None
    needs = tuple(Key(*need) for need in data["needs"])
    resource = Resource(key, data["spec"], data["subject"], needs, view=view)
    if resource.digest != data["digest"]:
        raise ValueError(f"the plan for {key} was changed by hand; make it anew with intentc plan")
    return resource
