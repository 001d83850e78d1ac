"""What a planner must know of each type of object.

What it needs, which fields no target can change in place, and what a change does to traffic.
Renderers declare the first two beside the types that they make, `renderers.effects` the third;
`renderers.RULES` is all of them together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, get_args

from renderers.changes import ABSENT, Change, compare, touches, value

Operation = Literal["create", "update", "replace", "delete"]
Level = Literal["hitless", "brief loss", "drain", "reboot", "destroy"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""From harmless to final."""

Type = tuple[str, str]
"""Family and type of a key."""
Needs = Mapping[Type, tuple[Type, ...]]
"""Which types need which types; a cycle in it is a bug."""
Through = Mapping[Type, Callable[[Any], Iterable[str]]]
"""Types that send packets to SIDs, and how to read these off a spec, however odd; more words do no harm."""
Replaces = Mapping[Type, frozenset[str]]
"""Fields of the spec (dotted paths) that a target cannot change in place, with everything below them."""

CREATE: Final[frozenset[Operation]] = frozenset({"create"})
UPDATE: Final[frozenset[Operation]] = frozenset({"update"})
REPLACE: Final[frozenset[Operation]] = frozenset({"replace"})
DELETE: Final[frozenset[Operation]] = frozenset({"delete"})
ALWAYS: Final[frozenset[Operation]] = frozenset(get_args(Operation))


class Impact(NamedTuple):
    """What an action does to traffic, and why."""

    level: Level
    reason: str


@dataclass(frozen=True, slots=True)
class Case:
    """What must also hold of an object: in words, and as a test of its spec before and after."""

    words: str
    holds: Callable[[Any, Any], bool] = field(repr=False)
    """Called with both specs; `ABSENT` stands for the one that is not there."""


def where(words: str, path: str, accepted: Callable[[Any], bool]) -> Case:
    """Return the case that a field is accepted: as it shall be, or as it was where the object goes."""

    def holds(before: Any, after: Any) -> bool:
        found = value(before if after is ABSENT else after, path)
        return found is not ABSENT and accepted(found)

    return Case(words, holds)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one sort of change does to traffic."""

    level: Level
    reason: str
    on: frozenset[Operation] = ALWAYS
    """Operations that it holds for."""
    fields: frozenset[str] = frozenset()
    """Dotted paths: it holds where one of them changes; any change, where it is empty."""
    case: Case | None = None
    """It holds in this case only."""


Effects = Mapping[Type, tuple[Effect, ...]]
"""Of the effects that hold for a change, the worst counts, and the first of the worst."""

VIEW: Final = (Effect("hitless", "it is only another form of other objects, for people"),)
"""The effects of a type that is a view."""

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
    cleared: frozenset[Type] = frozenset()
    """Types that nobody asks for: deleting them clears up, and is no loss that a brake would look at."""
    answers: frozenset[Type] = frozenset()
    """Types of SIDs, each named by its SID."""
    through: Through = field(default_factory=dict)

    def fixed(self, name: Type, changes: Iterable[Change]) -> list[str]:
        """Return the paths of those changes that the target cannot make in place."""
        fields = self.replaces.get(name, frozenset())
        return [change.path for change in changes if any(touches(change, field) for field in fields)]

    def impact(self, name: Type, operation: Operation, before: Any, after: Any) -> Impact:
        """Return the worst that an operation does to traffic; `ABSENT` is the spec that is not there."""
        found = [effect for effect in self.effects.get(name, ()) if operation in effect.on]
        told = any(effect.fields for effect in found)
        changes = tuple(compare(before, after)) if told else ()
        held = [effect for effect in found if _holds(effect, changes, before, after)]
        if not held:
            return _UNTOLD[operation]
        worst = max(held, key=lambda effect: LEVELS.index(effect.level))
        return Impact(worst.level, worst.reason)


def joined(tables: Iterable[Effects]) -> Effects:
    """Return the effects of several modules; of a type that several make, all count."""
    found: defaultdict[Type, tuple[Effect, ...]] = defaultdict(tuple)
    for table in tables:
        for name, effects in table.items():
            found[name] += effects
    return dict(found)


NO_RULES: Final = Rules()


def _holds(effect: Effect, changes: Iterable[Change], before: Any, after: Any) -> bool:
    if effect.fields and not any(touches(change, path) for change in changes for path in effect.fields):
        return False
    return effect.case is None or effect.case.holds(before, after)
