"""The driver contract: one suite, run against every driver.

A new driver is one factory in RIGS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from compiler.derived.announcements import distinguisher
from intent.diagnostics import Report
from intent.documents import parse
from intent.model import Intent, Metadata, Origin
from intent.source import Source
from reconciler.drivers.base import Driver, Lease, Outcome, PermanentError, Superseded
from reconciler.drivers.directory import Directory
from reconciler.drivers.gobgp.client import Api
from reconciler.drivers.gobgp.driver import Gobgp
from reconciler.drivers.gobgp.paths import Announced, Nlri, Segment, Weighted, announced_as, spec_of
from reconciler.drivers.layout import path_of
from reconciler.drivers.linux.driver import Linux
from reconciler.drivers.overlay import Overlay
from reconciler.drivers.simulator import Simulator
from reconciler.kube import NODES, SLICES, connect
from reconciler.overlay.wait import Patience
from reconciler.plan import Action
from renderers.resource import Key, Resource
from renderers.rules import Impact
from tests import gobgpd, kernels, vpp_rig
from tests.apiserver import real as apiserver
from tests.apiserver import server as stand_in
from tests.apiserver.agents import Agents
from tests.vppd.peer import Peer

NOTHING = Impact("hitless", "")

VRF = Resource(Key("vpp", "node/east/w1", "vrf", "7"), {"table": 7}, "VirtualNetwork/blue")
POLICY = Resource(
    Key("vpp", "node/east/w1", "policy", "fd00::1"),
    {"segments": ["fc00::1", "fc00::2"], "weight": 1, "encap": True, "note": None},
    "SRv6Policy/gold/w1",
    (VRF.key,),
)
NAD = Resource(
    Key("kubernetes", "cluster/east", "NetworkAttachmentDefinition", "default/blue"),
    {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "blue", "namespace": "default", "annotations": {}},
        "spec": {"config": '{\n  "type": "sriov",\n  "vlan": 100\n}'},
    },
    "VirtualNetwork/blue",
)
CONFIG = Resource(
    Key("frr", "fabric/dc1", "config", "leaf1.conf"), {"text": "hostname leaf1\n!\nend"}, "Fabric/dc1"
)
SCRIPT = Resource(Key("vpp", "node/east/w1", "exec", "w1.exec"), {"text": "set int state\n"}, view=True)
ALL = (VRF, POLICY, NAD, CONFIG, SCRIPT)


def other(resource: Resource) -> Resource:
    spec = (
        {"text": "something else"}
        if "text" in resource.spec
        else {**resource.spec, "spec": {"config": "other"}}
    )
    return Resource(resource.key, spec, resource.subject, resource.needs, view=resource.view)


@dataclass(frozen=True)
class Rig:
    """One driver under test, and how to put objects of somebody else into its target and look at them."""

    driver: Driver
    plant: Callable[[Resource], None]
    foreign_stands: Callable[[Resource], bool]
    effects: Callable[[], object]
    """Something that differs after each writing."""
    objects: tuple[Resource, ...] = ALL
    """Five that the target takes."""
    other: Callable[[Resource], Resource] = other
    """Returns one of them with another content."""
    keeps: bool = True
    """Whether the target keeps what is ours of an object beside its content."""
    in_the_way: bool = True
    """Whether something that is not ours can have the key of something that is."""
    unmistakable: frozenset[str] = frozenset()
    """Types of which this is not so, though it is of others; neither of the third nor the fourth object."""
    ground: tuple[Resource, ...] = ()
    """What the five need; it is there throughout."""


def directory(tmp_path: Path) -> Rig:
    root = tmp_path / "rendered"

    def plant(resource: Resource) -> None:
        file = root / path_of(resource)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine, not yours\n")

    def stands(resource: Resource) -> bool:
        return (root / path_of(resource)).read_text() == "mine, not yours\n"

    def effects() -> object:
        files = sorted(path for path in root.rglob("*") if path.is_file() and ".intentc" not in path.parts)
        return [(path, path.stat().st_ino, path.stat().st_mtime_ns) for path in files]

    return Rig(Directory("review", root), plant, stands, effects)


def simulator(*, transactional: bool) -> Callable[[Path], Rig]:
    def build(_: Path) -> Rig:
        driver = Simulator(transactional=transactional)

        def plant(resource: Resource) -> None:
            driver.foreign[resource.key] = resource

        return Rig(
            driver,
            plant,
            lambda resource: driver.foreign.get(resource.key) == resource,
            lambda: len(driver.written),
        )

    return build


@contextmanager
def gobgp(folder: Path) -> Iterator[Rig]:
    with gobgpd.stand_in() as server:
        yield announcing(folder, Counting(server.address))


@contextmanager
def real_gobgp(folder: Path) -> Iterator[Rig]:
    with gobgpd.real("10.0.0.1") as api:
        yield announcing(folder, Counting(api.address))


class Counting(Api):
    """A connection to GoBGP that counts what it writes."""

    written = 0

    def announce(self, wanted: Announced) -> None:
        self.written += 1
        super().announce(wanted)

    def withdraw(self, found: Announced) -> None:
        self.written += 1
        super().withdraw(found)


def announcing(folder: Path, api: Counting) -> Rig:
    """Return a driver for two clusters; what others announce has the mark of a third."""

    def strange(resource: Resource) -> Announced:
        said = announced_as(resource.spec)
        mark = distinguisher("stranger", said.nlri.distinguisher & 0xFFFF)
        return replace(said, nlri=said.nlri._replace(distinguisher=mark))

    def heavier(resource: Resource) -> Resource:
        (first, *rest) = resource.spec["lists"]
        lists = [{**first, "weight": first["weight"] + 1}, *rest]
        return replace(resource, spec={**resource.spec, "lists": lists})

    return Rig(
        Gobgp("bgp", api, ("core", "edge"), folder / "leases"),
        lambda resource: api.announce(strange(resource)),
        lambda resource: strange(resource) in api.policies(),
        lambda: api.written,
        POLICIES,
        heavier,
        keeps=False,
        in_the_way=False,
    )


def announcement(cluster: str, ends_in: int, color: int, endpoint: str, *sids: str) -> Resource:
    """Return a policy as it is rendered; the last SID is that of the endpoint."""
    nlri = Nlri(distinguisher(cluster, ends_in), color, endpoint)
    behavior = 19 if color % 2 == 0 else 18
    hops = (*map(Segment, sids[:-1]), Segment(sids[-1], behavior))
    bsid = f"cafe::{ends_in:x}:{color:x}"
    targets = ("10.0.0.7",) if cluster == "edge" else ()
    said = Announced(
        nlri,
        "fd22::ffff",
        bsid,
        (Weighted(2, hops),),
        100,
        128,
        no_advertise=not targets,
        route_targets=targets,
    )
    return Resource(Key("srpolicy", f"cluster/{cluster}", "sr-policy", str(nlri)), spec_of(said))


POLICIES = (
    announcement("core", 4, 4, "fd22::1", "fcbb:0:1::", "fcff::4"),
    announcement("core", 6, 6, "fd22::1", "fcbb:0:1::", "fcbb:0:2::", "fcff::6"),
    announcement("edge", 300, 4, "fd11::1", "fcdd::12c"),
    announcement("edge", 300, 100, "fd11::1", "fcbb:0:1::", "fcdd::12c"),
    announcement("edge", 301, 6, "fd11::2", "fcdd:0:0:1::12d"),
)


@contextmanager
def overlay(folder: Path) -> Iterator[Rig]:
    with stand_in.running() as (_, server), delegated(stand_in.kubeconfig(folder, server)) as made:
        yield made


@contextmanager
def real_overlay(folder: Path) -> Iterator[Rig]:
    if apiserver.WHY:
        pytest.skip(apiserver.WHY)
    with delegated(apiserver.shared(), apiserver.new_namespace(folder.name)) as made:
        yield made


@contextmanager
def delegated(config: Path, namespace: str = "intentc-system") -> Iterator[Rig]:
    """Return a driver of NodeOverlays, whose agents do what they are told."""
    kube = connect(config)
    planted: dict[str, object] = {}

    def plant(resource: Resource) -> None:
        cluster, node = resource.key.scope.split("/")[1:]
        head = {"apiVersion": NODES.api, "kind": NODES.kind, "metadata": {"name": node}}
        body = {**head, "spec": {"cluster": cluster, "node": node, "digest": "0" * 32}}
        planted[node] = kube.create(NODES, namespace, body)["metadata"]["uid"]

    def stands(resource: Resource) -> bool:
        node = resource.key.scope.rpartition("/")[2]
        found = kube.get(NODES, namespace, node) or {}
        return (found["metadata"]["uid"], found["metadata"]["generation"]) == (planted[node], 1)

    def effects() -> object:
        bodies = [*kube.list(NODES, namespace).items, *kube.list(SLICES, namespace).items]
        return sorted((body["metadata"]["uid"], body["metadata"]["generation"]) for body in bodies)

    with Agents(connect(config), namespace):
        driver = Overlay("nodes", lambda: connect(config), namespace, ("east",), Patience(60.0, 2.0))
        yield Rig(driver, plant, stands, effects, OF_NODES)
    kube.close()


OF_NODES = (
    VRF,
    POLICY,
    Resource(Key("linux", "node/east/w2", "route", "7 10.0.0.0/8"), {"table": 7}, "Node/w2", (VRF.key,)),
    Resource(Key("linux", "node/east/w3", "config", "x"), {"text": "é\n"}),
    SCRIPT,
)


def vpp(at: vpp_rig.At, objects: Callable[[str], tuple[Resource, ...]]) -> Callable[[Path], Opened]:
    """Return what runs a VPP and opens a driver of it, with what SRv6 needs already there."""

    @contextmanager
    def run(folder: Path) -> Iterator[Rig]:
        with at(folder) as (socket, host), Peer(socket) as peer:
            driver = vpp_rig.Counting("w1", vpp_rig.SCOPE, str(socket))
            do(driver, *map(create, vpp_rig.GROUND))
            others = vpp_rig.Others(peer)
            yield Rig(
                driver,
                others.plant,
                others.stands,
                lambda: driver.written,
                objects(host),
                vpp_rig.otherwise,
                keeps=False,
                unmistakable=vpp_rig.UNMISTAKABLE,
                ground=vpp_rig.GROUND,
            )

    return run


@contextmanager
def linux(folder: Path) -> Iterator[Rig]:
    with kernels.namespace() as (netns, spaces):
        driver = Linux("w1", netns, folder / "leases")
        driver.ip = counting = kernels.Counting(netns)
        yield Rig(
            driver,
            lambda resource: kernels.plant(spaces, resource),
            lambda resource: kernels.stands(spaces, resource),
            lambda: counting.written,
            kernels.OBJECTS,
            kernels.changed,
            keeps=False,
        )


Opened = AbstractContextManager[Rig]
RIGS: dict[str, Callable[[Path], Rig | Opened]] = {
    "directory": directory,
    "simulator-transactional": simulator(transactional=True),
    "simulator-one-by-one": simulator(transactional=False),
    "gobgp": gobgp,
    "gobgp-real": real_gobgp,
    "linux-real": linux,
    "vpp": vpp(vpp_rig.standin, vpp_rig.objects),
    "vpp-ipv6": vpp(vpp_rig.standin, lambda _: vpp_rig.SIX),
    "vpp-real": vpp(vpp_rig.real, vpp_rig.objects),
    "vpp-ipv6-real": vpp(vpp_rig.real, lambda _: vpp_rig.SIX),
    "overlay": overlay,
    "overlay-real": real_overlay,
}


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.real if name.endswith("-real") else ()) for name in RIGS]
)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made = RIGS[request.param](tmp_path)
    if isinstance(made, Rig):
        yield made
        return
    with made as opened:
        yield opened
        opened.driver.close()


def create(resource: Resource) -> Action:
    return Action("t", "create", 0, None, resource, "", NOTHING)


def update(before: Resource, after: Resource) -> Action:
    return Action("t", "update", 0, before, after, "", NOTHING)


def delete(resource: Resource) -> Action:
    return Action("t", "delete", 0, resource, None, "", NOTHING)


def shown(rig: Rig) -> tuple[dict[Key, Resource], bool]:
    """Return what is observed, and whether it is all; what the objects stand on is there and left out."""
    seen = rig.driver.observe()
    found = dict(seen.resources)
    ground = {resource.key: found.pop(resource.key, None) for resource in rig.ground}
    assert ground == {resource.key: resource for resource in rig.ground}
    return found, seen.complete


def do(driver: Driver, *actions: Action) -> Sequence[Outcome]:
    batch = driver.stage(actions)
    outcomes = driver.commit(batch)
    assert [outcome.action for outcome in outcomes] == list(actions)
    assert driver.verify(batch) == ()
    return outcomes


def test_an_empty_target_is_completely_observed(rig: Rig) -> None:
    assert shown(rig) == ({}, True)


def test_what_was_created_is_observed_as_it_was_rendered(rig: Rig) -> None:
    assert {outcome.status for outcome in do(rig.driver, *map(create, rig.objects))} == {"done"}
    assert shown(rig) == ({resource.key: resource for resource in rig.objects}, True)


def test_subject_needs_and_view_are_kept_and_origins_are_not(rig: Rig) -> None:
    if not rig.keeps:
        pytest.skip("this target keeps nothing but content")
    (document,) = parse(Source("blue.yaml", "kind: VirtualNetwork\n"), Report())
    origin = Origin("", Intent("VirtualNetwork", "blue", Metadata(name="blue"), None, document))
    do(rig.driver, *[create(replace(resource, origins=(origin,))) for resource in rig.objects])
    seen = rig.driver.observe().resources
    for resource in rig.objects:
        found = seen[resource.key]
        assert (found.subject, found.needs, found.view) == (resource.subject, resource.needs, resource.view)
        assert found.origins == ()


@pytest.mark.parametrize("at", range(5))
def test_create_is_idempotent(rig: Rig, at: int) -> None:
    resource = rig.objects[at]
    do(rig.driver, create(resource))
    do(rig.driver, create(resource))
    assert shown(rig)[0] == {resource.key: resource}


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("action", [create, delete], ids=["create", "delete"])
def test_what_moved_since_the_plan_is_refused_by_name(
    rig: Rig, at: int, action: Callable[[Resource], Action]
) -> None:
    resource = rig.objects[at]
    do(rig.driver, create(rig.other(resource)))
    sibling = rig.objects[(at + 1) % 5]
    with pytest.raises(PermanentError, match="moved since the plan was made") as raised:
        rig.driver.stage([create(sibling), action(resource)])
    assert raised.value.refused.keys() == {resource.key}
    assert shown(rig)[0] == {resource.key: rig.other(resource)}


def test_changing_what_is_gone_is_refused(rig: Rig) -> None:
    with pytest.raises(PermanentError, match="moved since the plan was made"):
        rig.driver.stage([update(rig.objects[0], rig.other(rig.objects[0]))])


def test_what_is_already_as_it_shall_be_is_not_written_again(rig: Rig) -> None:
    one, two, three, four, _ = rig.objects
    do(rig.driver, *map(create, rig.objects))
    before = rig.effects()
    do(rig.driver, update(rig.other(one), one), create(two), create(three), update(rig.other(four), four))
    assert rig.effects() == before


def test_protection_is_kept_and_changed(rig: Rig) -> None:
    if not rig.keeps:
        pytest.skip("this target keeps nothing but content")
    for resource in rig.objects:
        protected = replace(resource, protected=True)
        do(rig.driver, create(protected))
        assert rig.driver.observe().resources[resource.key].protected
        do(rig.driver, update(protected, resource))
        assert not rig.driver.observe().resources[resource.key].protected


@pytest.mark.parametrize("at", range(5))
def test_update_changes_one_object_and_leaves_the_others(rig: Rig, at: int) -> None:
    resource = rig.objects[at]
    do(rig.driver, *map(create, rig.objects))
    do(rig.driver, update(resource, rig.other(resource)))
    seen, _ = shown(rig)
    assert seen == {entry.key: rig.other(entry) if entry is resource else entry for entry in rig.objects}


@pytest.mark.parametrize("at", range(5))
def test_delete_removes_one_object_and_leaves_the_others(rig: Rig, at: int) -> None:
    resource = rig.objects[at]
    do(rig.driver, *map(create, rig.objects))
    do(rig.driver, delete(resource))
    assert shown(rig)[0] == {entry.key: entry for entry in rig.objects if entry is not resource}


def test_deleting_the_absent_is_done(rig: Rig) -> None:
    outcomes = do(rig.driver, *map(delete, rig.objects))
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert shown(rig)[0] == {}


def test_staging_changes_nothing(rig: Rig) -> None:
    one, _, three, *_ = rig.objects
    do(rig.driver, create(one))
    rig.driver.stage([update(one, rig.other(one)), create(three)])
    assert shown(rig) == ({one.key: one}, True)


def test_a_batch_that_was_never_committed_leaves_no_trace_in_the_next(rig: Rig) -> None:
    one, _, three, four, *_ = rig.objects
    rig.driver.stage([create(three), create(four)])
    do(rig.driver, create(one))
    assert shown(rig)[0] == {one.key: one}


def test_verify_tells_what_moved_since(rig: Rig) -> None:
    one, _, three, *_ = rig.objects
    batch = rig.driver.stage([create(one), create(three)])
    rig.driver.commit(batch)
    do(rig.driver, update(one, rig.other(one)))
    assert rig.driver.verify(batch) == (one.key,)
    do(rig.driver, delete(three))
    assert set(rig.driver.verify(batch)) == {one.key, three.key}


def test_verify_tells_what_is_still_there(rig: Rig) -> None:
    one, *_ = rig.objects
    batch = rig.driver.stage([delete(one)])
    rig.driver.commit(batch)
    do(rig.driver, create(one))
    assert rig.driver.verify(batch) == (one.key,)


def test_foreign_objects_are_not_listed(rig: Rig) -> None:
    _, _, three, four, *_ = rig.objects
    rig.plant(three)
    rig.plant(four)
    assert shown(rig) == ({}, True)


def test_creating_over_a_foreign_object_is_refused_by_name(rig: Rig) -> None:
    if not rig.in_the_way:
        pytest.skip("a key of ours is a mark of ours at this target")
    one, _, three, four, *_ = rig.objects
    rig.plant(three)
    rig.plant(four)
    with pytest.raises(PermanentError) as raised:
        rig.driver.stage([create(three), create(one), create(four)])
    assert raised.value.refused.keys() == {three.key, four.key}
    assert "not ours" in raised.value.refused[three.key]
    assert rig.foreign_stands(three)
    assert rig.foreign_stands(four)
    assert shown(rig)[0] == {}


@pytest.mark.parametrize("at", range(5))
def test_deleting_a_foreign_object_is_done_and_leaves_it(rig: Rig, at: int) -> None:
    resource = rig.objects[at]
    if resource.key.type in rig.unmistakable:
        pytest.skip("a key of this type is a mark of ours at this target")
    rig.plant(resource)
    do(rig.driver, delete(resource))
    assert rig.foreign_stands(resource)


def test_a_target_can_be_closed(rig: Rig) -> None:
    rig.driver.close()


FIRST = Lease("ann", 1000.5, 1)
SECOND = Lease("bob", 2000.25, 2)


def test_there_is_no_lease_before_somebody_takes_it(rig: Rig) -> None:
    assert rig.driver.lease() is None


def test_a_lease_is_swapped_for_the_expected_one_only(rig: Rig) -> None:
    assert not rig.driver.swap_lease(FIRST, SECOND)
    assert rig.driver.lease() is None
    assert rig.driver.swap_lease(None, FIRST)
    assert not rig.driver.swap_lease(None, SECOND)
    assert not rig.driver.swap_lease(replace(FIRST, expires=1.0), SECOND)
    assert rig.driver.lease() == FIRST
    assert rig.driver.swap_lease(FIRST, replace(FIRST, expires=1500.125))
    assert rig.driver.swap_lease(replace(FIRST, expires=1500.125), SECOND)
    assert rig.driver.lease() == SECOND


def test_a_lease_let_go_keeps_its_token(rig: Rig) -> None:
    free = Lease("", 0.0, 2)
    assert rig.driver.swap_lease(None, SECOND)
    assert rig.driver.swap_lease(SECOND, free)
    assert rig.driver.lease() == free


def test_a_lease_is_no_object(rig: Rig) -> None:
    rig.driver.swap_lease(None, FIRST)
    assert shown(rig) == ({}, True)


def test_of_many_at_once_one_gets_the_lease(rig: Rig) -> None:
    expected: Lease | None = None
    with ThreadPoolExecutor(8) as pool:
        for token in range(1, 40):
            wanted = [Lease(f"applier {number}", 10.0 * token, token) for number in range(8)]
            got = list(pool.map(lambda lease: rig.driver.swap_lease(expected, lease), wanted))  # noqa: B023 -- the pool is through before the next round
            assert got.count(True) == 1
            expected = wanted[got.index(True)]
            assert rig.driver.lease() == expected


def test_with_the_current_token_a_batch_is_done(rig: Rig) -> None:
    one, _, three, *_ = rig.objects
    rig.driver.swap_lease(None, FIRST)
    batch = rig.driver.stage([create(one), create(three)], 1)
    assert rig.driver.swap_lease(FIRST, replace(FIRST, expires=3000.0))
    assert {outcome.status for outcome in rig.driver.commit(batch)} == {"done"}
    assert rig.driver.verify(batch) == ()


def test_a_batch_of_somebody_who_was_superseded_is_kept_out(rig: Rig) -> None:
    one, _, three, four, *_ = rig.objects
    if not rig.driver.fences:
        pytest.skip("this target does not fence")
    do(rig.driver, create(four))
    rig.driver.swap_lease(None, FIRST)
    batch = rig.driver.stage([create(one), create(three), delete(four)], 1)
    rig.driver.swap_lease(FIRST, SECOND)
    before = rig.effects()
    with pytest.raises(Superseded):
        rig.driver.commit(batch)
    assert rig.effects() == before
    assert shown(rig)[0] == {four.key: four}
    with pytest.raises(Superseded):
        rig.driver.commit(rig.driver.stage([create(one)], 1))
    batch = rig.driver.stage([create(one), delete(four)], 2)
    rig.driver.commit(batch)
    assert rig.driver.verify(batch) == ()


def test_where_there_is_a_lease_nobody_writes_without(rig: Rig) -> None:
    one, *_ = rig.objects
    if not rig.driver.fences:
        pytest.skip("this target does not fence")
    rig.driver.swap_lease(None, FIRST)
    with pytest.raises(Superseded):
        rig.driver.commit(rig.driver.stage([create(one)]))
    assert shown(rig)[0] == {}
