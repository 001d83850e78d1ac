"""A plan as a reviewer reads it: renames as renames, what it touches, how bad it is, document by document.

Everything here is derived from a `Plan`, so what is reviewed is what would be done: each action stands in
exactly one step, and a step is as bad as the worst of its actions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

from compiler.ledger.requests import former
from intent.model import Intent
from reconciler.plan import Action, Plan
from reconciler.radius import Radius, Reach, badness, radius
from renderers.changes import Change, compare
from renderers.resource import Key, Resource
from renderers.rules import LEVELS, Impact, Level

Word = Literal["delete", "replace", "rename", "update", "create"]
WORDS: Final[tuple[Word, ...]] = get_args(Word)
"""What can happen to an object, the destructive first."""
DESTRUCTIVE: Final[frozenset[Word]] = frozenset(("delete", "replace", "rename"))


class Renamed(NamedTuple):
    """A document with another name than before."""

    kind: str
    before: str
    after: str
    was: str
    """Subject of the document before …"""
    subject: str
    """… and now; the same one, where the document has a uid."""

    @property
    def title(self) -> str:
        """What people read; a document that only got a uid keeps its name."""
        same = self.before == self.after
        return self.subject if same else f"{self.kind} {self.before} → {self.after} (renamed)"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one object: one action, or the deletion and creation that make a rename."""

    word: Word
    actions: tuple[Action, ...]
    """The deletion first."""

    @property
    def target(self) -> str:
        """Target of the object."""
        return self.actions[0].target

    @property
    def before(self) -> Resource | None:
        """The object as it is."""
        return self.actions[0].before

    @property
    def after(self) -> Resource | None:
        """The object as it shall be."""
        return self.actions[-1].after

    @property
    def resource(self) -> Resource:
        """The object as it shall be, or as it was where it shall go."""
        return self.actions[-1].resource

    @property
    def key(self) -> Key:
        """Identity of the object, the new one of a rename."""
        return self.resource.key

    @property
    def impact(self) -> Impact:
        """The worst that it does to traffic."""
        return max((action.impact for action in self.actions), key=lambda impact: badness(impact.level))

    @property
    def title(self) -> str:
        """The word as people read it: an object has one key for life, so a rename takes it away."""
        return "rename (replaces)" if self.word == "rename" else self.word

    @property
    def changes(self) -> tuple[Change, ...]:
        """What differs, field by field; nothing where it is made or taken away as a whole."""
        if self.before is None or self.after is None:
            return ()
        return tuple(compare(self.before.spec, self.after.spec))

    @property
    def reason(self) -> str:
        """Why it is in the plan."""
        return "its name is another one" if self.word == "rename" else self.actions[0].reason


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that belong together."""

    name: str
    """Subject of a document, or a target and a scope in it."""
    title: str
    """How people call it."""
    steps: tuple[Step, ...]

    @property
    def worst(self) -> Level:
        """The worst class in it."""
        return max((step.impact.level for step in self.steps), key=badness)


@dataclass(frozen=True, slots=True)
class Review:
    """A plan as a reviewer reads it."""

    plan: Plan
    steps: tuple[Step, ...]
    """Views are left out."""
    renamed: tuple[Renamed, ...] = ()
    """Documents with other names, by name."""
    radius: Radius = field(default_factory=dict)

    @property
    def counts(self) -> dict[Word, int]:
        """How many objects each word is said of."""
        found = Counter(step.word for step in self.steps)
        return {word: found[word] for word in WORDS}

    @property
    def classes(self) -> dict[Level, int]:
        """How many steps are of each class."""
        found = Counter(step.impact.level for step in self.steps)
        return {level: found[level] for level in LEVELS}


def review(plan: Plan, renamed: Iterable[Renamed] = (), reach: Reach | None = None) -> Review:
    """Read a plan as a reviewer would."""
    known = tuple(sorted(renamed))
    steps = tuple(_steps([action for action in plan.actions if not action.view], _Present(known)))
    present = Reach(names={entry.was: entry.after for entry in known})
    return Review(plan, steps, known, radius(plan.actions, (reach or Reach()) | present))


def renames(now: Iterable[Intent], before: Mapping[str, str]) -> tuple[Renamed, ...]:
    """Return the documents with other names than before (names by subject), by uid and by what they say."""
    documents = tuple(now)
    here = {intent.subject for intent in documents}
    found = []
    for intent in documents:
        name = before.get(intent.subject, intent.name)
        if name != intent.name:
            found.append(Renamed(intent.kind, name, intent.name, intent.subject, intent.subject))
        elif intent.subject not in before:
            for old in former(intent):
                was = f"{intent.kind}/{old}"
                if was in before and was not in here:
                    found.append(Renamed(intent.kind, before[was], intent.name, was, intent.subject))
    return tuple(sorted(found))


def disappearing(plan: Plan, now: Iterable[Intent]) -> dict[str, str]:
    """Return the documents of which a plan deletes something and that are not there any more, by subject."""
    here = {intent.subject for intent in now}
    gone = {action.resource.document for action in plan.actions if action.operation == "delete"}
    return {subject: subject.partition("/")[2] for subject in gone - here}


def by_document(found: Review) -> list[Group]:
    """Return the steps document by document: what is worst first, what is only new last."""
    titles = {entry.subject: entry.title for entry in found.renamed}
    moved = {entry.was: entry.subject for entry in found.renamed}

    def subject(step: Step) -> str:
        own = step.resource.document
        return moved.get(own, own) or "(unknown)"

    return _sorted(_grouped(found.steps, subject, lambda name: titles.get(name, name)))


def by_target(found: Review) -> list[Group]:
    """Return the steps by target, family and scope."""

    def place(step: Step) -> str:
        return f"{step.target} · {step.key.family} · {step.key.scope}"

    return sorted(_grouped(found.steps, place, str), key=lambda group: group.name)


def _grouped(steps: Iterable[Step], name: Callable[[Step], str], title: Callable[[str], str]) -> list[Group]:
    groups: defaultdict[str, list[Step]] = defaultdict(list)
    for step in steps:
        groups[name(step)].append(step)
    return [Group(name, title(name), tuple(sorted(group, key=_order))) for name, group in groups.items()]


def _sorted(groups: Iterable[Group]) -> list[Group]:
    def order(group: Group) -> tuple[bool, int, str]:
        return all(step.word == "create" for step in group.steps), -badness(group.worst), group.name

    return sorted(groups, key=order)


def _order(step: Step) -> tuple[int, int, str, Key]:
    return -badness(step.impact.level), WORDS.index(step.word), step.target, step.key


class _Present:
    """Turns names from before into those of now."""

    def __init__(self, renamed: Sequence[Renamed]) -> None:
        self.documents = {entry.was: entry for entry in renamed}
        self.words = {entry.before: entry.after for entry in renamed}

    def path(self, path: str) -> str:
        """Return a subject or scope with the names of now."""
        if not self.words:
            return path
        parts = path.split("/")
        entry = self.documents.get("/".join(parts[:2]))
        head = entry.subject.split("/") if entry else parts[:2]
        if not entry and parts[:1] in (["cluster"], ["node"], ["fabric"]):
            head = [parts[0], *(self.words.get(word, word) for word in parts[1:2])]
        return "/".join([*head, *(self.words.get(word, word) for word in parts[2:])])

    def name(self, resource: Resource) -> str:
        """Return the name of an object as it would be with the present name of its document."""
        entry = self.documents.get(resource.document)
        return resource.key.name.replace(entry.before, entry.after) if entry else resource.key.name


def _steps(actions: Sequence[Action], present: _Present) -> Iterator[Step]:
    """Yield the steps in the order of the plan; a rename stands where its deletion stood."""
    created: defaultdict[tuple[str, ...], list[Action]] = defaultdict(list)
    deleted: defaultdict[tuple[str, ...], list[Action]] = defaultdict(list)
    for action in actions:
        if action.operation in ("create", "delete") and action.subject:
            (created if action.operation == "create" else deleted)[_about(action, present)].append(action)
    pairs = (pair for about, gone in deleted.items() for pair in _pairs(gone, created[about], present))
    partner = {old.id: new for old, new in pairs}
    taken = {action.id for action in partner.values()}
    for action in actions:
        if action.id in partner and action.operation == "delete":
            yield Step("rename", (action, partner[action.id]))
        elif action.id not in taken:
            yield Step(action.operation, (action,))


def _about(action: Action, present: _Present) -> tuple[str, ...]:
    """Return what a deletion and a creation have in common, if they are one rename."""
    key = action.key
    if action.operation == "create":
        return action.target, key.family, key.type, key.scope, action.subject
    return action.target, key.family, key.type, present.path(key.scope), present.path(action.subject)


def _pairs(gone: list[Action], new: list[Action], present: _Present) -> Iterator[tuple[Action, Action]]:
    """Yield what belongs together; among several, only names that differ by the document's name do."""
    if len(gone) == 1 == len(new):
        yield gone[0], new[0]
        return
    by_name = {action.key.name: action for action in new}
    for action in gone:
        if action.before and (other := by_name.pop(present.name(action.before), None)):
            yield action, other
