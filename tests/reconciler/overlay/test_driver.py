"""Nodes as delegated targets: what agents do not confirm, what order holds between nodes, what is removed."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import kubernetes
import pytest

from reconciler.apply import Result, apply
from reconciler.drivers.base import Batch, Lease, PermanentError, TransientError
from reconciler.drivers.overlay import Overlay
from reconciler.kube import NODES, SLICES, Kind, Kube, Object, Watch, connect
from reconciler.overlay.encoding import Part, Piece
from reconciler.overlay.objects import node_object, read_node, slice_object
from reconciler.overlay.rows import NodeId
from reconciler.overlay.wait import Patience
from reconciler.plan import Observation, Plan, plan, resume
from reconciler.retry import Retry
from renderers import RULES
from renderers.resource import Key, Resource
from tests.agents import LIMIT, until
from tests.apiserver import server as stand_in
from tests.apiserver.agents import Agents, overwrite, remove

SPACE = "intentc-system"
HASTY = Retry(attempts=2, wait=0.0)
PATIENT = Patience(quiet=LIMIT, failing=LIMIT)
BRIEF = Patience(quiet=1.0, failing=0.3)


class Knowing(Overlay):
    """A driver that begins to wait when all have confirmed that ever will, where it is not patient."""

    silent: frozenset[str] = frozenset()

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        if self.patience is not PATIENT:
            until(lambda: self._confirmed() >= self._names() - self.silent)
        return super().verify(batch)

    def _names(self) -> set[str]:
        return {body["metadata"]["name"] for body in self.kube.list(NODES, SPACE).items}

    def _confirmed(self) -> set[str]:
        seen = map(read_node, self.kube.list(NODES, SPACE).items)
        return {node.node.node for node in seen if node.is_confirmed}


@dataclass
class Place:
    world: stand_in.World
    kube: Kube
    agents: Agents
    driver: Knowing

    def plan(self, desired: Sequence[Resource]) -> Plan:
        return plan({"nodes": desired}, {"nodes": self.driver.observe()}, RULES)

    def apply(self, desired: Sequence[Resource]) -> Result:
        return apply(self.plan(desired), {"nodes": self.driver}, retry=HASTY)

    def names(self, plural: str) -> list[str]:
        return sorted(name for kind, _, name in list(self.world.objects) if kind.endswith(plural))

    def silence(self, *nodes: str) -> None:
        """Let the agents of some nodes say nothing, and wait for them no longer than it takes."""
        self.agents.silence(*nodes)
        self.driver.silent |= set(nodes)
        self.driver.patience = BRIEF

    def hear(self) -> None:
        """Let all agents speak again."""
        self.driver.silent, self.driver.patience = frozenset(), PATIENT
        self.agents.hear()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with stand_in.running() as (world, server):
        config = stand_in.kubeconfig(tmp_path, server)
        kube = connect(config)
        with Agents(connect(config), SPACE) as agents:
            driver = Knowing("nodes", lambda: connect(config), SPACE, ("east",), PATIENT)
            yield Place(world, kube, agents, driver)
            driver.close()
        kube.close()


def sid(node: str) -> Resource:
    key = Key("vpp", f"node/east/{node}", "localsid", f"fc00:{node[1:]}::4")
    return Resource(key, {"sid": key.name, "behavior": "End.DT4", "table": 0}, f"Node/{node}")


def way(node: str, to: str) -> list[Resource]:
    scope = f"node/east/{node}"
    policy = Key("vpp", scope, "policy", f"cafe::{to[1:]}")
    steering = Key("vpp", scope, "steering", f"0 10.0.{to[1:]}.0/24")
    far = sid(to).key
    return [
        Resource(policy, {"bsid": policy.name, "lists": [far.name]}, f"Node/{to}/overlay", (far,)),
        Resource(steering, {"prefix": steering.name, "bsid": policy.name}, f"Node/{to}/overlay", (policy,)),
    ]


def mesh(*nodes: str) -> list[Resource]:
    found = [sid(node) for node in nodes]
    return found + [item for node in nodes for to in nodes if to != node for item in way(node, to)]


def test_a_mesh_is_applied_and_taken_away(place: Place) -> None:
    assert place.apply(mesh("w1", "w2", "w3")).failed == ()
    assert place.plan(mesh("w1", "w2", "w3")).actions == ()
    assert {item.key for item in place.agents.applied["w1"][-1].resources} == {
        item.key for item in mesh("w1", "w2", "w3") if item.key.scope == "node/east/w1"
    }
    assert place.apply(()).failed == ()
    assert place.agents.applied["w1"][-1].emptied
    assert (place.names("nodeoverlays"), place.names("overlayslices")) == ([], [])


def test_slices_that_nobody_names_are_removed(place: Place) -> None:
    many = [f"w{at}" for at in range(1, 13)]
    assert place.apply(mesh(*many)).failed == ()
    first = set(place.names("overlayslices"))
    assert place.apply(mesh(*many[:-1])).failed == ()
    second = set(place.names("overlayslices"))
    named = {name for body in place.kube.list(NODES, SPACE).items for name in body["spec"]["shared"]}
    confirmed = {
        name
        for body in place.kube.list(NODES, SPACE).items
        for name in body["spec"].get("confirmed", {}).get("shared", ())
    }
    assert first
    assert second != first
    assert second == named | confirmed


def test_of_nodes_that_hold_nothing_any_more_no_slices_remain(place: Place) -> None:
    sids = [
        Resource(Key("vpp", f"node/east/{node}", "localsid", f"fc00::{at:x}"), {"behavior": "End.DT4"})
        for node in ("w1", "w2", "w3")
        for at in range(40)
    ]
    assert place.apply(sids).failed == ()
    assert place.names("overlayslices")
    assert place.apply(()).failed == ()
    assert (place.names("nodeoverlays"), place.names("overlayslices")) == ([], [])


def test_the_object_of_an_empty_node_goes_with_the_next_change_where_it_could_not_go_at_once(
    place: Place,
) -> None:
    """The controller was killed right before, or the API server went away."""
    assert place.apply(mesh("w1", "w2", "w3")).failed == ()

    def no_deletion(method: str, path: str) -> stand_in.Refused | None:
        lost = method == "DELETE" and "/nodeoverlays/" in path
        return stand_in.Refused(503, "ServiceUnavailable", "not now") if lost else None

    place.world.faults.append(no_deletion)
    assert place.apply(mesh("w1", "w2")).failed == ()
    assert place.names("nodeoverlays") == ["w1", "w2", "w3"]
    place.world.faults.clear()
    assert place.plan(mesh("w1", "w2")).actions == ()
    assert place.apply([sid("w1"), sid("w2")]).failed == ()
    assert place.names("nodeoverlays") == ["w1", "w2"]


def test_an_object_that_nobody_may_delete_fails_no_change_of_other_nodes(place: Place) -> None:
    assert place.apply(mesh("w1", "w2", "w3")).failed == ()

    def denied(method: str, path: str) -> stand_in.Refused | None:
        protected = method == "DELETE" and path.endswith("/nodeoverlays/w3")
        return stand_in.Refused(403, "Forbidden", "an admission policy protects it") if protected else None

    place.world.faults.append(denied)
    first = place.apply(mesh("w1", "w2"))
    assert {outcome.action.key.scope for outcome in first.failed} >= {"node/east/w3"}
    assert "an admission policy protects it" in first.failed[0].message
    place.apply(mesh("w1", "w2"))
    assert place.plan(mesh("w1", "w2")).actions == ()
    assert place.apply([sid("w1"), sid("w2")]).failed == ()


def test_the_object_of_a_node_that_was_not_emptied_yet_stays_whatever_else_is_done(place: Place) -> None:
    """Else its agent would never hear that all shall go, and keep what it has."""
    assert place.apply(mesh("w1", "w2", "w3")).failed == ()
    place.silence("w3")
    place.driver.commit(place.driver.stage(place.plan(mesh("w1", "w2")).actions))
    body = place.kube.get(NODES, SPACE, "w3")
    assert body is not None
    assert body["spec"]["rows"] == []
    policy, _ = way("w1", "w2")
    changed = plan(
        {"nodes": [replace(policy, spec={**policy.spec, "n": 2})]},
        {"nodes": Observation({policy.key: policy})},
        RULES,
    )
    assert apply(changed, {"nodes": place.driver}, retry=HASTY).failed == ()
    assert place.names("nodeoverlays") == ["w1", "w2", "w3"]
    place.hear()
    assert place.apply(mesh("w1", "w2")).failed == ()


def test_what_a_node_keeps_goes_when_nobody_may_use_it_any_more(place: Place) -> None:
    """It may be a SID that another node still sends to, because it could not do what it was asked for."""
    assert place.apply(mesh("w1", "w2", "w3")).failed == ()
    place.silence("w3")
    remade = mesh("w1", "w2", "w3")
    policy, _ = way("w3", "w2")
    other = replace(policy, spec={**policy.spec, "n": 2})
    changed = [other if item.key == policy.key else item for item in remade]
    assert remove(place.kube, SPACE, "w2")
    assert {outcome.action.key.scope for outcome in place.apply(remade).failed} == set()
    place.silence("w2")
    assert overwrite(place.kube, SPACE, "w2", lambda body: {"status": {**body["status"], "kept": 2}})
    leftovers = Key("vpp", "node/east/w2", "leftovers", "all")
    found = {outcome.action.key: outcome for outcome in place.apply(changed).outcomes}
    assert found[policy.key].status == "failed"
    assert found[leftovers].status == "failed"
    assert "may still be used by w3" in found[leftovers].message
    place.hear()
    assert place.apply(changed).failed == ()


def test_a_sid_exists_before_anybody_steers_to_it(place: Place) -> None:
    seen: list[tuple[str, set[Key]]] = []
    place.agents.on_apply = lambda node, found: seen.append((node, {item.key for item in found.resources}))
    assert place.apply(mesh("w1", "w2", "w3")).failed == ()
    standing: dict[str, set[Key]] = {}
    for node, keys in seen:
        standing[node] = keys
        there = set().union(*standing.values())
        for item in mesh("w1", "w2", "w3"):
            if item.key in keys:
                assert set(item.needs) <= there, (node, item.key)


def test_where_an_agent_is_silent_nobody_is_steered_to_it(place: Place) -> None:
    place.silence("w3")
    result = place.apply(mesh("w1", "w2", "w3"))
    outcome = {each.action.key: each for each in result.outcomes}
    assert outcome[sid("w3").key].status == "failed"
    assert "the agent of node w3 has not confirmed it within 1 s" in outcome[sid("w3").key].message
    assert "kubectl -n intentc-system get nodeoverlay w3" in outcome[sid("w3").key].message
    for head in ("w1", "w2"):
        policy, steering = way(head, "w3")
        assert "needs vpp:node/east/w3:localsid" in outcome[policy.key].message
        assert outcome[steering.key].status == "skipped"
        assert all(
            item.key not in {one.key for one in place.agents.applied[head][-1].resources}
            for item in (policy, steering)
        )
    assert all(outcome[item.key].status == "done" for item in (*way("w1", "w2"), *way("w2", "w1")))


def test_what_was_not_confirmed_is_still_to_be_done_and_is_resumed(place: Place) -> None:
    place.silence("w3")
    approved = place.plan(mesh("w1", "w2", "w3"))
    apply(approved, {"nodes": place.driver}, retry=HASTY)
    left, moved = resume(approved, {"nodes": place.driver.observe()})
    assert moved == ()
    assert sid("w3").key in {action.key for action in left.actions}
    place.hear()
    assert apply(left, {"nodes": place.driver}, retry=HASTY).failed == ()
    assert place.plan(mesh("w1", "w2", "w3")).actions == ()


def test_what_was_asked_for_and_is_not_wanted_any_more_is_taken_back(place: Place) -> None:
    assert place.apply(mesh("w1", "w2")).failed == ()
    place.silence("w3")
    place.apply(mesh("w1", "w2", "w3"))
    back = place.plan(mesh("w1", "w2"))
    assert {(action.operation, action.key) for action in back.actions} >= {("delete", sid("w3").key)}
    place.hear()
    assert apply(back, {"nodes": place.driver}, retry=HASTY).failed == ()
    assert place.names("nodeoverlays") == ["w1", "w2"]


def test_a_change_that_was_never_confirmed_is_asked_again_where_it_shall_be_as_before(place: Place) -> None:
    first, second = mesh("w1"), [replace(sid("w1"), spec={"table": 7})]
    assert place.apply(first).failed == ()
    place.silence("w1")
    assert place.apply(second).failed
    (action,) = place.plan(first).actions
    assert (action.operation, action.reason) == (
        "update",
        "it was asked to change, which nobody has confirmed",
    )
    assert place.apply(first).failed  # it may have been changed meanwhile, so this is not known to be done
    assert [action.key for action in place.plan(first).actions] == [sid("w1").key]
    place.hear()
    until(lambda: place.plan(first).actions == ())


def test_what_was_asked_for_in_between_is_not_forgotten(place: Place) -> None:
    """The agent may have done it before it fell silent: what it may still need has to stay."""
    first = mesh("w1", "w2")
    assert place.apply(first).failed == ()
    place.silence("w1")
    policy, _ = way("w1", "w3")
    assert place.apply([*first, sid("w3"), policy]).failed
    other = [replace(item, spec={"table": 7}) if item == sid("w1") else item for item in first]
    for _ in range(2):
        outcome = {each.action.key: each.status for each in place.apply(other).outcomes}
        assert (outcome[policy.key], outcome[sid("w3").key]) == ("failed", "skipped")
    named = {
        name
        for body in place.kube.list(NODES, SPACE).items
        for part in (body["spec"], body["spec"].get("confirmed", {}))
        for name in part.get("shared", ())
    }
    assert set(place.names("overlayslices")) == named
    place.hear()
    assert place.apply(other).failed == ()
    assert place.plan(other).actions == ()
    assert place.names("nodeoverlays") == ["w1", "w2"]


def test_a_node_that_fails_is_named_with_its_reason(place: Place) -> None:
    place.driver.patience = Patience(quiet=LIMIT, failing=0.3)
    place.driver.silent = frozenset(("w2",))
    place.agents.failing["w2"] = "VPP refused localsid fc00:2::4: no such table"
    result = place.apply(mesh("w1", "w2"))
    outcome = {each.action.key: each for each in result.outcomes}
    assert outcome[sid("w2").key].message == "node w2: VPP refused localsid fc00:2::4: no such table"
    assert outcome[sid("w1").key].status == "done"
    assert outcome[way("w1", "w2")[0].key].status == "skipped"


def test_a_node_that_fails_again_and_again_does_not_keep_others_from_being_given_up(place: Place) -> None:
    place.agents.failing["w1"] = "first"
    place.silence("w1", "w2")
    place.driver.patience = Patience(quiet=3.0, failing=0.3)
    over = threading.Event()
    count = itertools.count()

    def said(body: Object) -> Object:
        return {"status": {**body.get("status", {}), "message": f"failed {next(count)} times"}}

    def complain() -> None:
        kube, end = connect_again(place.kube), time.monotonic() + LIMIT
        while not over.wait(0.1) and time.monotonic() < end:
            with suppress(TransientError):
                overwrite(kube, SPACE, "w1", said)
        kube.close()

    thread = threading.Thread(target=complain)
    thread.start()
    try:
        asked = len(place.world.requests)
        begun = time.monotonic()
        assert len(place.apply([sid("w1"), sid("w2")]).failed) == 2
        assert time.monotonic() - begun < LIMIT
        watches = [path for _, path in place.world.requests[asked:] if "watch=1" in path]
        assert len(watches) < 20
    finally:
        over.set()
        thread.join()


class Clock:
    """Seconds as the driver spends them; watching takes one of them in truth, whatever it is asked for."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.now = 0.0
        self.watch = Kube.watch

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def watched(
        self, kube: Kube, kind: Kind, space: str, version: str, seconds: int, name: str = ""
    ) -> Watch:
        if kube is self.kube:
            self.sleep(seconds)
            seconds = 1
        return self.watch(kube, kind, space, version, seconds, name)


