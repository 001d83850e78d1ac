"""Plans as reviewers read them: renames, words, classes, groups; every action stands in exactly one step."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.plan import Observation, Plan, plan
from reconciler.review import Renamed, Review, by_document, by_target, disappearing, renames, review
from renderers.resource import Key, Resource
from renderers.rules import Effect, Rules
from tests.support import build

NAD = ("kubernetes", "NetworkAttachmentDefinition")
BLUE = Renamed("VirtualNetwork", "blue", "blue-core", "VirtualNetwork/blue", "VirtualNetwork/blue-core")
RULES = Rules(
    replaces={NAD: frozenset({"fixed"})},
    effects={NAD: (Effect("drain", "pods must be made anew", frozenset({"delete"})),)},
)


def thing(name: str, subject: str = "VirtualNetwork/blue", scope: str = "cluster/c", **spec: Any) -> Resource:
    return Resource(Key(NAD[0], scope, NAD[1], name), spec, subject)


def planned(before: list[Resource], after: list[Resource]) -> Plan:
    return plan({"t": after}, {"t": Observation({item.key: item for item in before})}, RULES)


def read(before: list[Resource], after: list[Resource], *renamed: Renamed) -> Review:
    return review(planned(before, after), renamed)


def network(metadata: str) -> str:
    return f"kind: VirtualNetwork\nmetadata: {metadata}\nspec: {{attachments: [{{type: bareMetal}}]}}\n"


def words(found: Review) -> list[tuple[str, str]]:
    return [(step.word, step.key.name) for step in found.steps]


def test_a_deletion_and_a_creation_of_one_subject_are_a_rename() -> None:
    found = read([thing("a")], [thing("b")])
    (step,) = found.steps
    assert (step.word, step.title) == ("rename", "rename (replaces)")
    assert step.before
    assert step.after
    assert (step.before.key.name, step.after.key.name) == ("a", "b")
    assert (step.impact.level, step.impact.reason) == ("drain", "pods must be made anew")


def test_another_target_type_scope_or_subject_is_no_rename() -> None:
    before = thing("a")
    others = [
        thing("b", subject="VirtualNetwork/other"),
        thing("b", scope="cluster/other"),
        Resource(Key("kubernetes", "cluster/c", "SriovNetwork", "b"), {}, before.subject),
    ]
    for other in others:
        assert sorted(words(read([before], [other]))) == [("create", "b"), ("delete", "a")]
    elsewhere = plan(
        {"t": [], "u": [thing("b")]}, {"t": Observation({before.key: before}), "u": Observation({})}
    )
    assert {step.word for step in review(elsewhere).steps} == {"create", "delete"}


def test_what_has_no_subject_is_no_rename() -> None:
    assert sorted(words(read([thing("a", "")], [thing("b", "")]))) == [("create", "b"), ("delete", "a")]


def test_among_several_only_the_name_of_the_document_makes_a_rename() -> None:
    before = [thing("blue-left"), thing("blue-right"), thing("blue-gone")]
    core = "VirtualNetwork/blue-core"
    after = [thing("blue-core-left", core), thing("blue-core-right", core), thing("extra", core)]
    found = read(before, after, BLUE)
    pairs = {
        (step.before.key.name, step.after.key.name) for step in found.steps if step.before and step.after
    }
    assert pairs == {("blue-left", "blue-core-left"), ("blue-right", "blue-core-right")}
    assert Counter(step.word for step in found.steps) == {"rename": 2, "delete": 1, "create": 1}


def test_a_renamed_cluster_takes_its_scopes_and_subjects_along() -> None:
    renamed = Renamed("Cluster", "c", "d", "Cluster/c", "Cluster/d")
    found = read([thing("x", "Cluster/c/pods")], [thing("x", "Cluster/d/pods", "cluster/d")], renamed)
    assert words(found) == [("rename", "x")]


def test_documents_are_renamed_by_what_they_say_and_by_uid() -> None:
    resolved = build(
        network("{name: blue-core, moved: [blue]}"), network("{name: green, uid: g}")
    ).compiled.resolved
    assert resolved
    now = list(resolved.of("VirtualNetwork").values())
    assert renames(now, {"VirtualNetwork/blue": "blue", "VirtualNetwork/g": "grass"}) == (
        BLUE,
        Renamed("VirtualNetwork", "grass", "green", "VirtualNetwork/g", "VirtualNetwork/g"),
    )
    assert renames(now, {"VirtualNetwork/blue-core": "blue-core", "VirtualNetwork/g": "green"}) == ()


def test_a_plan_knows_the_documents_that_disappear() -> None:
    found = planned([thing("a"), thing("b", "VirtualNetwork/kept")], [])
    kept = build(network("{name: kept}")).compiled.resolved
    assert kept
    assert disappearing(found, kept.of("VirtualNetwork").values()) == {"VirtualNetwork/blue": "blue"}


def test_a_renamed_document_is_one_group_with_both_names() -> None:
    found = read([thing("blue")], [thing("blue-core", "VirtualNetwork/blue-core")], BLUE)
    (group,) = by_document(found)
    assert group.title == "VirtualNetwork blue → blue-core (renamed)"
    assert group.worst == "drain"


def test_the_worst_document_comes_first_and_what_is_only_new_last() -> None:
    before = [thing("gone", "A/gone"), thing("x", "B/x", v=1)]
    after = [thing("x", "B/x", v=2), thing("new", "A/a")]
    assert [group.name for group in by_document(read(before, after))] == ["A/gone", "B/x", "A/a"]


def test_targets_are_grouped_by_family_and_scope() -> None:
    found = read([], [thing("a"), thing("b", scope="cluster/d")])
    assert [group.name for group in by_target(found)] == [
        "t · kubernetes · cluster/c",
        "t · kubernetes · cluster/d",
    ]


def test_classes_add_up_over_steps() -> None:
    before = [thing("a", "A/a"), thing("x", "B/x", fixed=1), thing("y", "C/y", v=1)]
    found = read(before, [thing("x", "B/x", fixed=2), thing("y", "C/y", v=2)])
    assert found.counts == {"delete": 1, "replace": 1, "rename": 0, "update": 1, "create": 0}
    assert found.classes == {"hitless": 0, "brief loss": 2, "drain": 1, "reboot": 0, "destroy": 0}


NAMES = st.sampled_from("abcd")
SUBJECTS = st.sampled_from(["VirtualNetwork/blue", "VirtualNetwork/blue-core", "Node/n", ""])
THINGS = st.lists(
    st.builds(thing, NAMES, SUBJECTS, st.sampled_from(["cluster/c", "cluster/d"]), v=st.integers(0, 1)),
    max_size=8,
    unique_by=lambda item: item.key,
)


@given(THINGS, THINGS)
def test_every_action_stands_in_exactly_one_step(before: list[Resource], after: list[Resource]) -> None:
    found = read(before, after, BLUE)
    said = [action for step in found.steps for action in step.actions]
    assert Counter(map(id, said)) == Counter(map(id, found.plan.actions))
    assert sum(len(group.steps) for group in by_document(found)) == len(found.steps)
    assert sum(len(group.steps) for group in by_target(found)) == len(found.steps)
