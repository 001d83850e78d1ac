"""Shortest paths of the lab's routers, all of the equal ones."""

from __future__ import annotations

from lab.topology import Hop, first_hops


def net(*links: tuple[str, str, int]) -> dict[str, list[Hop]]:
    found: dict[str, list[Hop]] = {name: [] for link in links for name in link[:2]}
    for one, other, metric in links:
        for here, there in ((one, other), (other, one)):
            found[here].append(Hop(there, f"{one}-{other}", there, metric))
    return found


def test_all_equal_paths_are_taken_and_no_longer_one() -> None:
    square = net(("a", "b", 1), ("b", "d", 2), ("a", "c", 2), ("c", "d", 1), ("a", "d", 4))
    found = {target: sorted(hop.router for hop in hops) for target, hops in first_hops("a", square).items()}
    assert found == {"b": ["b"], "c": ["c"], "d": ["b", "c"]}


def test_a_detour_that_is_shorter_is_taken() -> None:
    assert [hop.router for hop in first_hops("a", net(("a", "b", 9), ("a", "c", 1), ("c", "b", 1)))["b"]] == [
        "c"
    ]