def test_a_silent_node_is_waited_for_more_briefly_the_second_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(place.driver.kube)
    monkeypatch.setattr("reconciler.overlay.wait.time", clock)
    monkeypatch.setattr(Kube, "watch", lambda *words: clock.watched(*words))  # noqa: PLW0108 -- a method
    place.silence("w1")
    place.driver.patience = Patience(quiet=2.5, failing=0.3)
    ends = []
    for wanted in (mesh("w1"), [replace(sid("w1"), spec={"table": 9})]):
        assert place.apply(wanted).failed
        ends.append(clock.now)
    assert ends == [3.0, 4.0], "a watch takes whole seconds"


def test_who_comes_late_writes_nothing_over_what_came_between(place: Place) -> None:
    late = place.driver.stage(place.plan([sid("w1")]).actions)
    place.driver.commit(place.driver.stage(place.plan([replace(sid("w1"), spec={"table": 2})]).actions))
    with pytest.raises(TransientError, match="already exists"):
        place.driver.commit(late)
    until(lambda: sid("w1").key in place.driver.observe().resources)  # its agent may take a moment
    assert place.driver.observe().resources[sid("w1").key].spec == {"table": 2}


def test_a_report_between_staging_and_writing_is_no_conflict(place: Place) -> None:
    assert place.apply([sid("w1")]).failed == ()
    place.agents.silence("w1")
    reports = iter((1, 2))

    def report(method: str, path: str) -> None:
        if method == "PUT" and path.endswith("/nodeoverlays/w1") and (drift := next(reports, 0)):
            world = place.world
            with world.changed:
                kind = (f"{NODES.group}/{NODES.version}/{NODES.plural}", SPACE)
                body = world.get(kind, "w1")
                world.replace(kind, "w1", {**body, "status": {**body["status"], "drift": drift}}, status=True)

    staged = place.driver.stage(place.plan([replace(sid("w1"), spec={"table": 2})]).actions)
    place.world.faults.append(report)
    assert {outcome.status for outcome in place.driver.commit(staged)} == {"done"}
    body = place.kube.get(NODES, SPACE, "w1")
    assert body
    assert (body["spec"]["rows"][0]["spec"], body["status"]["drift"]) == ({"table": 2}, 2)


