"""What the agent says of its node: conditions in the form of Kubernetes, each with the time it changed last.

Invariant: a time changes when the status does, and not when the reason does; what nobody knows yet is left
out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from reconciler.agent.slice import Condition, NodeStatus
from reconciler.agent.step import State, todo
from reconciler.telling import iso

FORMAT: Final = "intentc-agent/1"
_NAMED: Final = 5
"""So many of a kind are named in one message."""
_LENGTH: Final = 1000
"""So many characters of a message are kept: a target says what it likes."""


class Finding(NamedTuple):
    """A condition without its time."""

    type: str
    status: bool
    reason: str
    message: str = ""


def found(state: State, ticks: float) -> tuple[Finding, ...]:
    """Return what is known."""
    return tuple(_found(state, ticks))


def _found(state: State, ticks: float) -> Iterator[Finding]:
    if state.source is not None:
        reason = "Read" if not state.source else ("LastGoodStays" if state.slice else "NoSlice")
        yield Finding("SourceReachable", not state.source, reason, state.source)
    if state.slice is not None and not state.slice.resources and not (state.terms.family or state.last):
        words = "the slice is empty, and nobody said of which data plane: say --vpp or --linux"
        yield Finding("DataplaneReachable", False, "Unknown", words)
    elif state.instance is not None:
        up = bool(state.instance)
        yield Finding("DataplaneReachable", up, "Connected" if up else "Unreachable", state.unreachable)
    if state.slice is not None and state.instance is not None:
        yield _applied(state, ticks)
    if state.tried is not None and state.instance:
        yield _in_sync(state)
    if state.slice is not None and (state.tried is not None or not state.slice.policies_by_bgp):
        yield _policies(state)


def _applied(state: State, ticks: float) -> Finding:
    want, last = state.want, state.claim
    if last and last.want.digest == want.digest and last.want.keeps == want.keeps:
        return Finding("Applied", True, "Done")
    if not state.instance:
        return Finding("Applied", False, "Waiting", "the data plane does not answer")
    if state.tried and state.tried.want == want and not state.tried.well:
        return Finding("Applied", False, "Failed", _short(_failures(state)))
    wait = todo(state, ticks)
    if wait.what == "wait":
        return Finding("Applied", False, "Braked", wait.why)
    return Finding("Applied", False, "Pending", wait.why)


def _in_sync(state: State) -> Finding:
    tried = state.tried
    if tried is not None and tried.unread:
        return Finding("InSync", False, "Incomplete", _short(tried.unread))
    if tried is not None and tried.failures:
        known = state.claim is not None and state.claim.want.digest == state.digest
        words = _failures(state) if known else "not all could be made as it shall be: see Applied"
        return Finding("InSync", False, "Differs", _short(words))
    if state.untouched:
        return Finding("InSync", False, "Restarted", "the data plane was restarted")
    if tried is not None and tried.kept:
        words = f"{tried.kept} objects that are not in the slice stay until a plan removes them"
        return Finding("InSync", False, "Kept", words)
    return Finding("InSync", True, "Corrected" if state.drift else "Same")


def _policies(state: State) -> Finding:
    if state.slice is None or not state.slice.policies_by_bgp:
        return Finding("PoliciesComplete", True, "InSlice")
    tried = state.tried
    missing, stale = (tried.missing, tried.stale) if tried else ((), ())
    words = f"; {state.receiving}" if state.receiving else ""
    if missing:
        message = (
            f"{len(missing)} policies have not come, and nothing is steered into them: {_names(missing)}"
        )
        return Finding("PoliciesComplete", False, "Missing", _short(message + words))
    if stale:
        message = f"{len(stale)} policies are not announced any more, and are kept: {_names(stale)}"
        return Finding("PoliciesComplete", False, "Withdrawn", _short(message + words))
    if state.receiving:
        return Finding("PoliciesComplete", False, "Unreachable", _short(state.receiving))
    return Finding("PoliciesComplete", True, "Received")


def _failures(state: State) -> str:
    failures = state.tried.failures if state.tried else ()
    more = f"; and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
    return "; ".join(failures[:_NAMED]) + more or (state.tried.unread if state.tried else "")


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _short(text: str) -> str:
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"


def settled(before: Iterable[Condition], now: Iterable[Finding], time: datetime) -> tuple[Condition, ...]:
    """Return conditions with their times: what did not change its status keeps the one it had."""
    known = {entry.type: entry for entry in before}

    def since(entry: Finding) -> datetime:
        old = known.get(entry.type)
        return old.since if old is not None and old.status == entry.status else time

    return tuple(Condition(*entry, since(entry)) for entry in now)


def status(state: State, conditions: Sequence[Condition]) -> NodeStatus:
    """Return what is reported."""
    applied = state.claim
    message = state.source or _failures(state) or state.unreachable
    return NodeStatus(
        applied=applied.want.digest if applied else "",
        revision=applied.revision if applied else "",
        drift=state.drift,
        conditions=tuple(conditions),
        message=_short(message),
        kept=applied.kept if applied else 0,
        reading=state.slice.reading if state.slice else "",
    )


def as_json(node: str, said: NodeStatus, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a status as plain values, for the status file."""
    return {
        "format": FORMAT,
        "node": node,
        "applied": said.applied or None,
        "revision": said.revision or None,
        "drift": said.drift,
        "message": said.message,
        "conditions": [
            {
                "type": entry.type,
                "status": entry.status,
                "reason": entry.reason,
                "message": entry.message,
                "since": iso(entry.since.timestamp()),
            }
            for entry in said.conditions
        ],
        **more,
    }


def recalled(path: Path) -> tuple[Condition, ...]:
    """Return the conditions of a status file, for their times only; none where it cannot be read."""
    try:
        rows = json.loads(path.read_bytes())["conditions"]
        return tuple(
            Condition(
                str(row["type"]),
                row["status"] is True,
                str(row["reason"]),
                str(row["message"]),
                datetime.strptime(row["since"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
            )
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()
