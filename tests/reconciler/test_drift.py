"""Drift in words of intent: every way to damage a target names what declares it."""

from __future__ import annotations

from dataclasses import replace

from reconciler.drift import as_json, drift
from reconciler.plan import Observation, Plan, plan
from renderers import RULES
from renderers.resource import Key, Resource
from tests import pods
from tests.support import build


def resources() -> dict[Key, Resource]:
    built = build(*pods.BASE, pods.network("n3", "subnets: [{cidr: 10.3.0.0/24}]\nmtu: 1500"))
    return {resource.key: resource for resource in built.resources()}


def against(wanted: dict[Key, Resource], seen: dict[Key, Resource]) -> Plan:
    return plan({"t": wanted.values()}, {"t": Observation(seen)}, RULES)


def network(found: dict[Key, Resource]) -> Resource:
    return next(
        resource
        for resource in found.values()
        if resource.subject.startswith("VirtualNetwork/n3") and not resource.view and resource.spec
    )


def test_nothing_drifted_where_all_is_as_declared() -> None:
    wanted = resources()
    assert drift(against(wanted, {key: replace(entry, origins=()) for key, entry in wanted.items()})) == ()


def test_each_object_that_is_removed_is_named_with_its_line() -> None:
    wanted = resources()
    for key, resource in wanted.items():
        if resource.view:
            continue
        seen = {other: entry for other, entry in wanted.items() if other != key}
        (found,) = drift(against(wanted, seen))
        assert (found.kind, found.key, found.subject) == ("missing", key, resource.subject)
        assert str(found).startswith(f"removed: {key.family} {key.type} {key.name} of {key.scope} (")
        if resource.origins:
            assert found.place.startswith("intent.yaml:")
            assert str(found).endswith(f"declared at {found.place}")


def test_what_was_not_seen_where_not_all_was_read_is_no_drift() -> None:
    wanted = resources()
    victim = network(wanted)
    seen = {victim.key: replace(victim, spec={**victim.spec, "name": "other"}, origins=())}
    half_read = plan({"t": wanted.values()}, {"t": Observation(seen, complete=False)}, RULES)
    assert [found.key for found in drift(half_read, {"t": "why"})] == [victim.key]
    assert len(drift(half_read, {"another": "why"})) > 1


def test_each_field_that_is_changed_is_named_with_its_line() -> None:
    wanted = resources()
    victim = network(wanted)
    for name in victim.spec:
        seen = wanted | {victim.key: replace(victim, spec={**victim.spec, name: "other"}, origins=())}
        (found,) = drift(against(wanted, seen))
        assert found.kind == "misconfigured"
        assert {field.path.partition(".")[0] for field in found.fields} == {name}
        assert all(field.place.startswith("intent.yaml:") for field in found.fields)
        assert f" at {found.fields[0].place}" in str(found)


def test_what_nothing_declares_is_named_by_what_it_belonged_to() -> None:
    wanted = resources()
    victim = network(wanted)
    seen = dict(wanted)
    stray = replace(victim, key=victim.key._replace(name="stray"), origins=())
    (found,) = drift(against(wanted, {**seen, stray.key: stray}))
    assert (found.kind, found.place) == ("dangling", "")
    assert str(found).startswith("added: ")
    assert str(found).endswith("which nothing declares")
    assert "VirtualNetwork/n3" in str(found)


def test_values_are_shown_as_they_are_written_and_long_ones_not_at_all() -> None:
    key = Key("vpp", "node/a/b", "thing", "x")
    for before, after, words in (
        (2, True, "is 2, declared as true"),
        ("", "a", "is empty, declared as a"),
        (None, 0, "is null, declared as 0"),
        ("x" * 100, "a", "is not as declared"),
        ("a\x1b[31m", "a", "is not as declared"),
    ):
        wanted, seen = Resource(key, {"f": after}), Resource(key, {"f": before})
        (found,) = drift(against({key: wanted}, {key: seen}))
        assert found.fields[0].what == words
        assert as_json(found)["fields"] == [{"path": "f", "what": words, "place": None}]


def test_views_are_no_drift() -> None:
    key = Key("vpp", "node/a/b", "exec", "x")
    assert drift(against({key: Resource(key, {"text": "x"}, view=True)}, {})) == ()
