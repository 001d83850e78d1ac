"""What an agent reads of its NodeOverlay, when it is woken, and what it reports."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent.slice import Condition, NodeStatus
from reconciler.drivers.base import PermanentError, TransientError
from reconciler.kube import NODES, SLICES, Kube, connect
from reconciler.overlay.encoding import Part, Piece, encode
from reconciler.overlay.objects import node_object, read_node, slice_object
from reconciler.overlay.rows import NodeId, row_of
from reconciler.overlay.source import KubernetesSource
from renderers.resource import Key, Resource
from tests.agents import LIMIT
from tests.apiserver import real
from tests.apiserver import server as stand_in
from tests.ports import free_port

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DONE = Condition("Applied", True, "Done", "", NOW)
COUNT = 12


@dataclass
class Site:
    """A namespace, and a controller that writes what the nodes of a mesh hold."""

    config: Path
    space: str
    kube: Kube
    source: KubernetesSource

    def write(self, nodes: int, node: str = "w1", **spec: Any) -> None:
        held = {
            NodeId("east", f"w{at}"): list(map(row_of, objects(f"w{at}", nodes, **spec)))
            for at in range(1, nodes + 1)
        }
        encoded = encode(held)
        for name, piece in encoded.slices.items():
            if self.kube.get(SLICES, self.space, name) is None:
                self.kube.create(SLICES, self.space, slice_object(name, piece))
        body = self.kube.get(NODES, self.space, node)
        seen = read_node(body) if body else None
        new = node_object(NodeId("east", node), encoded.nodes[NodeId("east", node)], seen)
        (self.kube.replace if seen else self.kube.create)(NODES, self.space, new)

    def status(self) -> dict[str, Any]:
        body = self.kube.get(NODES, self.space, "w1")
        assert body
        status: dict[str, Any] = body["status"]
        return status


def objects(node: str, count: int, **spec: Any) -> Sequence[Resource]:
    scope = f"node/east/{node}"
    return [
        Resource(
            Key("vpp", scope, "policy", f"cafe::{at}"),
            {"bsid": f"cafe::{at}", "note": None, **spec},
            f"Node/w{at}",
        )
        for at in range(1, count + 1)
        if f"w{at}" != node
    ]


@pytest.fixture(params=["stand-in", pytest.param("real", marks=real.MARKS)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    def made(config: Path, space: str) -> Iterator[Site]:
        kube = connect(config)
        source = KubernetesSource(connect(config), space, "w1", 0.0)
        yield Site(config, space, kube, source)
        source.close()
        kube.close()

    if request.param == "real":
        yield from made(real.shared(), real.new_namespace(tmp_path.name))
    else:
        with stand_in.running() as (_, server):
            yield from made(stand_in.kubeconfig(tmp_path, server), "intentc-system")


def test_a_slice_is_read_with_all_that_others_share(site: Site) -> None:
    site.write(COUNT)
    found = site.source.read()
    assert {item.key: item for item in found.resources} == {item.key: item for item in objects("w1", COUNT)}
    assert (found.revision, found.emptied) == ("generation 1", False)
    assert site.source.read() is found


def test_an_object_that_is_not_there_is_no_empty_slice(site: Site) -> None:
    with pytest.raises(TransientError, match=f"there is no NodeOverlay w1 in namespace {site.space}"):
        site.source.read()
    site.write(1)
    assert site.source.read().emptied


def test_what_others_wrote_is_refused(site: Site) -> None:
    spec = {"cluster": "east", "node": "w1", "digest": "0" * 32}
    head = {"apiVersion": NODES.api, "kind": NODES.kind, "metadata": {"name": "w1"}}
    site.kube.create(NODES, site.space, {**head, "spec": spec})
    with pytest.raises(PermanentError, match="is none of ours"):
        site.source.read()


def test_a_node_of_another_cluster_is_refused(site: Site) -> None:
    site.write(2)
    other = KubernetesSource(connect(site.config), site.space, "west/w1")
    with pytest.raises(PermanentError, match="of another cluster"):
        other.read()
    other.close()


def test_what_was_tampered_with_is_refused(site: Site) -> None:
    site.write(2)
    body = site.kube.get(NODES, site.space, "w1")
    assert body
    body["spec"]["rows"] = []
    site.kube.replace(NODES, site.space, body)
    with pytest.raises(PermanentError, match="does not have the digest"):
        site.source.read()


def test_a_slice_that_names_itself_is_refused(site: Site) -> None:
    name = f"slice-{'0' * 32}"
    site.kube.create(SLICES, site.space, slice_object(name, Piece("east", parts=(name,))))
    node = NodeId("east", "w1")
    site.kube.create(NODES, site.space, node_object(node, Part("0" * 32, (name,)), None))
    with pytest.raises(PermanentError, match="does not have the digest"):
        site.source.read()


class Clock:
    """The clock of a source, which goes on when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("reconciler.overlay.source.time", self)

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_reading_goes_on_later_where_the_server_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the agent would count as stuck, be started again, and begin anew."""
    clock = Clock(monkeypatch)
    monkeypatch.setattr(KubernetesSource, "longest", 2.0)
    with stand_in.running() as (world, server):
        config = stand_in.kubeconfig(tmp_path, server)
        source = KubernetesSource(connect(config), "intentc-system", "w1")
        site = Site(config, "intentc-system", connect(config), source)
        site.write(1000, note="x" * 250)
        world.faults.append(lambda *_: clock.wait(0.2))
        spent, tries = [], 0
        while tries < 20:
            begun, tries = clock.now, tries + 1
            with suppress(TransientError):
                assert len(source.read().resources) == 999
                break
            spent.append(clock.now - begun)
        assert 1 < tries < 20
        assert max(spent) < KubernetesSource.longest
        source.close()
        site.kube.close()


def test_where_a_slice_is_not_there_nothing_is_read(site: Site) -> None:
    site.write(COUNT)
    for body in site.kube.list(SLICES, site.space).items:
        site.kube.delete(SLICES, site.space, body)
    with pytest.raises(TransientError, match="are not there"):
        site.source.read()


def test_a_wait_ends_when_the_slice_was_written_and_not_when_a_report_was(site: Site) -> None:
    site.write(2)
    site.source.read()
    assert meanwhile(site, lambda: site.write(2, weight=7))
    assert site.source.read().resources[0].spec["weight"] == 7
    said = status(site, "0" * 32)
    assert not meanwhile(site, lambda: site.source.report(said), 1.0)


def meanwhile(site: Site, do: Callable[[], None], seconds: float = 2 * LIMIT) -> bool:
    """Do something while the source waits; say whether it was woken before its time was over."""
    timer = threading.Timer(0.2, do)
    timer.start()
    try:
        return site.source.wait(seconds)
    finally:
        timer.join()


def test_a_wait_ends_when_the_source_is_closed(site: Site) -> None:
    site.write(2)
    site.source.read()
    begun = time.monotonic()
    assert not meanwhile(site, site.source.close)
    assert time.monotonic() - begun < LIMIT


def status(site: Site, applied: str = "", **fields: Any) -> NodeStatus:
    found = site.source.read()
    said = NodeStatus(applied or found.digest, "generation 1", 2, (DONE,), "hm", reading=found.reading)
    return replace(said, **fields)


def test_a_report_is_the_status_of_the_object(site: Site) -> None:
    site.write(2)
    digest = site.source.read().digest
    site.source.report(status(site))
    assert site.status() == {
        "applied": digest,
        "revision": "generation 1",
        "observedGeneration": 1,
        "drift": 2,
        "kept": 0,
        "message": "hm",
        "conditions": [
            {
                "type": "Applied",
                "status": "True",
                "reason": "Done",
                "message": "",
                "lastTransitionTime": "2026-01-01T12:00:00Z",
            }
        ],
    }
    body = site.kube.get(NODES, site.space, "w1")
    assert body
    assert read_node(body).is_confirmed


def test_the_same_is_not_reported_twice(site: Site) -> None:
    site.write(2)
    said = status(site)
    site.source.report(said)
    before = site.kube.get(NODES, site.space, "w1")
    site.source.report(said)
    site.source.report(replace(said))
    assert site.kube.get(NODES, site.space, "w1") == before


def test_a_report_that_was_lost_is_written_again(site: Site) -> None:
    """By a backup that was played back, or by somebody who wrote another one over it."""
    site.write(2)
    said = status(site)
    site.source.report(said)
    before = site.status()
    body = site.kube.get(NODES, site.space, "w1")
    assert body
    lost = {**body["status"], "applied": "", "observedGeneration": 0}
    site.kube.replace(NODES, site.space, {**body, "status": lost}, status=True)
    assert not confirmed(site)
    assert site.source.read().reading == said.reading
    site.source.report(said)
    assert site.status() == before
    assert confirmed(site)


def test_reports_come_not_too_often(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(site.source._over, "wait", clock.wait)  # noqa: SLF001 -- it would take the time
    site.write(2)
    site.source.often = 0.5
    for drift in range(4):
        site.source.report(status(site, drift=drift))
    assert clock.now == 1000.0
    for drift in range(4, 7):
        site.source.report(status(site, drift=drift))
    assert clock.now == 1000.0 + 3 * 0.5
    assert site.status()["drift"] == 6


def confirmed(site: Site) -> bool:
    body = site.kube.get(NODES, site.space, "w1")
    assert body
    return read_node(body).is_confirmed


def test_what_is_written_anew_and_is_the_same_is_confirmed_anew(site: Site) -> None:
    site.write(2)
    first = site.source.read()
    said = status(site)
    site.source.report(said)
    site.write(2, weight=7)
    site.write(2)
    again = site.source.read()
    assert (again.digest, again.revision) == (first.digest, "generation 3")
    assert again.reading != first.reading
    site.source.wait(1.0)
    assert not confirmed(site), "what was said before says nothing of what was written since"
    site.source.report(replace(said, reading=again.reading))
    assert site.status()["observedGeneration"] == 3
    assert confirmed(site)


def test_what_the_agent_said_before_it_began_with_another_slice_confirms_nothing(site: Site) -> None:
    """It is at work on the one in between, and the data plane is that of neither."""
    site.write(2)
    said = status(site)
    site.source.report(said)
    assert confirmed(site)
    site.write(2, weight=7)
    between = site.source.read()
    site.write(2)
    site.source.read()
    site.source.wait(1.0)
    site.source.report(replace(said, reading=between.reading, drift=1))
    assert not confirmed(site)


@pytest.mark.parametrize("changes", [0, 2])
def test_an_object_that_was_made_anew_and_is_the_same_is_confirmed_too(site: Site, changes: int) -> None:
    for weight in range(changes):
        site.write(2, weight=weight)
    site.write(2)
    said = status(site)
    site.source.report(said)
    delete(site)
    site.write(2)
    assert site.source.wait(LIMIT)
    again = site.source.read()
    site.source.report(said)
    assert site.status()["observedGeneration"] == 0, "it was said of the object before this one"
    site.source.report(replace(said, reading=again.reading))
    assert confirmed(site)


def test_what_was_read_of_an_object_is_not_confirmed_of_the_one_in_its_place(site: Site) -> None:
    site.write(2)
    said = status(site)
    delete(site)
    site.write(2)
    site.source.report(said)
    body = site.kube.get(NODES, site.space, "w1")
    assert body
    assert "status" not in body


def delete(site: Site) -> None:
    body = site.kube.get(NODES, site.space, "w1")
    assert body
    site.kube.delete(NODES, site.space, body)


def test_an_agent_that_cannot_read_what_is_written_says_so_in_the_status(site: Site) -> None:
    site.write(2)
    body = site.kube.get(NODES, site.space, "w1")
    assert body
    site.kube.replace(NODES, site.space, {**body, "spec": {**body["spec"], "digest": "0" * 32}})
    with pytest.raises(PermanentError, match="are of other versions"):
        site.source.read()
    site.source.report(NodeStatus("", "", 0, (), "no such digest"))
    assert site.status()["message"] == "no such digest"
    assert site.status()["observedGeneration"] == 0


def test_nothing_is_reported_to_an_object_of_others(site: Site) -> None:
    spec = {"cluster": "east", "node": "w1", "digest": "0" * 32}
    head = {"apiVersion": NODES.api, "kind": NODES.kind, "metadata": {"name": "w1"}}
    site.kube.create(NODES, site.space, {**head, "spec": spec})
    with pytest.raises(PermanentError):
        site.source.read()
    site.source.report(NodeStatus("", "", 0, (), "it is none of ours"))
    body = site.kube.get(NODES, site.space, "w1")
    assert body
    assert "status" not in body


def test_an_object_that_is_not_there_is_waited_for_and_not_asked_for(tmp_path: Path) -> None:
    with stand_in.running() as (world, server):
        config = stand_in.kubeconfig(tmp_path, server)
        source = KubernetesSource(connect(config), "intentc-system", "w1")
        site = Site(config, "intentc-system", connect(config), source)
        with pytest.raises(TransientError):
            source.read()
        asked = len(world.requests)
        assert not source.wait(3.0)
        assert len(world.requests) == asked + 1
        assert meanwhile(site, lambda: site.write(2))
        assert source.read().resources
        source.close()
        site.kube.close()


def test_a_watch_that_was_too_far_behind_leads_to_a_new_reading(tmp_path: Path) -> None:
    with stand_in.running() as (world, server):
        config = stand_in.kubeconfig(tmp_path, server)
        site = Site(
            config,
            "intentc-system",
            connect(config),
            KubernetesSource(connect(config), "intentc-system", "w1"),
        )
        site.write(2)
        site.source.read()
        site.write(2, weight=3)
        world.compact()
        assert site.source.wait(LIMIT)
        assert site.source.read().resources[0].spec["weight"] == 3
        site.source.close()
        site.kube.close()


def test_where_the_server_has_forgotten_all_before_it_began_nothing_is_asked_without_an_end(
    tmp_path: Path,
) -> None:
    """After its restart a server keeps no version as old as that of an object nobody has written since."""
    with stand_in.running() as (world, server):
        config = stand_in.kubeconfig(tmp_path, server)
        source = KubernetesSource(connect(config), "intentc-system", "w1")
        site = Site(config, "intentc-system", connect(config), source)
        site.write(2)
        site.source.read()
        site.write(2, "w2")
        world.compact()
        asked = len(world.requests)
        for _ in range(3):
            if site.source.wait(1.0):
                site.source.read()
        assert len(world.requests) <= asked + 4
        assert meanwhile(site, lambda: site.write(2, weight=3))
        assert site.source.read().resources[0].spec["weight"] == 3
        site.source.close()
        site.kube.close()


def test_a_watch_that_ends_at_once_is_not_begun_anew_at_once(tmp_path: Path) -> None:
    """As through a proxy that lets no stream pass: each agent would ask as often as it can."""
    with stand_in.running() as (world, server):
        config = stand_in.kubeconfig(tmp_path, server)
        source = KubernetesSource(connect(config), "intentc-system", "w1")
        site = Site(config, "intentc-system", connect(config), source)
        site.write(2)
        site.source.read()
        world.closing = True
        begun = time.monotonic()
        assert [site.source.wait(LIMIT) for _ in range(3)] == [False, False, False]
        assert time.monotonic() - begun > 2.5
        site.source.close()
        site.kube.close()


def test_a_generation_that_is_given_again_is_another_one(tmp_path: Path) -> None:
    """A backup of etcd was played back, and the object written since: its generations count from there."""
    with stand_in.running() as (world, server):
        config = stand_in.kubeconfig(tmp_path, server)
        source = KubernetesSource(connect(config), "intentc-system", "w1")
        site = Site(config, "intentc-system", connect(config), source)
        site.write(2)
        backup = copy.deepcopy(world.objects)
        site.write(2, weight=7)
        lost = site.source.read()
        assert not site.source.wait(0.2)
        world.objects = backup
        site.write(2, weight=9)
        assert site.source.wait(LIMIT)
        found = site.source.read()
        assert found.reading == lost.reading
        assert found.resources[0].spec["weight"] == 9
        site.source.close()
        site.kube.close()


def test_a_server_that_goes_away_is_told_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with stand_in.running(port) as (_, server):
        config = stand_in.kubeconfig(tmp_path, server)
        site = Site(
            config,
            "intentc-system",
            connect(config),
            KubernetesSource(connect(config), "intentc-system", "w1"),
        )
        site.write(2)
        found = site.source.read()
    for ask in (site.source.read, lambda: site.source.wait(5.0)):
        with pytest.raises(TransientError, match="cannot be reached"):
            ask()
    with stand_in.running(port) as _:
        site.write(2)
        assert site.source.read().digest == found.digest
    site.source.close()
    site.kube.close()
