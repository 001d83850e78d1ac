"""From a compiled repository to a plan: render, mark what is protected, open the targets, observe, compare.

Used by the command and by the loop that follows git; neither prints in here. What a target refuses is a
DriverError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from compiler.graph import Graph
from intent.kinds.project import Target
from intent.memory import Memory
from intent.model import Origin, holds_secret
from intent.repository import Repository
from reconciler.discreet import Discreet
from reconciler.drivers import open_driver
from reconciler.drivers.base import Driver, DriverError
from reconciler.plan import Action, Observation, Plan, plan, resume, same
from reconciler.secrets import Redact, finder, known_values, redactor
from reconciler.targets import route
from renderers import RULES, render
from renderers.resource import Resource


@dataclass(frozen=True, slots=True)
class Work:
    """A plan, the targets that it is for, and what they showed."""

    plan: Plan
    drivers: Mapping[str, Driver] = field(repr=False)
    """What they say holds no secret that the plan knows of."""
    observed: Mapping[str, Observation] = field(repr=False)
    untaken: int = 0
    """Resources that no target takes."""
    redact: Redact = field(default_factory=Redact, repr=False)
    """Takes those secrets out of other words."""

    @property
    def incomplete(self) -> dict[str, str]:
        """Targets that were not read completely, and why: nothing is deleted there."""
        return {name: seen.why for name, seen in self.observed.items() if not seen.complete}


def prepare(
    repository: Repository, graph: Graph, root: Path, memory: Memory | None = None, *, partly: bool = False
) -> Work:
    """Render all, observe every target, compare; relative paths of targets start from `root`.

    With `partly`, a target out of reach is one of which nothing was seen, and nothing is planned for it.
    """
    targets = repository.spec.targets
    desired, left = route(targets, protect(repository, render(graph)))
    # What is rendered refers to no secret that intent does not: then no object need be searched.
    secret = any(holds_secret(intent.spec) for intent in repository.intents)
    searched = chain.from_iterable(desired.values()) if secret else ()
    redact = redactor(known_values(searched, finder(root)))
    scopes = {target.name: _scope(target, graph) for target in targets}
    drivers, observed = observe(targets, root, redact, memory, scopes, partly=partly)
    with _closing_on_error(drivers):
        for name, driver in drivers.items():
            if driver.vault:
                desired[name] = list(map(driver.vault.seal, desired[name]))
        found = plan(desired, observed, RULES)
        if drivers.keys() != observed.keys():
            found = replace(found, actions=tuple(a for a in found.actions if a.target in drivers))
        return Work(found, drivers, observed, len(left), redact)


def take_up(approved: Plan, targets: Iterable[Target], root: Path) -> tuple[Work, tuple[Action, ...]]:
    """Observe the targets of an approved plan; return what is left of it, and what moved meanwhile."""
    wanted = {action.target for action in approved.actions}
    resources = (side for action in approved.actions for side in (action.before, action.after) if side)
    redact = redactor(known_values(resources, finder(root)))
    scopes = {action.target: action.key.scope for action in approved.actions}
    several = [target for target in targets if target.name in wanted]
    drivers, observed = observe(several, root, redact, scopes=scopes)
    left, moved = resume(approved, observed)
    return Work(left, drivers, observed, redact=redact), moved


def otherwise(work: Work, repository: Repository, graph: Graph) -> Iterator[tuple[Action, Resource | None]]:
    """Yield the actions of an approved plan that intent, as it is now, would end otherwise, and how.

    Rendered is for comparison only: what is applied is what the plan says.
    """
    actions = [action for action in work.plan.actions if not action.view]
    wanted = {action.key.scope for action in actions}
    scopes = [scope for scope in graph.scopes if str(scope) in wanted]
    desired, _ = route(repository.spec.targets, protect(repository, render(graph, scopes)))
    ids = {action.id for action in actions}
    now = {
        (target, resource.key): resource
        for target, resources in desired.items()
        for resource in resources
        if (target, resource.key) in ids
    }
    for action in actions:
        found, driver = now.get(action.id), work.drivers[action.target]
        if found is not None and driver.vault:
            found = driver.vault.seal(found)
        if not same(found, action.after):  # its protection included, even where no target remembers it
            yield action, found


def observe(
    targets: Iterable[Target],
    root: Path,
    redact: Redact,
    memory: Memory | None = None,
    scopes: Mapping[str, str] | None = None,
    *,
    partly: bool = False,
) -> tuple[dict[str, Driver], dict[str, Observation]]:
    """Open and read every target; from now on no secret is in what it says.

    One out of reach is an error that says which, or with `partly` an observation without a driver.
    """
    scope_of = scopes or {}
    drivers: dict[str, Driver] = {}
    observed: dict[str, Observation] = {}
    with _closing_on_error(drivers):
        for target in targets:
            name = target.name
            try:
                driver = open_driver(target, root, memory, scope_of.get(name, ""))
                drivers[name] = Discreet(driver, redact)
                observed[name] = drivers[name].observe()
            except DriverError as error:
                if not partly:
                    raise type(error)(f"target {name}: {error}", error.refused) from error
                if name in drivers:
                    let_go({name: drivers.pop(name)})
                observed[name] = Observation({}, complete=False, why=f"out of reach: {error}")
        return drivers, observed


def let_go(drivers: Mapping[str, Driver]) -> None:
    """Close targets."""
    for driver in drivers.values():
        with suppress(DriverError):
            driver.close()


@contextmanager
def _closing_on_error(drivers: Mapping[str, Driver]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        let_go(drivers)
        raise


def _scope(target: Target, graph: Graph) -> str:
    """Return the scope of the node that a target is; empty where it is none, or intent does not have it."""
    names = (str(scope) for scope in graph.scopes if scope.kind == "node")
    return next((name for name in names if name.rpartition("/")[2] == target.node), "")


def protect(repository: Repository, resources: Iterable[Resource]) -> Iterable[Resource]:
    """Mark the objects of documents that say `protect: true`; views are only another form of objects."""
    said = {intent.subject: intent for intent in repository.intents if intent.meta.protect}
    if not said:
        return resources

    def marked(resource: Resource) -> Resource:
        intent = said.get(resource.document)
        if intent is None or resource.view:
            return resource
        reason = Origin("", intent, ("metadata", "protect"), "protected")
        return replace(resource, protected=True, origins=(*resource.origins, reason))

    return map(marked, resources)