def test_a_report_before_a_node_is_removed_does_not_keep_it(place: Place) -> None:
    assert place.apply([sid("w1")]).failed == ()
    reports = iter((1, 2))

    def report(method: str, path: str) -> None:
        if method == "DELETE" and path.endswith("/nodeoverlays/w1") and (drift := next(reports, 0)):
            world = place.world
            with world.changed:
                kind = (f"{NODES.group}/{NODES.version}/{NODES.plural}", SPACE)
                body = world.get(kind, "w1")
                world.replace(kind, "w1", {**body, "status": {**body["status"], "drift": drift}}, status=True)

    place.world.faults.append(report)
    assert place.apply(()).failed == ()
    assert place.names("nodeoverlays") == []


def test_nodes_of_other_clusters_are_left_alone(place: Place) -> None:
    other = Overlay("other", lambda: connect_again(place.kube), SPACE, ("west",), PATIENT)
    theirs = replace(sid("w9"), key=sid("w9").key._replace(scope="node/west/w9"))
    assert apply(plan({"nodes": [theirs]}, {"nodes": other.observe()}, RULES), {"nodes": other}).failed == ()
    assert dict(place.driver.observe().resources) == {}
    with pytest.raises(PermanentError, match="exists and is not ours"):
        place.driver.stage(place.plan([sid("w9")]).actions)
    with pytest.raises(PermanentError, match="is of no cluster of target nodes"):
        place.driver.stage(place.plan([theirs]).actions)
    assert place.apply([sid("w1")]).failed == ()
    assert len(place.kube.list(NODES, SPACE).items) == 2
    other.close()


