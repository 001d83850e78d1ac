"""`intentc explain`: from what is rendered to lines of intent, and back, on the real examples."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from intent.model import Origin
from intentc.cli import run
from intentc.policy_view import lines
from intentc.session import begin
from reconciler.drivers.layout import path_of
from renderers import render
from renderers.causes import caused, written_at
from renderers.resource import Resource

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(params=["two-datacentres", "upf-sriov"])
def example(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Path:
    """Return a copy of an example that was applied, and stand in it."""
    root = tmp_path / "repo"
    shutil.copytree(EXAMPLES / request.param, root, ignore=shutil.ignore_patterns("rendered"))
    monkeypatch.chdir(root)
    assert run(["apply", "--yes"]) == 0
    capsys.readouterr()
    return root


def resources(root: Path) -> list[Resource]:
    graph = begin(root).compiled.graph
    assert graph is not None
    return list(render(graph))


def test_every_line_that_an_object_names_leads_back_to_it(example: Path) -> None:
    found = resources(example)
    asked: dict[tuple[int, int], set[int]] = {}
    for resource in found:
        for origin in resource.origins:
            assert isinstance(origin, Origin)
            document, line = origin.intent.doc, origin.span.line
            place = (id(document), line)
            if place not in asked:
                traces = caused(found, document, written_at(document, line))
                asked[place] = {id(trace.resource) for trace, _ in traces}
            assert id(resource) in asked[place], (resource.key, origin.span)
    assert len(asked) > 20


def test_every_line_of_every_rendered_file_is_explained(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for resource in resources(example)[::7]:
        path = example / "rendered" / path_of(resource)
        # The first line of a file of objects says only what they have in common.
        first = 2 if path.suffix == ".jsonl" else 1
        for line in range(first, min(8, len(path.read_text().splitlines())) + 1):
            assert run(["explain", f"{path}:{line}", "--format", "json"]) == 0, capsys.readouterr().err
            told = json.loads(capsys.readouterr().out)
            assert any(trace["origins"] for trace in told["caused_by"]), (path, line)


def test_a_line_of_a_configuration_names_the_lines_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "repo"
    shutil.copytree(EXAMPLES / "two-datacentres", root, ignore=shutil.ignore_patterns("rendered"))
    monkeypatch.chdir(root)
    assert run(["apply", "--yes"]) == 0
    file = root / "rendered/vpp/node/edge/east-1/east-1.exec"
    lines = file.read_text().splitlines()
    number = next(at for at, line in enumerate(lines, 1) if "next fcbb:0:1::1" in line)
    capsys.readouterr()
    assert run(["explain", f"{file.relative_to(root)}:{number}"]) == 0
    told = capsys.readouterr().out
    assert "SRv6Policy/east-to-west" in told
    assert "SID of router p1" in told
    assert "Node/east-2" not in told, "nothing of other tunnels"


def test_a_place_an_object_and_a_document_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = EXAMPLES / "upf-sriov"
    monkeypatch.chdir(root)
    for question, words in {
        "intent/networks.yaml:28": "spec.mtu of VirtualNetwork/n3",
        "intent/networks.yaml:28:3": "causes 2 objects",
        str(root / "intent/networks.yaml:28"): "virtual-network n3",
        "VirtualNetwork/n3": "SriovNetwork sriov-network-operator/n3",
        "kubernetes:cluster/upf:SriovNetwork:sriov-network-operator/n3": "(leased)",
        "SriovNetwork:sriov-network-operator/n3": "spec.trust",
        "ic2001": "IC2001 —",
    }.items():
        assert run(["explain", question]) == 0, question
        assert words in capsys.readouterr().out, question
    monkeypatch.chdir(tmp_path)
    assert run(["-C", str(root), "explain", "intent/networks.yaml:28"]) == 0, "paths of the repository do too"
    assert "causes 2 objects" in capsys.readouterr().out


def test_a_code_is_explained_to_machines_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "ic2001", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["code"] == "IC2001"
    assert "reference to nothing" in told["text"]


def test_a_file_with_an_unprintable_name_can_be_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "repo"
    shutil.copytree(EXAMPLES / "upf-sriov", root, ignore=shutil.ignore_patterns("rendered"))
    name = os.fsdecode(b"intent/w\xff.yaml")
    (root / "intent/workloads.yaml").rename(root / name)
    line = (root / name).read_text().splitlines().index("  preProvision: true") + 1
    for folder, place in (
        (root, name),
        (root, "intent/w\\udcff.yaml"),
        (tmp_path, name),
        (root, str(root / name)),
    ):
        monkeypatch.chdir(folder)
        assert run(["-C", str(root), "explain", f"{place}:{line}"]) == 0, capsys.readouterr().err
        assert "w\\udcff.yaml:21: spec.preProvision of Workload/upf\n" in capsys.readouterr().out


def test_what_cannot_be_answered_says_why(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example / "notes.txt").write_text("mine\n")
    (example / "rendered" / "alien.conf").write_text("! mine\n")
    for question, words in {
        "IC9999": "no diagnostic is called 'IC9999'",
        "intent/nosuch.yaml:3": "there is no file 'intent/nosuch.yaml'",
        "notes.txt:1": "neither a file of intent nor one that intentc rendered",
        "rendered/alien.conf:1": "neither a file of intent nor one that intentc rendered",
        "nobody": "nothing is called 'nobody'",
        "vpp:node/x:policy:none": "nothing is called",
        "intentc.yaml": "intentc.yaml is a file; name a line of it: intentc.yaml:1",
        "intentc.yaml:999": "intentc.yaml has ",
        "intentc.lock:3": "line 3 belongs to no object\n",
    }.items():
        assert run(["explain", question]) == 1, question
        assert words in capsys.readouterr().err, question


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Clustr/edge", "did you mean 'Cluster/edge'?"),
        ("SRv6Policy/east-to-wst", "did you mean 'SRv6Policy/east-to-west'?"),
    ],
)
def test_the_closest_document_is_proposed(
    question: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLES / "two-datacentres")
    assert run(["explain", question]) == 1
    assert words in capsys.readouterr().err


def place(file: str, text: str) -> str:
    """Return FILE:LINE of the first line that begins with a text."""
    lines = Path(file).read_text().splitlines()
    return f"{file}:{1 + next(at for at, line in enumerate(lines) if line.startswith(text))}"


def test_what_holds_for_a_whole_scope_is_told_in_both_directions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLES / "two-datacentres")

    def told(question: str) -> str:
        assert run(["explain", question]) == 0, question
        return capsys.readouterr().out

    nodes = ", ".join(f"node/edge/{side}-{number}" for side in ("east", "west") for number in (1, 2, 3))
    chosen = place("intent/edge.yaml", "  nodes:")
    assert f"  causes the scopes {nodes}   (nodes of cluster edge)\n" in told(chosen)
    inside = place("intent/edge.yaml", "    matchLabels:")
    assert f"  is part of what causes the scopes {nodes}   (nodes of cluster edge)\n" in told(inside)
    dataplane = told(place("intent/edge.yaml", "  dataplane:"))
    assert f"causes the scopes {nodes}\n" in dataplane, "nothing else names it"
    assert "causes nothing" not in dataplane
    assert "causes the scope router/a1\n" in told(place("intent/underlay.yaml", "    - name: a1"))

    for question in ("vpp:node/edge/west-3:encap:source", "node/edge/west-3"):
        answer = told(question)
        reasons = answer[answer.index("  node/edge/west-3, and all that is in it\n") :]
        assert f"{chosen}:3  spec.nodes of Cluster/edge   (nodes of cluster edge)" in reasons
        assert "metadata.name of Node/west-3   (node of cluster edge)" in reasons

    assert run(["explain", chosen, "--format", "json"]) == 0
    scopes = json.loads(capsys.readouterr().out)["scopes"]
    assert [entry["scope"] for entry in scopes] == nodes.split(", ")
    assert {entry["around"] for entry in scopes} == {False}
    assert scopes[0]["origins"][0]["path"] == ["spec", "nodes"]


def test_a_scope_in_which_nothing_is_rendered_is_caused_by_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLES / "upf-sriov")
    assert run(["explain", place("intent/cluster.yaml", "  dataplane:")]) == 0
    assert "causes nothing that is rendered" in capsys.readouterr().out


def test_what_says_what_a_document_is_stands_for_all_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLES / "two-datacentres")
    answers = set()
    for line in ("apiVersion:", "kind:"):
        assert run(["explain", place("intent/underlay.yaml", line)]) == 0
        told = capsys.readouterr().out
        assert ": the whole document of Underlay/core\n" in told
        answers.add(told.partition("\n")[2])
    assert len(answers) == 1
    assert "causes the scopes router/a1" in answers.pop()


def test_a_rendered_object_that_intent_no_longer_makes_is_told(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = next(path for path in sorted((example / "rendered").rglob("*.yaml")) if "kubernetes" in path.parts)
    other = gone.read_text().replace("key=kubernetes:cluster/", "key=kubernetes:cluster/no", 1)
    (gone.parent / "copy.yaml").write_text(other)
    assert run(["explain", f"{gone.parent / 'copy.yaml'}:2"]) == 1
    assert "the intent no longer makes" in capsys.readouterr().err


def test_a_file_shorter_than_the_line_is_told(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = next((example / "rendered").rglob("*.jsonl"))
    assert run(["explain", f"{file}:99999"]) == 1
    assert "line 99999" in capsys.readouterr().err


def test_a_saved_plan_explains_its_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "repo"
    shutil.copytree(EXAMPLES / "upf-sriov", root, ignore=shutil.ignore_patterns("rendered"))
    monkeypatch.chdir(root)
    assert run(["apply", "--yes"]) == 0
    networks = root / "intent/networks.yaml"
    networks.write_text(networks.read_text().replace("vlan: 1404", "vlan: 1405"))
    line = networks.read_text().splitlines().index("  vlan: 1405") + 1
    assert run(["plan", "--out", "plan.json"]) == 2
    capsys.readouterr()
    assert run(["explain", "sriov-network-operator/n4", "--plan", "plan.json"]) == 0
    told = capsys.readouterr().out
    assert "update kubernetes:cluster/upf:SriovNetwork:sriov-network-operator/n4 of target default" in told
    assert "spec.vlan: 1404 → 1405" in told
    assert f"intent/networks.yaml:{line}:9  spec.vlan of VirtualNetwork/n4" in told
    assert run(["explain", f"intent/networks.yaml:{line}", "--plan", "plan.json", "--format", "json"]) == 0
    actions = json.loads(capsys.readouterr().out)
    assert {entry["key"]["family"] for entry in actions} >= {"kubernetes", "apstra"}
    monkeypatch.chdir(tmp_path)
    for file in ("intent/networks.yaml", "repo/intent/networks.yaml", str(networks)):
        asked = ["-C", "repo", "explain", f"{file}:{line}", "--plan", "repo/plan.json", "--format", "json"]
        assert run(asked) == 0
        assert json.loads(capsys.readouterr().out) == actions
    monkeypatch.chdir(root)
    assert run(["explain", "nobody", "--plan", "plan.json"]) == 1
    assert "does nothing to, or because of, 'nobody'" in capsys.readouterr().err
    assert run(["explain", "n4", "--plan", "nowhere.json"]) == 1


def test_a_policy_is_explained_hop_by_hop(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not (example / "intent/policies.yaml").exists():
        assert run(["explain", "policy", "east-to-west"]) == 1
        assert "no SRv6Policy is called 'east-to-west'" in capsys.readouterr().err
        return
    assert run(["explain", "policy", "east-to-west"]) == 0
    text = capsys.readouterr().out
    assert "a1 ─a1-p1→ p1 ─p1-p3→ p3 ─p3-a2→ a2" in text
    assert "split (explicit, preference 200): in use" in text
    assert "bulk (dynamic, igp, preference 100): valid\n      preference 100 is lower than 200" in text
    assert "a1 ⇉ a2 (over a1-p2, p2-p4-a, p2-p4-b, p4-a2)" in text
    assert run(["explain", "policy", "east-to-west", "--format", "json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    split, bulk = pair["candidates"]
    assert [item["latency"] for item in split["lists"]] == [2100, 6100]
    assert bulk["lists"][0]["sids"] == [{"sid": "fcbb:0:2:e::b", "router": "p2", "link": "p2-p4-b"}]
    assert pair["default"]["latency"] == [5100, 6100]


def test_a_way_that_splits_is_said_with_where_it_ends() -> None:
    # Of equal cost: over b at once, or over a and c to b; the last link found is not the last one travelled.
    legs = [[("s", "b"), ("s", "a"), ("b", "e"), ("a", "c"), ("c", "b")]]
    hops = [[{"from": one, "link": f"{one}-{two}", "to": two} for one, two in leg] for leg in legs]
    cost = {"igp": 1, "te": 1, "latency": 1}
    default = {"sids": [], "legs": hops, "splits": True, **cost}
    pair = {"from": "s", "to": "e", "headends": [], "endpoints": [], "candidates": [], "default": default}
    seen = {"policy": "te", "color": 1, "pairs": [pair]}
    text = "\n".join(line.text for line in lines(seen, full=True))
    assert "s ⇉ e (over s-b, s-a, b-e, a-c, c-b)" in text


def test_a_computed_path_says_what_it_gives_up_and_why_it_is_not_there(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = example / "intent/policies.yaml"
    if not file.exists():
        return
    text = file.read_text()
    file.write_text(text.replace("preference: 100", "preference: 300"))
    assert run(["explain", "policy", "east-to-west"]) == 0
    out = capsys.readouterr().out
    assert "bulk (dynamic, igp, preference 300): in use" in out
    file.write_text(text.replace("excludeAny: [fast]", "excludeAny: [fast, bulk]"))
    assert run(["explain", "policy", "east-to-west"]) == 0
    out = capsys.readouterr().out
    assert "bulk (dynamic, igp, preference 100): not valid" in out
    assert "there would be one without excludeAny bulk, fast, over" in out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["policy", "east-to-wst"], "did you mean 'east-to-west'?"),
        (["policy"], "say which SRv6Policy: core-by-p2, east-to-west, west-to-east"),
        (["Cluster/edge", "east-to-west"], "only a policy has a name behind it, not 'Cluster/edge'"),
    ],
)
def test_a_wrong_question_about_a_policy_is_answered(
    words: list[str], why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLES / "two-datacentres")
    assert run(["explain", *words]) == 1
    assert why in capsys.readouterr().err
