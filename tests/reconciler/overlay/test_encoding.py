"""Node slices as objects and back: nothing is lost, nothing grows, little changes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.agent.slice import slice_digest
from reconciler.overlay import encoding
from reconciler.overlay.encoding import LIMIT, MOST_PARTS, Encoded, Missing, Part, Piece, decode, encode
from reconciler.overlay.objects import node_object, read_node, read_slice, slice_object
from reconciler.overlay.rows import NodeId, digest_of, node_of, resources_of, row_of
from renderers.resource import Key, Resource

World = Mapping[NodeId, Sequence[Resource]]

plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)
specs = st.dictionaries(st.text(max_size=6), plain, max_size=3)
names = st.sampled_from(["w1", "w2", "w3", "w4", "w5", "w6"])
nodes = st.builds(NodeId, st.sampled_from(["east", "west"]), names)
identities = st.tuples(
    st.sampled_from(["vpp", "linux"]), st.sampled_from(["policy", "steering"]), st.sampled_from("abcdefgh")
)
kinds = st.tuples(specs, st.text(max_size=4), st.lists(identities, max_size=2), st.booleans(), st.booleans())


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw what nodes hold: a few objects that some nodes share, and some with a state of their own."""
    found: dict[NodeId, dict[Key, Resource]] = {node: {} for node in draw(st.sets(nodes, max_size=8))}
    for identity, (spec, subject, needs, protected, view) in draw(
        st.lists(st.tuples(identities, kinds), max_size=12)
    ):
        for node in draw(st.sets(st.sampled_from(sorted(found)))) if found else ():
            far = draw(nodes)
            key = Key(identity[0], node.scope, *identity[1:])
            wanted = (Key(family, node.scope, *rest) for family, *rest in needs)
            more = [Key("vpp", far.scope, "localsid", "s")] if draw(st.booleans()) else []
            found[node][key] = Resource(key, spec, subject, (*wanted, *more), protected=protected, view=view)
    return {node: tuple(held.values()) for node, held in found.items()}


def written(world: World) -> Encoded:
    return encode({node: [row_of(item) for item in held] for node, held in world.items()})


def everything(item: Resource) -> tuple[Any, ...]:
    return item.key, item.spec, item.subject, item.needs, item.protected, item.view


def read(encoded: Encoded) -> dict[NodeId, list[tuple[Any, ...]]]:
    return {
        node: sorted(map(everything, resources_of(node, decode(node, part, encoded.slices))))
        for node, part in encoded.nodes.items()
    }


@given(worlds())
def test_what_was_written_is_read(world: World) -> None:
    encoded = written(world)
    assert read(encoded) == {node: sorted(map(everything, held)) for node, held in world.items()}
    assert {node: part.digest for node, part in encoded.nodes.items()} == {
        node: slice_digest(held) for node, held in world.items()
    }


@given(worlds())
def test_it_is_read_from_the_objects_of_the_api_too(world: World) -> None:
    encoded = written(world)
    slices = {
        name: read_slice(json.loads(json.dumps(slice_object(name, piece))))
        for name, piece in encoded.slices.items()
    }
    assert slices == encoded.slices
    assert all(name == piece.name for name, piece in slices.items())
    for node, part in encoded.nodes.items():
        body = json.loads(json.dumps(node_object(node, part, None)))
        body["metadata"]["generation"] = 1
        assert read_node(body).wanted == part


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_in_which_objects_come_changes_nothing(world: World, chance: Any) -> None:
    turned = [(node, list(held)) for node, held in world.items()]
    chance.shuffle(turned)
    for _, held in turned:
        chance.shuffle(held)
    assert written(dict(turned)) == written(world)


@given(worlds())
def test_a_slice_that_is_lost_is_missed(world: World) -> None:
    encoded = written(world)
    for node, part in encoded.nodes.items():
        for name in part.shared:
            with pytest.raises(Missing, match=name):
                decode(node, part, {key: piece for key, piece in encoded.slices.items() if key != name})


def test_what_was_tampered_with_is_refused() -> None:
    (node, part) = next(iter(written(mesh(2)).nodes.items()))
    with pytest.raises(ValueError, match="does not have the digest"):
        decode(node, Part(part.digest, part.shared, part.rows[1:]), {})


def mesh(count: int, site: int = 0) -> World:
    """Return a full mesh; nodes below `site` take a policy of their own towards the others."""
    return {NodeId("big", f"n{at}"): list(_held(count, site, at)) for at in range(count)}


