"""What a planner must know of each type of object.

What it needs, which fields no target can change in place, and what a change does to traffic.
Every renderer declares these beside the types that it makes; `renderers.RULES` is all of them together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

from renderers.changes import Change, touches

Operation = Literal["create", "update", "replace", "delete"]
Level = Literal["hitless", "brief loss", "drain", "reboot", "destroy"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""From harmless to final."""

Type = tuple[str, str]
"""Family and type of a key."""
Needs = Mapping[Type, tuple[Type, ...]]
"""Which types need which types; a cycle in it is a bug."""
Replaces = Mapping[Type, frozenset[str]]
"""Fields of the spec (dotted paths) that a target cannot change in place, with everything below them."""


class Impact(NamedTuple):
    """What an action does to traffic, and why."""

    level: Level
    reason: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What one sort of change does to traffic."""

    level: Level
    reason: str
    on: frozenset[Operation] = frozenset(get_args(Operation))
    """Operations that it holds for."""
    fields: frozenset[str] = frozenset()
    """Dotted paths: it holds where one of them changes; any change, where it is empty."""


Effects = Mapping[Type, tuple[Effect, ...]]
"""Of the effects that hold for a change, the worst counts."""

_UNTOLD: Final[Mapping[Operation, Impact]] = {
    "create": Impact("hitless", "nothing uses it yet"),
    "update": Impact("brief loss", "it is changed while it is in use"),
    "replace": Impact("brief loss", "it is taken away and made anew"),
    "delete": Impact("destroy", "it is taken away"),
}
"""Where no effect is declared: on the safe side."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that is declared of types."""

    needs: Needs = field(default_factory=dict)
    replaces: Replaces = field(default_factory=dict)
    effects: Effects = field(default_factory=dict)

    def fixed(self, name: Type, changes: Iterable[Change]) -> list[str]:
        """Return the paths of those changes that the target cannot make in place."""
        fields = self.replaces.get(name, frozenset())
        return [change.path for change in changes if any(touches(change, field) for field in fields)]

    def impact(self, name: Type, operation: Operation, changes: Collection[Change]) -> Impact:
        """Return the worst that an operation with these changes does to traffic."""
        held = [
            Impact(effect.level, effect.reason)
            for effect in self.effects.get(name, ())
            if operation in effect.on
            and (not effect.fields or any(_concerns(effect, change) for change in changes))
        ]
        return max(held, key=_badness) if held else _UNTOLD[operation]


NO_RULES: Final = Rules()


def _concerns(effect: Effect, change: Change) -> bool:
    return any(touches(change, field) for field in effect.fields)


def _badness(impact: Impact) -> int:
    return LEVELS.index(impact.level)
