"""Which candidate path is used: RFC 9256 §2.9 and §5.1."""

from __future__ import annotations

import pytest

from compiler.derived.policy import active, candidates
from compiler.derived.ways import usable
from tests.overlays import BASE, UNDERLAY, W1, policy, specs
from tests.support import Built, build

TWO = """
    - {name: low, preference: 100, explicit: [{segments: [{router: p1}]}]}
    - {name: high, preference: 200, explicit: [{segments: [{router: p2}]}]}
"""
DOWN = "kind: Facts\nmetadata: {name: links}\nspec: {links: [{link: p1-p2, state: down}]}\n"
FORCED = """
    - {name: forced, preference: 200, explicit: [{segments: [{router: p1, link: p1-p2}]}]}
    - {name: plain, preference: 100, explicit: [{segments: [{router: p2}]}]}
"""


def used(built: Built) -> str | None:
    assert built.compiled.resolved is not None, str(built)
    found = active(built.compiled.resolved)["te"]
    names = {choice.candidate.path.name for choice in found.values()}
    assert len(names) <= 1
    return next(iter(names), None)


def drained(name: str) -> str:
    return UNDERLAY.replace(f"name: {name},", f"name: {name}, state: drain,")


def test_the_highest_preference_wins() -> None:
    assert used(build(*BASE, policy(TWO))) == "high"


def test_of_equal_preferences_the_later_one_wins() -> None:
    assert used(build(*BASE, policy(TWO.replace("200", "100")))) == "high"


def test_a_drained_router_makes_its_candidate_invalid() -> None:
    assert used(build(drained("p2"), *BASE[1:], policy(TWO))) == "low"


def test_a_link_that_is_down_makes_its_candidate_invalid_until_it_is_up() -> None:
    assert used(build(*BASE, policy(FORCED))) == "forced"
    assert used(build(*BASE, policy(FORCED), DOWN)) == "plain"
    assert used(build(*BASE, policy(FORCED), DOWN.replace("down", "up"))) == "forced"


def test_a_forced_link_to_a_drained_router_is_not_used() -> None:
    assert (
        used(build(drained("p2"), *BASE[1:], policy(FORCED.replace("{router: p2}", "{router: p1}"))))
        == "plain"
    )


def test_invalid_lists_are_dropped_and_the_others_keep_their_weights() -> None:
    built = build(*BASE, policy(), DOWN)
    found = candidates(built.compiled.resolved)["te"][0] if built.compiled.resolved else None
    assert found is not None
    (ways,) = found.ways.values()
    assert [(item.index, item.weight) for item in ways] == [(0, 3)]
    weights = {
        tuple(item["weight"] for item in spec["lists"]) for spec in specs(built, W1, "policy").values()
    }
    assert weights == {(1,), (3,)}


def test_without_a_valid_candidate_the_default_path_is_used_and_said() -> None:
    built = build(drained("p1"), *BASE[1:], policy())
    assert used(built) is None
    assert "IC2633" in built.warnings
    assert all(len(spec["lists"][0]["sids"]) == 1 for spec in specs(built, W1, "policy").values())


def test_steered_prefixes_take_the_default_path_too() -> None:
    built = build(drained("p1"), *BASE[1:], policy(steer="{pods: [], prefixes: [192.0.2.0/24]}"))
    (spec,) = [spec for spec in specs(built, W1, "steering").values() if spec["prefix"] == "192.0.2.0/24"]
    assert len(specs(built, W1, "policy")[spec["bsid"]]["lists"][0]["sids"]) == 1


@pytest.mark.parametrize(
    ("segment", "sid"),
    [
        ("{router: p2}", "fcbb:0:2::1"),
        ("{router: p1, link: p1-p2}", "fcbb:0:1::e1"),
        ('{sid: "fcbb:0:2::beef"}', "fcbb:0:2::beef"),
    ],
)
def test_a_segment_becomes_a_sid(segment: str, sid: str) -> None:
    built = build(*BASE, policy(f"\n    - {{name: a, explicit: [{{segments: [{segment}]}}]}}\n"))
    assert sid in {spec["lists"][0]["sids"][0] for spec in specs(built, W1, "policy").values()}


def test_a_sid_of_a_drained_router_is_not_used() -> None:
    built = build(
        drained("p2"),
        *BASE[1:],
        policy('\n    - {name: a, explicit: [{segments: [{sid: "fcbb:0:2::beef"}]}]}\n'),
    )
    assert used(built) is None


PLAIN = """
    - {name: said, preference: 200, explicit: [{segments: [{sid: "fcbb:0:1::e1"}]}]}
    - {name: plain, preference: 100, explicit: [{segments: [{router: p1}]}]}
"""


def test_a_sid_that_forces_a_link_follows_the_link() -> None:
    assert used(build(*BASE, policy(PLAIN))) == "said"
    assert used(build(*BASE, policy(PLAIN), DOWN)) == "plain"
    assert used(build(drained("p2"), *BASE[1:], policy(PLAIN))) == "plain"


def test_what_takes_a_sid_out_of_use_is_among_its_causes() -> None:
    up = DOWN.replace("down", "up")
    built = build(*BASE, policy(PLAIN), up)
    resolved = built.compiled.resolved
    assert resolved is not None
    paths = {(origin.intent.kind, origin.path) for origin in usable(resolved)["te"]}
    assert ("Underlay", ("spec", "routers", 1, "state")) in paths
    assert ("Facts", ("spec", "links", 0, "state")) in paths or ("Facts", ("spec", "links", 0)) in paths


def test_lists_with_the_same_sids_become_one() -> None:
    twice = """
    - name: a
      explicit:
        - {weight: 2, segments: [{router: p2}]}
        - {weight: 3, segments: [{sid: "fcbb:0:2::1"}]}
        - {weight: 1, segments: [{router: p1}]}
"""
    built = build(*BASE, policy(twice))
    weights = {
        tuple(item["weight"] for item in spec["lists"]) for spec in specs(built, W1, "policy").values()
    }
    assert weights == {(1,), (1, 5)}
