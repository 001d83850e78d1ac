"""Agents under test, with a source, a data plane and a GoBGP that do as they are told."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.request import urlopen

from reconciler.agent.agent import Agent, World
from reconciler.agent.dataplane import Dataplane
from reconciler.agent.metrics import Metrics
from reconciler.agent.policies import PolicyFeed
from reconciler.agent.slice import NodeStatus, Slice, SliceSource
from reconciler.agent.step import Reached, SliceRead, Terms, Unreachable
from reconciler.agent.watch import Seen
from reconciler.drivers.base import Driver, PermanentError, TransientError
from reconciler.drivers.simulator import Simulator
from reconciler.execute import Applier
from reconciler.health import Health
from reconciler.lease import here
from reconciler.telling import Log
from renderers.resource import Key, Resource

NODE = "edge/w1"
WHERE = f"node/{NODE}"
LIMIT = 60.0
"""Seconds that anything may take: machines are shared, and threads wait for their turn."""


def resource(type_: str, name: str, spec: Mapping[str, Any], *needs: Key, where: str = WHERE) -> Resource:
    """Return an object of the node."""
    return Resource(Key("vpp", where, type_, name), spec, "Node/w1", needs)


TABLE = resource("table", "10 ipv4", {"id": 10, "family": "ipv4", "name": "intentc/blue"})


def policy(number: int) -> Resource:
    """Return a policy with one list of one SID."""
    bsid = f"cafe::{number:x}"
    lists = [{"weight": 1, "sids": [f"fc00:{number:x}::1"]}]
    spec = {"bsid": bsid, "encap": True, "type": "default", "fib_table": 0, "lists": lists}
    return resource("policy", bsid, spec)


def steering(number: int) -> Resource:
    """Return the steering into that policy."""
    prefix, bsid = f"10.0.{number}.0/24", f"cafe::{number:x}"
    spec = {"table": 10, "family": "ipv4", "prefix": prefix, "bsid": bsid}
    return resource("steering", f"10 {prefix}", spec, TABLE.key, policy(number).key)


def resources(*numbers: int) -> tuple[Resource, ...]:
    """Return a table, and policy and steering for each number."""
    return (TABLE, *(make(number) for number in numbers for make in (policy, steering)))


@dataclass(frozen=True)
class Announced:
    """A policy that came by BGP."""

    bsid: str
    lists: tuple[tuple[int, tuple[str, ...]], ...]


def announced(number: int, *sids: str) -> Announced:
    """Return the policy of a number as BGP brings it, with its own SID or others."""
    return Announced(f"cafe::{number:x}", ((1, sids or (f"fc00:{number:x}::1",)),))


class Source:
    """A source that gives what it was given; threads wait for it until something changes."""

    longest: ClassVar[float] = 60.0

    def __init__(self, slice_: Slice | Exception | None = None) -> None:
        self.slice: Slice | Exception = slice_ or TransientError("not there yet")
        self.changed = threading.Event()
        self.closed = False
        self.reports: list[NodeStatus] = []
        self.refusing: Exception | None = None

    def give(self, slice_: Slice | Exception) -> None:
        """Change."""
        self.slice = slice_
        self.changed.set()

    def read(self) -> Slice:
        if isinstance(self.slice, Exception):
            raise self.slice
        return self.slice

    def wait(self, seconds: float) -> bool:
        found = self.changed.wait(seconds)
        self.changed.clear()
        return found

    def report(self, status: NodeStatus) -> None:
        if self.refusing is not None:
            raise self.refusing
        self.reports.append(status)

    def close(self) -> None:
        self.closed = True
        self.changed.set()


class Mortal(Simulator):
    """A target that may die."""

    dead = False

    def _call(self) -> str:
        if self.dead:
            raise TransientError("the connection is lost")
        return super()._call()


class Plane:
    """A data plane in memory that can be restarted, or die."""

    family = "vpp"

    def __init__(self) -> None:
        self.driver = Mortal("vpp")
        self.number = 1
        self.down = ""
        self.opened = 0
        self.probing: Callable[[], object] = lambda: None

    def restart(self) -> None:
        """Lose everything, as VPP does; whoever was connected to it gets errors."""
        self.driver.dead = True
        self.driver = Mortal("vpp")
        self.number += 1

    def open(self, scope: str, run: str = "") -> Driver:
        assert scope in (WHERE, "")
        if self.down:
            raise TransientError(self.down)
        if run != f"vpp {self.number}":
            raise PermanentError("it was restarted meanwhile")
        self.opened += 1
        return self.driver

    def probe(self) -> str:
        self.probing()
        if self.down:
            raise TransientError(self.down)
        return f"vpp {self.number}"

    def close(self) -> None:
        """Nothing is held."""


class Feed:
    """A GoBGP that gives what it was given."""

    def __init__(self, *policies: Announced) -> None:
        self.policies: tuple[Announced, ...] | Exception = policies
        self.changed = threading.Event()

    def give(self, policies: tuple[Announced, ...] | Exception) -> None:
        """Change."""
        self.policies = policies
        self.changed.set()

    def read(self) -> tuple[Announced, ...]:
        if isinstance(self.policies, Exception):
            raise self.policies
        return self.policies

    def wait(self, seconds: float) -> bool:
        found = self.changed.wait(seconds)
        self.changed.clear()
        return found

    def close(self) -> None:
        self.changed.set()


@dataclass
class Rig:
    """An agent whose threads do not run: tests say what was seen, and turn the clock."""

    folder: Path
    plane: Plane = field(default_factory=Plane)
    source: Source = field(default_factory=Source)
    feed: Feed | None = None
    family: str = "vpp"
    time: float = 1000.0

    def __post_init__(self) -> None:
        """Start."""
        self.words = io.StringIO()
        self.metrics = Metrics(lambda: self.time)
        self.start()

    def start(self) -> None:
        """Start anew, as after a restart of the process."""
        world = World(
            source=self.source,
            plane_of=lambda _: self.plane,
            feed=self.feed,
            applier=Applier(here("test"), self.folder / "journals"),
            log=Log(self.words, "json", lambda: 1_700_000_000.0),
            metrics=self.metrics,
            status=self.folder / "status.json",
            ticks=lambda: self.time,
            chance=lambda: 0.5,
        )
        self.agent = Agent(Terms(NODE, self.family, 300), world)

    def see(self, *events: Seen) -> float:
        """Let the agent see something, and do a turn; return how long it wants to wait."""
        for event in events:
            self.agent.inbox.put(event)
        return self.agent.turn()

    def give(self, *found: Resource, revision: str = "one", **more: Any) -> float:
        """Let the agent see a slice."""
        slice_ = Slice(found, revision, **more)
        return self.see(SliceRead(slice_, slice_.digest))

    def up(self) -> float:
        """Let the agent see that the data plane answers."""
        return self.see(Reached(self.plane.probe()))

    def restart(self) -> float:
        """Restart the data plane, and let the agent see it as its probe would."""
        self.plane.restart()
        return self.see(Unreachable("the connection is lost"), Reached(self.plane.probe()))

    def later(self, seconds: float) -> float:
        """Turn the clock."""
        self.time += seconds
        return self.agent.turn()

    @property
    def held(self) -> list[Resource]:
        """What the data plane holds."""
        return listed(self.plane.driver.ours.values())

    @property
    def written(self) -> int:
        """How many objects were written."""
        return len(self.plane.driver.written)

    def condition(self, type_: str) -> tuple[bool, str]:
        """Return status and reason of a condition."""
        (found,) = [entry for entry in self.agent.conditions if entry.type == type_]
        return found.status, found.reason

    def status(self) -> dict[str, Any]:
        """Return the status file."""
        found: dict[str, Any] = json.loads((self.folder / "status.json").read_text())
        return found

    def logged(self) -> list[dict[str, Any]]:
        """Return what was logged."""
        return [json.loads(row) for row in self.words.getvalue().splitlines()]


def listed(found: Iterable[Resource]) -> list[Resource]:
    """Return objects in one order."""
    return sorted(found, key=lambda item: item.key)


def keys(found: Iterable[Resource]) -> list[str]:
    """Return type and name of objects."""
    return sorted(f"{item.key.type} {item.key.name}" for item in found)


@dataclass
class Running:
    """An agent at work."""

    folder: Path
    family: str = "vpp"
    node: str = NODE
    resync: float = 300.0
    source: SliceSource | None = None
    """Another source than one that tests change."""
    fed: PolicyFeed | None = None
    """Another feed than one that tests change."""
    other: Dataplane | None = None
    """Another data plane than one in memory."""
    ahead: float = 0.0
    """Seconds that its clock is ahead."""

    def __post_init__(self) -> None:
        self.given = Source(Slice(resources(1), "one"))
        self.plane, self.feed = Plane(), Feed()
        self.words = io.StringIO()
        world = World(
            source=self.source or self.given,
            plane_of=lambda _: self.other or self.plane,
            feed=self.fed or self.feed,
            applier=Applier(here("test"), self.folder / "journals"),
            log=Log(self.words, "json", time.time),
            metrics=Metrics(time.time),
            status=self.folder / "status.json",
            ticks=lambda: time.monotonic() + self.ahead,
        )
        self.agent = Agent(Terms(self.node, self.family, self.resync), world)
        self.health = Health(("127.0.0.1", 0), self.agent.pages())
        self.thread = threading.Thread(target=self.agent.run, name="agent", daemon=True)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.health.port}{path}", timeout=LIMIT) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def holds(self, *numbers: int) -> bool:
        return listed(self.plane.driver.ours.values()) == listed(resources(*numbers))

    def close(self) -> None:
        self.agent.stop()
        self.thread.join(LIMIT)
        self.health.close()
        assert not self.thread.is_alive()


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; only what hangs, or waits for a timer of minutes, takes too long."""
    limit = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < limit, "it never came to be"
        time.sleep(0.01)
