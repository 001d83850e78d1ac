"""What a plan is bound to: what moves it, what does not, and what is no plan at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from intent.diagnostics import Report
from intent.kinds.project import ProjectSpec
from intent.load import load
from intent.model import Intent, Origin
from intent.repository import Repository
from intent.source import FieldPath, Source
from reconciler.bound import (
    HEAD_BYTES,
    Bound,
    Revision,
    as_json,
    bind,
    moved,
    read,
    recognise,
    takes_away,
    write,
)
from reconciler.plan import Observation, Plan, plan
from renderers.resource import Key, Resource, canonical
from renderers.rules import Rules

HEAD = "apiVersion: intentc.dev/v1alpha1\n"
PROJECT = HEAD + "kind: Project\nmetadata: {name: metro}\nspec: {}\n"
LEDGER = "# intentc ledger 1: leases of ids; written by `intentc ledger update` only\n"


def spec(vni: int, more: str = "subnets: [{cidr: 10.0.0.0/24}]") -> str:
    said = [
        f"vni: {vni}",
        "extendToFabric: true",
        "attachments: [{type: bareMetal}]",
        *([more] if more else []),
    ]
    return f"{{{', '.join(said)}}}"


DEFAULT = {"red": spec(5007), "blue": spec(5008)}


def repository(networks: dict[str, str] | None = None, leases: str = "", above: str = "") -> Repository:
    """Return a repository of networks by name."""
    documents = [
        f"{HEAD}kind: VirtualNetwork\nmetadata:\n  name: {name}\nspec: {spec}\n"
        for name, spec in (DEFAULT if networks is None else networks).items()
    ]
    report = Report()
    intents = load([Source("nets.yaml", above + "---\n".join(documents))], report)
    (project,) = load([Source("intentc.yaml", PROJECT)], report)
    assert not report.failed, [str(entry) for entry in report.sorted()]
    assert isinstance(project.spec, ProjectSpec)
    return Repository(project, intents, (), Source("intentc.lock", LEDGER + leases), {})


def named(where: Repository, name: str) -> Intent:
    return next(intent for intent in where.intents if intent.name == name)


def thing(name: str, *origins: Origin, subject: str = "", **spec: Any) -> Resource:
    return Resource(
        Key("vpp", "node/a/n", "vrf", name), spec, subject or f"VirtualNetwork/{name}", (), origins
    )


def made(where: Repository, name: str, *path: str | int) -> Resource:
    return thing(name, Origin("table", named(where, name), path), table=1)


def bound_to(where: Repository, wanted: list[Resource], *there: Resource) -> Bound:
    observed = {"t": Observation({resource.key: resource for resource in there})}
    return bind(plan({"t": wanted}, observed), where, Revision("c0ffee", dirty=False), {})


def what(bound: Bound, now: Repository) -> list[tuple[str, str]]:
    return [(str(entry.span), entry.what) for entry in moved(bound, bound.plan.actions, now)]


VNI: FieldPath = ("spec", "vni")


def test_nothing_moved() -> None:
    where = repository()
    assert what(bound_to(where, [made(where, "red", *VNI)]), repository()) == []


def test_a_value_that_differs_is_named_with_its_line() -> None:
    where = repository()
    bound = bound_to(where, [made(where, "red", *VNI), made(where, "blue", *VNI)])
    now = repository({**DEFAULT, "red": spec(5009)})
    assert what(bound, now) == [("nets.yaml:5:13", "VirtualNetwork/red spec.vni is not what it was")]
    assert [entry.action.key.name for entry in moved(bound, bound.plan.actions, now)] == ["red"]


@pytest.mark.parametrize(
    "now",
    [
        repository({**DEFAULT, "blue": spec(5009)}),
        repository({**DEFAULT, "red": spec(5007, "subnets: [{cidr: 10.0.0.0/24}], description: new")}),
        repository({"red": DEFAULT["red"]}),
        repository({"new": spec(5099), **DEFAULT}),
        repository(above="# a comment\n\n"),
    ],
    ids=["another document", "another field", "another one gone", "another one more", "other lines"],
)
def test_what_is_unrelated_is_no_reason(now: Repository) -> None:
    where = repository()
    assert what(bound_to(where, [made(where, "red", *VNI)]), now) == []


def test_a_document_that_is_gone_is_named() -> None:
    where = repository()
    bound = bound_to(where, [made(where, "red", *VNI)])
    assert what(bound, repository({"blue": DEFAULT["blue"]})) == [
        ("nets.yaml:5:13", "VirtualNetwork/red is gone")
    ]


def test_a_field_that_is_said_now_and_was_not_counts() -> None:
    where = repository()
    bound = bound_to(where, [made(where, "red", "spec", "description")])
    assert what(bound, repository()) == []
    (found,) = what(
        bound, repository({**DEFAULT, "red": spec(5007, "subnets: [{cidr: 10.0.0.0/24}], description: new")})
    )
    assert found[1] == "VirtualNetwork/red spec.description is not what it was"


def test_a_path_through_a_list() -> None:
    where = repository()
    bound = bound_to(where, [made(where, "red", "spec", "subnets", 0, "cidr")])
    other = spec(5007, "subnets: [{cidr: 10.9.0.0/24}]")
    assert len(what(bound, repository({**DEFAULT, "red": other}))) == 1
    assert len(what(bound, repository({**DEFAULT, "red": spec(5007, "")}))) == 1


def test_a_whole_document_is_what_it_says_without_notes() -> None:
    where = repository()
    bound = bound_to(where, [made(where, "red")])
    meta = "metadata:\n  name: red\n  annotations: {a: b}\n"
    documents = f"{HEAD}kind: VirtualNetwork\n{meta}spec: {DEFAULT['red']}\n"
    intents = load([Source("nets.yaml", documents)], Report())
    assert what(bound, Repository(where.project, intents, (), where.ledger, {})) == []
    assert len(what(bound, repository({**DEFAULT, "red": spec(5007, "")}))) == 1


def test_a_deletion_rests_on_its_document_being_gone() -> None:
    empty = repository({"blue": DEFAULT["blue"]})
    bound = bound_to(empty, [], thing("red", table=1))
    assert what(bound, empty) == []
    assert what(bound, repository({"blue": spec(5009)})) == []
    (found,) = what(bound, repository())
    assert "VirtualNetwork/red has come back" in found[1]


@pytest.mark.parametrize(
    ("before", "after", "away"),
    [
        (None, {"table": 1, "lists": [1, 2]}, False),
        ({"table": 1}, {"table": 2}, False),
        ({"table": 1}, {"table": 1, "lists": [1]}, False),
        ({"lists": [1, 2]}, {"lists": [1]}, True),
        ({"lists": [1, 2]}, {"lists": [1, 2, 3]}, False),
        ({"lists": [1, 2]}, {"lists": [1, 3]}, True),
        ({"text": "neighbor a\nneighbor b\n"}, {"text": "neighbor a\n"}, True),
        ({"config": '{"a": 1, "b": 2}'}, {"config": '{"a": 1}'}, True),
        ({"lists": {"a": 1}}, {"lists": 1}, True),
        ({"table": 1, "lists": []}, {"table": 1}, True),
        ({"table": 1}, None, True),
    ],
)
def test_what_takes_something_away(before: dict[str, Any] | None, after: Any, *, away: bool) -> None:
    seen = {} if before is None else {thing("red").key: thing("red", **before)}
    wanted = [] if after is None else [thing("red", **after)]
    (action,) = plan({"t": wanted}, {"t": Observation(seen)}).actions
    assert takes_away(action) is away


def test_a_deletion_rests_on_what_is_left_of_its_document() -> None:
    where = repository()
    bound = bound_to(where, [], thing("red", table=1))
    assert what(bound, where) == []
    assert len(what(bound, repository({**DEFAULT, "red": spec(5009)}))) == 1


def test_a_deletion_of_what_is_of_no_document_rests_on_nothing() -> None:
    where = repository()
    bound = bound_to(where, [], thing("x", subject="zone/x", table=1))
    assert (dict(bound.values), what(bound, repository({}))) == ({}, [])


def test_a_replacement_rests_on_its_document_not_being_protected() -> None:
    where = repository()
    changes = plan(
        {"t": [made(where, "red", *VNI)]},
        {"t": Observation({thing("red").key: thing("red", table=2)})},
        Rules(replaces={("vpp", "vrf"): frozenset({"table"})}),
    )
    assert changes.counts["replace"] == 1
    bound = read(text(bind(changes, where, Revision(), {})))
    assert what(bound, where) == []
    meta = "metadata: {name: red, protect: true}\n"
    intents = load(
        [Source("nets.yaml", f"{HEAD}kind: VirtualNetwork\n{meta}spec: {DEFAULT['red']}\n")], Report()
    )
    (found,) = what(bound, Repository(where.project, intents, (), where.ledger, {}))
    assert "VirtualNetwork/red metadata.protect" in found[1]


def test_leases_of_the_documents_count() -> None:
    leases = "VirtualNetwork/blue vlan@dc1 8\nVirtualNetwork/red vlan@dc1 7\n"
    where = repository(leases=leases)
    bound = bound_to(where, [made(where, "red", *VNI)])
    assert dict(bound.leases) == {"VirtualNetwork/red vlan@dc1": "7"}
    other = leases.replace("blue vlan@dc1 8", "blue vlan@dc1 9") + "VirtualNetwork/red vlan@dc2 3\n"
    assert what(bound, repository(leases=other)) == []
    moved_on = repository(leases=leases.replace("red vlan@dc1 7", "red vlan@dc1 6"))
    assert what(bound, moved_on) == [("intentc.lock:3:1", "VirtualNetwork/red held 7 of vlan@dc1, and now 6")]
    freed = repository(leases=leases.replace("red vlan@dc1 7", "red vlan@dc1 7 freed"))
    assert what(bound, freed) == [("intentc.lock", "VirtualNetwork/red held 7 of vlan@dc1, and now nothing")]


def test_views_do_not_count() -> None:
    where = repository()
    view = Resource(
        Key("vpp", "node/a/n", "exec", "n.exec"),
        {"text": "x"},
        origins=(Origin("", named(where, "red"), VNI),),
        view=True,
    )
    assert what(bound_to(where, [view]), repository({})) == []


def test_only_the_actions_that_are_left_count() -> None:
    where = repository()
    bound = bound_to(where, [made(where, "red", *VNI), made(where, "blue", *VNI)])
    left = [action for action in bound.plan.actions if action.key.name == "blue"]
    assert moved(bound, left, repository({**DEFAULT, "red": spec(5009)})) == ()


def text(bound: Bound) -> str:
    return "".join(write(as_json(bound)))


def example() -> Bound:
    where = repository(leases="VirtualNetwork/red vlan@dc1 7\n")
    wanted = [made(where, "red", *VNI), made(where, "blue", "metadata", "name")]
    there = [thing("red", table=2), thing("old", table=3)]
    observed = {"t": Observation({resource.key: resource for resource in there})}
    return bind(plan({"t": wanted}, observed), where, Revision("c0ffee", dirty=True), {"vrf": 2, "acl": 1})


def test_the_form_says_what_it_is_bound_to() -> None:
    data = json.loads(text(example()))
    assert data["format"] == "intentc-plan/1"
    assert (data["project"], data["commit"], data["dirty"]) == ("metro", "c0ffee", True)
    assert data["approvals"] == {"acl": 1, "vrf": 2}
    assert data["summary"]["delete"] == 1
    assert data["summary"]["impacts"] == {"hitless": 1, "brief loss": 1, "destroy": 1}
    assert data["leases"] == {"VirtualNetwork/red vlan@dc1": "7"}
    assert [(entry["subject"], entry["path"], entry["digest"]) for entry in data["intent"]][-1] == (
        "VirtualNetwork/old",
        [],
        "gone",
    )


def test_what_is_read_is_what_was_written() -> None:
    bound = example()
    again = read(text(bound))
    assert again == bound
    assert text(again) == text(bound)
    assert [str(entry.span) for action in again.plan.actions for entry in action.resource.origins] == [
        "nets.yaml:5:13",
        "nets.yaml:10:9",
    ]


def test_the_id_depends_on_everything() -> None:
    where = repository()
    first = bind(Plan(), where, Revision("a"), {})
    others = [
        bind(Plan((), 1), where, Revision("a"), {}),
        bind(Plan(), where, Revision("b"), {}),
        bind(Plan(), where, Revision("a", dirty=True), {}),
        bind(Plan(), where, Revision("a"), {"vrf": 1}),
        example(),
    ]
    assert len({first.id, *(other.id for other in others)}) == 6
    assert first.id == bind(Plan(), repository(), Revision("a"), {}).id


def test_the_id_is_the_hash_of_all_of_it() -> None:
    for bound in (example(), bind(Plan(), repository(), Revision(), {})):
        data = json.loads(text(bound))
        said = {name: part for name, part in data.items() if name not in ("format", "id")}
        assert bound.id == hashlib.sha256(canonical(said).encode()).hexdigest()


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"actions": [{}]}, "actions.0.target"),
        ({"intent": [{}]}, "intent.0.subject"),
        ({"dirty": 1}, "dirty"),
    ],
)
def test_what_is_damaged_is_named(row: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=rf"damaged \({place}: "):
        read("".join(write({**as_json(example()), **row})))


def test_each_changed_byte_is_refused() -> None:
    raw = text(example())
    for at in range(0, len(raw), 3):
        for byte in ("x", "1", " "):
            if raw[at] != byte:
                with pytest.raises(ValueError, match="plan"):
                    read(raw[:at] + byte + raw[at + 1 :])


def test_a_cut_file_is_refused() -> None:
    raw = text(example())
    for end in range(0, len(raw), 7):
        with pytest.raises(ValueError, match="plan"):
            read(raw[:end])


@pytest.mark.parametrize(
    "raw",
    ["", "null", "[]", "{}", "[" * 100_000, '{"a":' * 100_000, "NaN", "1" * 10_000, '"\\ud800"', "\x00"],
)
def test_what_is_no_plan_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="no plan"):
        read(raw)


@pytest.mark.parametrize("found", ["intentc-plan/2", "terraform", "x" * 60])
def test_another_format_is_refused(found: str) -> None:
    with pytest.raises(ValueError, match="no plan of the format intentc-plan/1"):
        read("".join(write({**as_json(example()), "format": found})))


def drop(*path: str | int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        del data[path[-1]]

    return change


def put(said: Any, *path: str | int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        data[path[-1]] = said

    return change


@pytest.mark.parametrize(
    "change",
    [
        drop("actions"),
        drop("id"),
        drop("leases"),
        drop("targets"),
        put({"t": "f" * 16}, "targets"),
        drop("actions", 0, "origins"),
        drop("actions", 0),
        put([], "actions"),
        put(-1, "approvals", "vrf"),
        put(True, "approvals", "vrf"),
        put(99, "approvals", "vrf"),
        put("f" * 64, "id"),
        put("", "facts"),
        put("new", "commit"),
        put(False, "dirty"),
        put(5, "summary", "unchanged"),
        put("x", "summary", "unchanged"),
        put("create", "actions", 0, "operation"),
        put(9, "actions", 0, "after", "spec", "table"),
        put("0" * 32, "actions", 0, "after", "digest"),
        put("\ud800", "actions", 0, "after", "spec", "table"),
        put({}, "actions", 0, "after", "spec"),
        put([{"path": "table", "before": 2, "after": 2}], "actions", 0, "changes"),
        put("hitless", "actions", 0, "impact", "level"),
        put("harmless", "actions", 0, "reason"),
        put("", "intent", 0, "digest"),
        put(77, "actions", 0, "origins", 0, 2),
        put(1, "more"),
    ],
)
def test_what_contradicts_itself_is_refused(change: Callable[[Any], None]) -> None:
    data = json.loads(text(example()))
    change(data)
    with pytest.raises(ValueError, match="plan"):
        read("".join(write(data)))


def test_a_deep_value_is_refused_and_not_a_crash() -> None:
    raw = text(example())
    assert '"table": 1' in raw
    for depth in (150, 100_000):
        with pytest.raises(ValueError, match="plan"):
            read(raw.replace('"table": 1', f'"table": {"[" * depth}1{"]" * depth}', 1))


def test_actions_in_another_order_or_twice_are_refused() -> None:
    bound = example()
    for actions in (bound.plan.actions[::-1], bound.plan.actions + bound.plan.actions[-1:]):
        where = repository()
        other = bind(Plan(tuple(actions)), where, bound.revision, {})
        with pytest.raises(ValueError, match="not in order, or twice"):
            read(text(other))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "this is no plan;"),
        (b"\xff\xfe{", "this is no plan;"),
        (b'{"id": 1, "format": "intentc-plan/1"', "this is no plan;"),
        (b'{"format": "intentc-plan/2",', "found 'intentc-plan/2'"),
        (b'{"format": "' + b"x" * 80 + b'"', "found 'xxx"),
    ],
)
def test_the_first_bytes_tell(head: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recognise(head)
    recognise(text(example())[:HEAD_BYTES].encode())


def test_a_deletion_that_rests_on_nothing_is_refused() -> None:
    bound = example()
    data = json.loads(text(bound))
    data["intent"] = [entry for entry in data["intent"] if entry["path"]]
    with pytest.raises(ValueError, match="what its actions rest on"):
        read("".join(write(data)))