def connect_again(kube: Kube) -> Kube:
    settings = kubernetes.client.Configuration()
    settings.host = kube.host
    return Kube(kube.host, kubernetes.client.ApiClient(settings))


def test_a_slice_that_is_lost_makes_the_reading_incomplete(place: Place) -> None:
    assert place.apply(mesh(*[f"w{at}" for at in range(1, 13)])).failed == ()
    (name, *_) = [name for body in place.kube.list(NODES, SPACE).items for name in body["spec"]["shared"]]
    body = place.kube.get(SLICES, SPACE, name)
    assert body
    place.kube.delete(SLICES, SPACE, body)
    seen = place.driver.observe()
    assert not seen.complete
    assert name in seen.why
    assert all(action.operation != "delete" for action in place.plan(()).actions)
    with pytest.raises(PermanentError, match="kubectl -n intentc-system delete nodeoverlay w1"):
        place.driver.stage(place.plan([replace(sid("w1"), spec={"table": 5})]).actions)


def test_a_slice_that_names_itself_makes_the_reading_incomplete(place: Place) -> None:
    assert place.apply(mesh("w1", "w2")).failed == ()
    name = f"slice-{'0' * 32}"
    place.kube.create(SLICES, SPACE, slice_object(name, Piece("east", parts=(name,))))
    place.kube.create(NODES, SPACE, node_object(NodeId("east", "w9"), Part("0" * 32, (name,)), None))
    seen = place.driver.observe()
    assert not seen.complete
    assert "node w9: its NodeOverlay cannot be read" in seen.why
    assert place.apply(mesh("w1", "w2", "w3")).failed == ()


def test_a_node_that_cannot_be_read_any_more_is_not_confirmed(place: Place) -> None:
    assert place.apply(mesh("w1", "w2")).failed == ()
    batch = place.driver.stage(place.plan(mesh("w1")).actions)
    place.driver.commit(batch)
    assert overwrite(place.kube, SPACE, "w1", lambda body: {"spec": {**body["spec"], "digest": "0" * 32}})
    with pytest.raises(PermanentError, match="does not have the digest") as caught:
        place.driver.verify(batch)
    assert caught.value.refused.keys() == {item.key for item in way("w1", "w2")}


def test_leases_of_different_clusters_are_different(place: Place) -> None:
    assert place.driver.swap_lease(None, Lease("ann", 1.0, 1))
    other = Overlay("other", lambda: connect_again(place.kube), SPACE, ("west",))
    assert other.lease() is None
    other.close()


def test_a_server_that_is_away_is_told_in_words(tmp_path: Path) -> None:
    config = stand_in.kubeconfig(tmp_path, "http://127.0.0.1:1")
    driver = Overlay("nodes", lambda: connect(config), SPACE)
    with pytest.raises(TransientError, match=r"the Kubernetes API at http://127.0.0.1:1 cannot be reached"):
        driver.observe()
    driver.close()