def _held(count: int, site: int, at: int) -> Iterator[Resource]:
    def made(kind: str, called: str, subject: str, **spec: Any) -> Resource:
        return Resource(Key("vpp", f"node/big/n{at}", kind, called), spec, subject)

    yield made("encap", "source", f"Node/n{at}", address=f"fd11::{at:x}", hop_limit=64)
    yield made("table", "1000 ipv4", "Cluster/big", id=1000, family="ipv4", name="intentc/pods")
    yield made("localsid", f"fcdd:{at:x}::4", f"Node/n{at}", behavior="End.DT4", table=1000)
    for peer in range(count):
        if peer == at:
            continue
        engineered = at < site <= peer
        bsid = f"cafe:{int(engineered)}::{peer:x}"
        sids = [*(["fcbb:1::", "fcbb:2::"] if engineered else []), f"fcdd:{peer:x}::4"]
        subject = f"Node/n{peer}/overlay/ipv4"
        yield made("policy", bsid, subject, encap=True, lists=[{"weight": 1, "sids": sids}])
        yield made("steering", f"1000 10.{peer // 256}.{peer % 256}.0/24", subject, table=1000, bsid=bsid)


def size(part: Part) -> int:
    return sum(len(row.text) for row in part.rows) + sum(map(len, part.shared))


def weight(piece: Piece) -> int:
    rows = sum(len(row.text) for one in piece.sets for row in one.rows)
    return rows + sum(len(name) for one in piece.sets for name in one.besides) + sum(map(len, piece.parts))


@pytest.mark.parametrize("part_of_site", [0, 2], ids=["plain", "half of it engineered"])
def test_a_node_stays_bounded_as_the_mesh_grows(part_of_site: int) -> None:
    largest = {}
    for count in (40, 120):
        encoded = written(mesh(count, count // part_of_site if part_of_site else 0))
        largest[count] = max(map(size, encoded.nodes.values()))
        assert max(map(weight, encoded.slices.values())) <= LIMIT
        assert max(len(part.shared) for part in encoded.nodes.values()) <= 2
    assert largest[120] <= largest[40] * 1.1, largest
    assert largest[120] < 1500


def test_one_more_node_changes_one_slice_and_its_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "LIMIT", 4096)
    before, after = written(mesh(100)), written(mesh(101))
    news, gone = after.slices.keys() - before.slices.keys(), before.slices.keys() - after.slices.keys()
    assert len(before.slices) > 10
    # The slice that takes its rows (or the two that it was cut into), and the index.
    assert 2 <= len(news) <= 3
    assert len(gone) == 2


def test_a_node_with_much_of_its_own_spreads_it_over_slices() -> None:
    node = NodeId("big", "n1")
    held = [
        Resource(
            Key("vpp", node.scope, "policy", f"cafe::{at:x}"), {"bsid": f"cafe::{at:x}", "pad": "x" * 200}
        )
        for at in range(2000)
    ]
    encoded = written({node: held})
    assert size(encoded.nodes[node]) < 100
    assert max(map(weight, encoded.slices.values())) <= LIMIT
    assert len(read(encoded)[node]) == 2000


def test_a_node_of_many_groups_names_few_slices() -> None:
    """Policies whose headends are always other ones: the API takes at most 1,024 names in one object."""
    chance = random.Random(1)  # noqa: S311 -- the same policies each time
    held: dict[NodeId, list[Resource]] = {NodeId("big", f"n{at}"): [] for at in range(60)}
    for at in range(1500):
        for node in chance.sample(sorted(held), 30):
            bsid = f"cafe::{at:x}"
            spec = {"bsid": bsid, "lists": [{"weight": 1, "sids": ["fcbb:1::", "fcbb:2::", "fcdd::4"]}]}
            held[node].append(Resource(Key("vpp", node.scope, "policy", bsid), spec, "SRv6Policy/te"))
    encoded = written(held)
    assert len(encoded.slices) > 1024
    assert max(len(part.shared) for part in encoded.nodes.values()) <= MOST_PARTS
    assert max(map(size, encoded.nodes.values())) <= LIMIT
    assert read(encoded) == {node: sorted(map(everything, items)) for node, items in held.items()}


@pytest.mark.parametrize("size", [2, 5, 30, 70])
def test_small_sets_of_nodes_are_only_found_faster(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies whose headends differ by a few nodes, around the size up to which they are looked up."""
    chance = random.Random(size)  # noqa: S311 -- the same policies each time
    names = [f"n{at}" for at in range(100)]
    alike = [set(chance.sample(names, size)) for _ in range(4)]
    held: dict[NodeId, list[Resource]] = {NodeId("big", name): [] for name in names}
    for at in range(200):
        changed = set(chance.sample(names, chance.randint(0, max(3, size // 6))))
        for name in chance.choice(alike) ^ changed:
            key = Key("vpp", f"node/big/{name}", "policy", f"cafe::{at:x}")
            held[NodeId("big", name)].append(Resource(key, {"pad": "x" * 200}))
    looked_up = written(held)
    monkeypatch.setattr(encoding, "_FEW", 0)
    assert written(held) == looked_up
    assert any(one.besides for piece in looked_up.slices.values() for one in piece.sets)


def test_a_row_knows_the_digest_of_its_object_at_each_node() -> None:
    for node, held in mesh(3).items():
        assert digest_of(node, map(row_of, held)) == slice_digest(held)


def test_only_objects_of_nodes_are_taken() -> None:
    with pytest.raises(ValueError, match="is no object of a node"):
        node_of(Key("kubernetes", "cluster/east", "ConfigMap", "x"))
