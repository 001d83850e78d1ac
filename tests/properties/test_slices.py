"""Over random topologies: the slices make the whole, and documents in any order give the same bytes."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.graph import Graph, Scope, scopes
from compiler.ledger.allocate import allocate
from compiler.ledger.leases import parse_ledger
from compiler.lower import LOWER
from compiler.passes import check_intent
from intent.diagnostics import Report
from intent.load import load
from intent.source import Source
from renderers import render
from renderers.resource import canonical
from tests.overlays import CALICO, CLUSTER, UNDERLAY, network, node, policy
from tests.support import PROJECT, build, documents

ROUTER = (
    "kind: VirtualNetworkRouter\nmetadata: {name: r}\nspec: {type: mesh, networks: {matchLabels: {m: y}}}\n"
)
CALICO_HERE = CALICO.replace("nodes: {names: [w1]}", "nodes: {all: true}")
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def topologies(draw: st.DrawFn) -> list[str]:
    """Draw up to six workers in two clusters, networks that may route to each other, and a policy."""
    count = draw(st.integers(2, 6))
    clusters = [draw(st.sampled_from(["edge", "core"])) for _ in range(count)]
    clusters[0] = "edge"
    texts = [UNDERLAY, *(node(at + 1, cluster) for at, cluster in enumerate(clusters)), CLUSTER]
    texts += [CALICO_HERE] if "core" in clusters else []
    networks = draw(st.integers(0, 3))
    # The router must choose all networks of a zone or none of them.
    joined = {zone: draw(st.sampled_from(["{m: y}", "{}"])) for zone in ("", "ran")}
    for at in range(networks):
        zone = draw(st.sampled_from(["", "ran"]))
        texts.append(network(f"n{at}", f"10.{at}.0.0/16", joined[zone], zone))
    texts += [ROUTER] if networks else []
    workers = [f"w{at + 1}" for at, cluster in enumerate(clusters) if cluster == "edge"]
    if len(workers) > 1 and draw(st.booleans()):
        head, end = draw(st.permutations(workers))[:2]
        texts.append(
            policy(headends=f"{{nodes: {{names: [{head}]}}}}", endpoints=f"{{nodes: {{names: [{end}]}}}}")
        )
    return texts


def written(graph: Graph, *only: Scope) -> list[str]:
    """Return all resources as text, in order."""
    return sorted(
        canonical([*item.key, item.spec, item.subject, item.needs]) for item in render(graph, only or None)
    )


def fresh(texts: list[str], ledger: str) -> Graph:
    """Compile once more, with nothing kept from before."""
    report = Report()
    intents = load([Source("intent.yaml", documents(*texts))], report)
    (root,) = load([Source("intentc.yaml", PROJECT)], report)
    resolved = check_intent(root, intents, [], report)
    assert resolved is not None, report.found
    allocated = allocate(resolved, parse_ledger(Source("intentc.lock", ledger), report), report)
    assert allocated is not None, report.found
    return Graph(allocated, LOWER, scopes(allocated))


@quick
@given(topologies())
def test_the_union_of_the_slices_is_the_whole(texts: list[str]) -> None:
    built = build(*texts)
    graph = built.compiled.graph
    assert graph is not None, str(built)
    whole = written(graph)
    alone = [line for scope in graph.scopes for line in written(fresh(texts, built.ledger), scope)]
    assert sorted(alone) == whole


@quick
@given(topologies(), st.randoms(use_true_random=False))
def test_the_order_of_documents_changes_nothing(texts: list[str], chance: random.Random) -> None:
    built = build(*texts)
    shuffled = list(texts)
    chance.shuffle(shuffled)
    assert build(*shuffled).ledger == built.ledger
    one, two = fresh(texts, built.ledger), fresh(shuffled, built.ledger)
    assert written(one) == written(two)
    assert written(one) == written(one)


@quick
@given(topologies())
def test_what_is_steered_has_its_policy_and_its_table(texts: list[str]) -> None:
    graph = build(*texts).compiled.graph
    assert graph is not None
    everywhere = {item.key for item in render(graph)}
    for scope in graph.scopes:
        found = list(render(graph, [scope]))
        assert {need for item in found for need in item.needs} <= everywhere
        keys = [item.key for item in found]
        assert len(keys) == len(set(keys))
        assert {need for item in found for need in item.needs if need.scope == str(scope)} <= set(keys)
