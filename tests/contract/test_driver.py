"""The driver contract: one suite, run against every driver.

A new driver is one factory in RIGS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from intent.diagnostics import Report
from intent.documents import parse
from intent.model import Intent, Metadata, Origin
from intent.source import Source
from reconciler.drivers.base import Driver, Lease, Outcome, PermanentError, Superseded
from reconciler.drivers.directory import Directory
from reconciler.drivers.layout import path_of
from reconciler.drivers.simulator import Simulator
from reconciler.plan import Action
from renderers.resource import Key, Resource
from renderers.rules import Impact

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


@dataclass(frozen=True)
class Rig:
    """One driver under test, and how to put objects of somebody else into its target and look at them."""

    driver: Driver
    plant: Callable[[Resource], None]
    foreign_stands: Callable[[Resource], bool]
    effects: Callable[[], object]
    """Something that differs after each writing."""


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


RIGS = {
    "directory": directory,
    "simulator-transactional": simulator(transactional=True),
    "simulator-one-by-one": simulator(transactional=False),
}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return RIGS[request.param](tmp_path)


def create(resource: Resource) -> Action:
    return Action("t", "create", 0, None, resource, "", NOTHING)


def update(before: Resource, after: Resource) -> Action:
    return Action("t", "update", 0, before, after, "", NOTHING)


def delete(resource: Resource) -> Action:
    return Action("t", "delete", 0, resource, None, "", NOTHING)


def other(resource: Resource) -> Resource:
    spec = (
        {"text": "something else"}
        if "text" in resource.spec
        else {**resource.spec, "spec": {"config": "other"}}
    )
    return Resource(resource.key, spec, resource.subject, resource.needs, view=resource.view)


def do(driver: Driver, *actions: Action) -> Sequence[Outcome]:
    batch = driver.stage(actions)
    outcomes = driver.commit(batch)
    assert [outcome.action for outcome in outcomes] == list(actions)
    assert driver.verify(batch) == ()
    return outcomes


def test_an_empty_target_is_completely_observed(rig: Rig) -> None:
    seen = rig.driver.observe()
    assert (dict(seen.resources), seen.complete) == ({}, True)


def test_what_was_created_is_observed_as_it_was_rendered(rig: Rig) -> None:
    assert {outcome.status for outcome in do(rig.driver, *map(create, ALL))} == {"done"}
    seen = rig.driver.observe()
    assert seen.complete
    assert dict(seen.resources) == {resource.key: resource for resource in ALL}


def test_subject_needs_and_view_are_kept_and_origins_are_not(rig: Rig) -> None:
    (document,) = parse(Source("blue.yaml", "kind: VirtualNetwork\n"), Report())
    origin = Origin("", Intent("VirtualNetwork", "blue", Metadata(name="blue"), None, document))
    do(rig.driver, *[create(replace(resource, origins=(origin,))) for resource in ALL])
    seen = rig.driver.observe().resources
    for resource in ALL:
        found = seen[resource.key]
        assert (found.subject, found.needs, found.view) == (resource.subject, resource.needs, resource.view)
        assert found.origins == ()


@pytest.mark.parametrize("resource", ALL, ids=lambda resource: resource.key.type)
def test_create_is_idempotent(rig: Rig, resource: Resource) -> None:
    do(rig.driver, create(resource))
    do(rig.driver, create(resource))
    assert dict(rig.driver.observe().resources) == {resource.key: resource}


@pytest.mark.parametrize("resource", ALL, ids=lambda resource: resource.key.type)
@pytest.mark.parametrize("action", [create, delete], ids=["create", "delete"])
def test_what_moved_since_the_plan_is_refused_by_name(
    rig: Rig, resource: Resource, action: Callable[[Resource], Action]
) -> None:
    do(rig.driver, create(other(resource)))
    (sibling,) = [entry for entry in ALL if entry is (CONFIG if resource is not CONFIG else NAD)]
    with pytest.raises(PermanentError, match="moved since the plan was made") as raised:
        rig.driver.stage([create(sibling), action(resource)])
    assert raised.value.refused.keys() == {resource.key}
    assert dict(rig.driver.observe().resources) == {resource.key: other(resource)}


def test_changing_what_is_gone_is_refused(rig: Rig) -> None:
    with pytest.raises(PermanentError, match="moved since the plan was made"):
        rig.driver.stage([update(VRF, other(VRF))])


def test_what_is_already_as_it_shall_be_is_not_written_again(rig: Rig) -> None:
    do(rig.driver, *map(create, ALL))
    before = rig.effects()
    do(rig.driver, update(other(VRF), VRF), create(POLICY), create(NAD), update(other(CONFIG), CONFIG))
    assert rig.effects() == before


def test_protection_is_kept_and_changed(rig: Rig) -> None:
    for resource in ALL:
        protected = replace(resource, protected=True)
        do(rig.driver, create(protected))
        assert rig.driver.observe().resources[resource.key].protected
        do(rig.driver, update(protected, resource))
        assert not rig.driver.observe().resources[resource.key].protected


@pytest.mark.parametrize("resource", ALL, ids=lambda resource: resource.key.type)
def test_update_changes_one_object_and_leaves_the_others(rig: Rig, resource: Resource) -> None:
    do(rig.driver, *map(create, ALL))
    do(rig.driver, update(resource, other(resource)))
    seen = dict(rig.driver.observe().resources)
    assert seen == {entry.key: other(entry) if entry is resource else entry for entry in ALL}


@pytest.mark.parametrize("resource", ALL, ids=lambda resource: resource.key.type)
def test_delete_removes_one_object_and_leaves_the_others(rig: Rig, resource: Resource) -> None:
    do(rig.driver, *map(create, ALL))
    do(rig.driver, delete(resource))
    assert dict(rig.driver.observe().resources) == {
        entry.key: entry for entry in ALL if entry is not resource
    }


def test_deleting_the_absent_is_done(rig: Rig) -> None:
    outcomes = do(rig.driver, *map(delete, ALL))
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert dict(rig.driver.observe().resources) == {}


def test_staging_changes_nothing(rig: Rig) -> None:
    do(rig.driver, create(VRF))
    rig.driver.stage([update(VRF, other(VRF)), create(NAD)])
    seen = rig.driver.observe()
    assert seen.complete
    assert dict(seen.resources) == {VRF.key: VRF}


def test_a_batch_that_was_never_committed_leaves_no_trace_in_the_next(rig: Rig) -> None:
    rig.driver.stage([create(NAD), create(CONFIG)])
    do(rig.driver, create(VRF))
    assert dict(rig.driver.observe().resources) == {VRF.key: VRF}


def test_verify_tells_what_moved_since(rig: Rig) -> None:
    batch = rig.driver.stage([create(VRF), create(NAD)])
    rig.driver.commit(batch)
    do(rig.driver, update(VRF, other(VRF)))
    assert rig.driver.verify(batch) == (VRF.key,)
    do(rig.driver, delete(NAD))
    assert set(rig.driver.verify(batch)) == {VRF.key, NAD.key}


def test_verify_tells_what_is_still_there(rig: Rig) -> None:
    batch = rig.driver.stage([delete(VRF)])
    rig.driver.commit(batch)
    do(rig.driver, create(VRF))
    assert rig.driver.verify(batch) == (VRF.key,)


def test_foreign_objects_are_not_listed(rig: Rig) -> None:
    rig.plant(NAD)
    rig.plant(CONFIG)
    seen = rig.driver.observe()
    assert (dict(seen.resources), seen.complete) == ({}, True)


def test_creating_over_a_foreign_object_is_refused_by_name(rig: Rig) -> None:
    rig.plant(NAD)
    rig.plant(CONFIG)
    with pytest.raises(PermanentError) as raised:
        rig.driver.stage([create(NAD), create(VRF), create(CONFIG)])
    assert raised.value.refused.keys() == {NAD.key, CONFIG.key}
    assert "not ours" in raised.value.refused[NAD.key]
    assert rig.foreign_stands(NAD)
    assert rig.foreign_stands(CONFIG)
    assert dict(rig.driver.observe().resources) == {}


@pytest.mark.parametrize("resource", ALL, ids=lambda resource: resource.key.type)
def test_deleting_a_foreign_object_is_done_and_leaves_it(rig: Rig, resource: Resource) -> None:
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
    seen = rig.driver.observe()
    assert (dict(seen.resources), seen.complete) == ({}, True)


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
    rig.driver.swap_lease(None, FIRST)
    batch = rig.driver.stage([create(VRF), create(NAD)], 1)
    assert rig.driver.swap_lease(FIRST, replace(FIRST, expires=3000.0))
    assert {outcome.status for outcome in rig.driver.commit(batch)} == {"done"}
    assert rig.driver.verify(batch) == ()


def test_a_batch_of_somebody_who_was_superseded_is_kept_out(rig: Rig) -> None:
    if not rig.driver.fences:
        pytest.skip("this target does not fence")
    do(rig.driver, create(CONFIG))
    rig.driver.swap_lease(None, FIRST)
    batch = rig.driver.stage([create(VRF), create(NAD), delete(CONFIG)], 1)
    rig.driver.swap_lease(FIRST, SECOND)
    before = rig.effects()
    with pytest.raises(Superseded):
        rig.driver.commit(batch)
    assert rig.effects() == before
    assert dict(rig.driver.observe().resources) == {CONFIG.key: CONFIG}
    with pytest.raises(Superseded):
        rig.driver.commit(rig.driver.stage([create(VRF)], 1))
    batch = rig.driver.stage([create(VRF), delete(CONFIG)], 2)
    rig.driver.commit(batch)
    assert rig.driver.verify(batch) == ()


def test_where_there_is_a_lease_nobody_writes_without(rig: Rig) -> None:
    if not rig.driver.fences:
        pytest.skip("this target does not fence")
    rig.driver.swap_lease(None, FIRST)
    with pytest.raises(Superseded):
        rig.driver.commit(rig.driver.stage([create(VRF)]))
    assert dict(rig.driver.observe().resources) == {}
