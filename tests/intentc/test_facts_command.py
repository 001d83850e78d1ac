"""Facts captured from a GoBGP: what nodes announce, kept where they are silent, in a file that is ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from intentc.captured import HEAD
from intentc.cli import run
from reconciler.drivers.gobgp.paths import Announced, Nlri, Segment, Weighted
from tests.gobgpd import StandIn, stand_in

EXAMPLE = Path(__file__).parents[2] / "examples" / "two-datacentres"
FILE = Path("facts/captured-bgp.yaml")
API = "apiVersion: intentc.dev/v1alpha1\n"
PROJECT = """kind: Project
metadata: {{name: two-datacentres}}
spec:
  targets:
    - {{name: bgp, type: gobgp, address: "{address}", clusters: [core]}}
    - {{name: rest, path: rendered}}
"""
SIDS = {1: "fcff:0:0:a51f", 2: "fcff:0:0:85f2", 3: "fcff:0:0:8478"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Return a GoBGP that hears of nothing yet, and work in a repository without facts."""
    root = tmp_path / "net"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("rendered", "facts"))
    monkeypatch.chdir(root)
    with stand_in() as made:
        Path("intentc.yaml").write_text(API + PROJECT.format(address=made.address))
        yield made


def node(server: StandIn, number: int, *families: int, sid: str = "db4") -> None:
    """Let a Calico-VPP node announce itself."""
    address = f"fd22::{number}"
    for family in families or (4, 6):
        hop = Segment(f"{SIDS[number]}::{sid}{family}", {4: 19, 6: 18}[family])
        said = Announced(
            Nlri(0, family, address), address, f"cafe:2::{number}{family}", (Weighted(12, (hop,)),)
        )
        server.policy(said, neighbor=address)


def prefixes(server: StandIn, number: int) -> None:
    for prefix in (
        f"10.80.{number}.0/26",
        f"fd80::{number}:0/122",
        f"{SIDS[number]}::/64",
        f"fd22::{number}/128",
    ):
        server.prefix(prefix, f"fd22::{number}", neighbor=f"fd22::{number}")


def everyone(server: StandIn) -> None:
    for number in SIDS:
        node(server, number)
        prefixes(server, number)


EXPECTED = """apiVersion: intentc.dev/v1alpha1
kind: Facts
metadata:
  name: captured-bgp
spec:
  captured: "SAFI 73 and unicast, as 10.0.0.1 at {address} received them"
  nodes:
    - node: calico-1
      address: "fd22::1"
      dt4: "fcff:0:0:a51f::db44"
      dt6: "fcff:0:0:a51f::db46"
      blocks:
        - "10.80.1.0/26"
        - "fd80::1:0/122"
    - node: calico-2
"""


