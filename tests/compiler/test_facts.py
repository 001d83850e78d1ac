"""Facts: one value, whatever files it came from; contradictions are errors."""

from __future__ import annotations

from compiler.facts import Facts, document, gather
from intent.diagnostics import Report
from intent.load import load
from intent.source import Source
from reconciler.manifest import emit
from tests.support import documents


def facts(*specs: str) -> tuple[Facts, Report]:
    report = Report()
    texts = [f"kind: Facts\nmetadata: {{name: f{n}}}\nspec:\n{spec}" for n, spec in enumerate(specs)]
    loaded = load([Source("facts.yaml", documents(*texts))], report)
    assert not report.found
    return gather(loaded, report), report


NODE = "  nodes: [{node: w1, address: 'fd00::1', dt4: 'fd::4', blocks: [10.0.0.0/26, 10.0.1.0/26]}]\n"
LINK = "  links: [{link: a-b, state: down}]\n"


def pod(name: str = "upf-0", node: str = "w1", nic: str = "ens1", pci: str = "") -> str:
    more = f", pci: '{pci}'" if pci else ""
    return f"{{cluster: edge, namespace: upf, pod: {name}, node: {node}, network: n3, nic: {nic}{more}}}"


def test_facts_of_several_files_are_one_value() -> None:
    one, _ = facts(NODE + LINK)
    two, _ = facts(LINK, NODE)
    assert one == two
    assert one.digest == two.digest
    assert one.down == {"a-b"}
    assert [*one.nodes] == ["w1"]


def test_the_digest_moves_with_every_fact() -> None:
    digests = {
        facts(spec)[0].digest
        for spec in (
            "  {}\n",
            NODE,
            NODE.replace("fd::4", "fd::5"),
            LINK,
            LINK.replace("a-b", "a-c"),
            f"  placements: [{pod()}]\n",
            f"  placements: [{pod(pci='0000:01:00.1')}]\n",
        )
    }
    assert len(digests) == 7


def test_a_link_that_is_up_is_as_good_as_no_fact() -> None:
    assert facts(LINK.replace("down", "up"))[0].digest == facts("  {}\n")[0].digest


def test_the_order_of_placements_does_not_matter() -> None:
    several = [pod(pci=f"0000:01:00.{n}") for n in range(3)]
    one, _ = facts(*(f"  placements: [{entry}]\n" for entry in several))
    two, _ = facts(*(f"  placements: [{entry}]\n" for entry in reversed(several)))
    assert one.digest == two.digest
    assert one.placements == two.placements
    assert len(one.placements) == 3


def test_origins_belong_to_their_placements() -> None:
    found, _ = facts(f"  placements: [{pod('b')}, {pod('a')}]\n")
    assert [item.pod for item in found.placements] == ["a", "b"]
    assert [found.origins[f"placement/{n}"].path[-1] for n in (0, 1)] == [1, 0]


def test_the_order_of_blocks_is_no_contradiction() -> None:
    other = NODE.replace("10.0.0.0/26, 10.0.1.0/26", "10.0.1.0/26, 10.0.0.0/26")
    found, report = facts(NODE, other)
    assert not report.found
    assert found.digest == facts(NODE)[0].digest


def test_contradictions_name_both_places() -> None:
    for one, two in (
        (NODE, NODE.replace("fd::4", "fd::5")),
        (LINK, LINK.replace("down", "up")),
        (f"  placements: [{pod()}]\n", f"  placements: [{pod(node='w2')}]\n"),
    ):
        _, report = facts(one, two)
        (error,) = report.found
        assert error.code == "IC2040"
        assert error.related[0].span.line < error.span.line


def test_a_pod_may_have_several_interfaces() -> None:
    _, report = facts(f"  placements: [{pod()}, {pod(nic='ens2')}, {pod('upf-1', node='w2')}]\n")
    assert not report.found


def test_the_saved_form_gives_equal_facts() -> None:
    found, _ = facts(NODE + LINK + f"  placements: [{pod(pci='0000:3b:00.1')}, {pod('upf-1')}]\n")
    report = Report()
    text = emit(document(found, "captured", "SAFI 73 of rr1"))
    again = gather(load([Source("facts.yaml", text)], report), report)
    assert not report.found
    assert again == found
    assert again.digest == found.digest


def test_many_placements_cost_in_proportion() -> None:
    """Looking up the place of every placement would make this take minutes."""
    pods = ", ".join(pod(f"upf-{number}") for number in range(20_000))
    found, report = facts(f"  placements: [{pods}]\n")
    assert not report.found
    assert len(found.placements) == 20_000
