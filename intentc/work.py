"""From a compiled repository to a plan: render, open the targets, observe, compare."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from intent.kinds.project import Target
from intentc.session import Session
from reconciler.drivers import open_driver
from reconciler.drivers.base import Driver, DriverError
from reconciler.plan import Observation, Plan, plan
from reconciler.targets import route
from renderers import RULES, render


@dataclass(frozen=True, slots=True)
class Work:
    """A plan, the targets that it is for, and what they showed."""

    plan: Plan
    drivers: Mapping[str, Driver] = field(repr=False)
    observed: Mapping[str, Observation] = field(repr=False)
    untaken: int
    """Resources that no target takes."""

    @property
    def incomplete(self) -> dict[str, str]:
        """Targets that were not read completely, and why: nothing is deleted there."""
        return {name: seen.why for name, seen in self.observed.items() if not seen.complete}


def prepare(session: Session) -> Work | None:
    """Render all, observe every target, compare; None, with the reason told, where one is out of reach."""
    repository, graph = session.repository, session.compiled.graph
    if repository is None or graph is None:
        raise ValueError("a repository that did not compile has no plan")
    targets = repository.spec.targets
    desired, left = route(targets, render(graph))
    seen = observe(targets, session.root)
    if seen is None:
        return None
    drivers, observed = seen
    return Work(plan(desired, observed, RULES), drivers, observed, len(left))


def observe(targets: Iterable[Target], root: Path) -> tuple[dict[str, Driver], dict[str, Observation]] | None:
    """Open and read every target; None, with the reason told, where one is out of reach."""
    try:
        drivers = {target.name: open_driver(target, root) for target in targets}
        return drivers, {name: driver.observe() for name, driver in drivers.items()}
    except DriverError as error:
        sys.stderr.write(f"intentc: {error}\n")
        return None