def test_what_nodes_announce_becomes_facts(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    everyone(server)
    assert run(["plan"]) == 1, "a policy ends in a SID that nobody knows"
    assert "IC2642" in capsys.readouterr().err
    assert run(["facts", "capture"]) == 0
    told = capsys.readouterr()
    assert told.out == (
        "calico-1: new\ncalico-2: new\ncalico-3: new\nwrote facts/captured-bgp.yaml: 3 nodes\n"
    )
    assert told.err == ""
    assert FILE.read_text().startswith(HEAD + EXPECTED.format(address=server.address))
    assert run(["validate"]) == 0


def test_the_same_facts_make_the_same_bytes(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    everyone(server)
    run(["facts", "capture", "bgp"])
    before, _ = FILE.read_bytes(), capsys.readouterr()
    server.paths = dict(reversed(server.paths.items()))
    assert run(["facts", "capture"]) == 0
    assert capsys.readouterr().out == "facts/captured-bgp.yaml is up to date: 3 nodes\n"
    assert FILE.read_bytes() == before


def test_it_works_from_another_folder(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everyone(server)
    run(["facts", "capture"])
    monkeypatch.chdir(FILE.parent)
    capsys.readouterr()
    assert run(["-C", "..", "facts", "capture"]) == 0
    assert capsys.readouterr().out == "facts/captured-bgp.yaml is up to date: 3 nodes\n"


def test_what_changed_is_told(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    everyone(server)
    run(["facts", "capture"])
    capsys.readouterr()
    node(server, 2, 4, sid="aaa")
    server.prefix("10.80.99.0/26", "fd22::3", neighbor="fd22::3")
    assert run(["facts", "capture"]) == 0
    assert capsys.readouterr().out == (
        "calico-2: dt4 fcff:0:0:85f2::db44 → fcff:0:0:85f2::aaa4\n"
        "calico-3: + block 10.80.99.0/26\n"
        "wrote facts/captured-bgp.yaml: 3 nodes\n"
    )


def test_who_is_silent_is_kept(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    everyone(server)
    run(["facts", "capture"])
    before, _ = FILE.read_bytes(), capsys.readouterr()
    server.forget("fd22::2")
    server.forget("fd22::3")
    node(server, 3, 6)
    assert run(["facts", "capture"]) == 0
    told = capsys.readouterr()
    assert told.out == "facts/captured-bgp.yaml is up to date: 3 nodes\n"
    assert told.err == (
        "intentc: calico-2: is not heard; what was known is kept\n"
        "intentc: calico-3: announces no dt4; fcff:0:0:8478::db44 is kept\n"
    )
    assert FILE.read_bytes() == before


def test_who_was_never_heard_is_told(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    node(server, 1)
    node(server, 3)
    server.policy(
        Announced(Nlri(0, 4, "fd22::77"), "fd22::77", "cafe::1", (Weighted(1, (Segment("fcff::1", 19),)),))
    )
    assert run(["facts", "capture"]) == 0
    told = capsys.readouterr()
    assert "wrote facts/captured-bgp.yaml: 2 nodes" in told.out
    assert "calico-2: is not heard, and in no capture before" in told.err
    assert "fd22::77 announces itself, and no node has that address" in told.err


FAR = """kind: Node
metadata: {name: far-1}
spec:
  site: dc1
  labels: {cluster: far}
  ipv6: "fd22::9"
  uplink: {router: a1, interface: eth1, nextHop: "fd22::ffff"}
"""
FAR_CLUSTER = """kind: Cluster
metadata: {name: far}
spec:
  nodes: {matchLabels: {cluster: far}}
  dataplane: calico-vpp
  controlPlane: bgp
  podCidrs: {ipv4: 10.99.0.0/16}
  srv6: {localsids: "fcee::/48", policies: "cafe:9::/118"}
  versions: {calicoVpp: 3.32.0}
"""


def test_nodes_of_clusters_of_another_target_are_no_strangers(
    server: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    """One reflector may serve several clusters, whose facts come from targets of their own."""
    everyone(server)
    Path("intent/far.yaml").write_text(f"{API}{FAR}---\n{API}{FAR_CLUSTER}")
    project = Path("intentc.yaml")
    project.write_text(project.read_text().replace("clusters: [core]", "clusters: [far]"))
    hop = Segment("fcee::94", 19)
    server.policy(Announced(Nlri(0, 4, "fd22::9"), "fd22::9", "cafe:9::4", (Weighted(12, (hop,)),)))
    assert run(["facts", "capture"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("far-1: new\nwrote facts/captured-bgp.yaml: 1 node\n", "")


def test_a_target_without_calico_has_nothing_to_capture(
    server: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    everyone(server)
    project = Path("intentc.yaml")
    project.write_text(project.read_text().replace("clusters: [core]", "clusters: [edge]"))
    assert run(["facts", "capture"]) == 0
    assert "bgp: none of its clusters (edge) has nodes that announce their SIDs" in capsys.readouterr().out
    assert not FILE.exists()


@pytest.mark.parametrize("method", ["GetBgp", "ListPath"])
def test_a_table_that_cannot_be_read_leaves_the_file_as_it_was(
    server: StandIn, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    everyone(server)
    run(["facts", "capture"])
    before, _ = FILE.read_bytes(), capsys.readouterr()
    server.paths.clear()
    server.failures.append((method, grpc.StatusCode.UNAVAILABLE, "gone"))
    assert run(["facts", "capture"]) == 1
    assert "out of reach" in capsys.readouterr().err
    assert FILE.read_bytes() == before


def test_an_empty_table_drops_nobody(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["facts", "capture"]) == 1
    assert "hears of no node; nothing was written" in capsys.readouterr().err
    assert not FILE.exists()
    everyone(server)
    run(["facts", "capture"])
    before = FILE.read_bytes()
    server.paths.clear()
    assert run(["facts", "capture"]) == 0
    assert FILE.read_bytes() == before


def test_a_node_that_intent_does_not_have_any_more_is_dropped(
    server: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    everyone(server)
    run(["facts", "capture"])
    old = FILE.read_text()
    FILE.write_text(old.replace("node: calico-2", "node: calico-9"))
    capsys.readouterr()
    assert run(["facts", "capture"]) == 0
    assert capsys.readouterr().out == (
        "calico-2: new\ncalico-9: is in none of core any more\nwrote facts/captured-bgp.yaml: 3 nodes\n"
    )
    assert FILE.read_text() == old


def test_a_file_of_somebody_else_is_left_alone(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    everyone(server)
    FILE.parent.mkdir()
    FILE.write_text("# mine\n" + API + "kind: Facts\nmetadata: {name: captured-bgp}\nspec: {}\n")
    assert run(["facts", "capture"]) == 1
    assert "was not written by `intentc facts capture`" in capsys.readouterr().err
    assert FILE.read_text().startswith("# mine")


def test_facts_of_that_name_in_another_file_are_left_alone(
    server: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    everyone(server)
    FILE.parent.mkdir()
    other = FILE.with_name("mine.yaml")
    other.write_text(API + "kind: Facts\nmetadata: {name: captured-bgp}\nspec: {}\n")
    assert run(["facts", "capture"]) == 1
    assert "facts/mine.yaml holds Facts 'captured-bgp'" in capsys.readouterr().err
    assert not FILE.exists()


def test_without_a_target_there_is_nobody_to_ask(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["facts", "capture", "bpg"]) == 1
    assert "no target of type gobgp is called 'bpg'; did you mean bgp?" in capsys.readouterr().err.replace(
        "'bgp'", "bgp"
    )
    Path("intentc.yaml").write_text(API + "kind: Project\nmetadata: {name: x}\nspec: {}\n")
    assert run(["facts", "capture"]) == 1
    assert "no target is of type gobgp" in capsys.readouterr().err
    assert server.written == 0


def test_a_file_that_nobody_would_read_is_not_written(
    server: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    everyone(server)
    text = Path("intentc.yaml").read_text()
    Path("intentc.yaml").write_text(text.replace("spec:\n", "spec:\n  facts: [seen/now.yaml]\n"))
    Path("seen").mkdir()
    Path("seen/now.yaml").write_text(API + "kind: Facts\nmetadata: {name: now}\nspec: {}\n")
    assert run(["facts", "capture"]) == 1
    assert "no pattern of spec.facts (seen/now.yaml) reads captured-bgp.yaml" in capsys.readouterr().err


def test_facts_in_force_are_shown_with_their_place(
    server: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["facts", "show"]) == 0
    assert capsys.readouterr().out == "there are no facts\n"
    everyone(server)
    run(["facts", "capture"])
    FILE.with_name("links.yaml").write_text(
        f"{API}kind: Facts\nmetadata: {{name: links}}\nspec: {{links: [{{link: p1-p2, state: down}}]}}\n"
    )
    capsys.readouterr()
    assert run(["facts", "show"]) == 0
    first, *_, link, source = capsys.readouterr().out.splitlines()
    assert first == (
        "node calico-1            fd22::1 dt4 fcff:0:0:a51f::db44 dt6 fcff:0:0:a51f::db46 "
        "blocks 10.80.1.0/26 fd80::1:0/122   facts/captured-bgp.yaml:9:7"
    )
    assert link == "link p1-p2               down   facts/links.yaml:4:16"
    assert source.startswith("facts/captured-bgp.yaml: SAFI 73 and unicast")
    assert run(["facts", "show", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [item["node"] for item in found["facts"]["nodes"]] == ["calico-1", "calico-2", "calico-3"]
    assert found["places"]["link/p1-p2"] == "facts/links.yaml:4:16"


def test_facts_that_contradict_each_other_are_told(
    server: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    everyone(server)
    run(["facts", "capture"])
    said = "spec: {nodes: [{node: calico-1, address: 'fd22::9'}]}"
    FILE.with_name("old.yaml").write_text(f"{API}kind: Facts\nmetadata: {{name: old}}\n{said}\n")
    capsys.readouterr()
    assert run(["facts", "show"]) == 1
    assert "IC2040" in capsys.readouterr().err
