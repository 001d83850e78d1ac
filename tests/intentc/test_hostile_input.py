"""Input that wants to hurt: each file is refused with its place, at once and in little memory.

The real command runs on each; the file stands beside a good one, in a repository that is good.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from intentc.cli import run
from tests.hostile import HEAD, MIB, PROJECT, check_refusal, intentc

NETWORK = (
    f"{HEAD}kind: VirtualNetwork\nmetadata: {{name: red}}\nspec:\n  attachments: [{{type: bareMetal}}]\n"
)


GOOD = f"""{NETWORK.replace("red", "good")}  extendToFabric: true
---
{HEAD}kind: Fabric
metadata: {{name: dc1}}
spec: {{provider: frr, switches: [{{name: leaf1, loopback: 10.0.0.1, asn: 65001}}]}}
---
{HEAD}kind: FabricAttachment
metadata: {{name: good}}
spec: {{network: good, ports: [{{fabric: dc1, switch: leaf1, port: swp1}}]}}
"""


def named(text: str) -> str:
    """Return a network with another name, as YAML has it."""
    return NETWORK.replace("{name: red}", f"\n  name: {text}")


def bomb(levels: int, first: str, repeat: Callable[[str], str]) -> str:
    """Return aliases of aliases: 9 to the power of `levels` values in a few hundred bytes."""
    rows = [f"l{level + 1}: &l{level + 1} {repeat(f'l{level}')}\n" for level in range(levels)]
    return f"l0: &l0 {first}\n" + "".join(rows)


TEXTS: Mapping[str, tuple[str, str | bytes]] = {
    "bomb of lists": ("IC1012", bomb(9, "[x]", lambda name: f"[{', '.join([f'*{name}'] * 9)}]")),
    "bomb of mappings": (
        "IC1012",
        bomb(9, "{x: 1}", lambda name: "{" + ", ".join(f"k{n}: *{name}" for n in range(9)) + "}"),
    ),
    "alias of itself": ("IC1014", "a: &a [*a]\n"),
    "scalar of 10 MiB": ("IC1004", "a: " + "x" * 10 * MIB),
    "name of 7 MiB": ("IC1023", named("x" * 7 * MIB)),
    "block scalar of 7 MiB": ("IC1016", "a: |\n" + "  x\n" * (7 * MIB // 4)),
    "key of 7 MiB": ("IC1006", "x" * 7 * MIB + ": 1\n"),
    "number of 5,000 digits": ("IC1022", f"{NETWORK}  vni: {'9' * 5000}\n"),
    "lists 10,000 deep": ("IC1011", "[" * 10_000 + "]" * 10_000),
    "lists 10,000 deep, never closed": ("IC1011", "[" * 10_000),
    "lists 4,000,000 deep": ("IC1011", "[" * 4_000_000),
    "mappings 10,000 deep": ("IC1011", "{a: " * 10_000 + "}" * 10_000),
    "blocks 10,000 deep": ("IC1011", "- " * 10_000 + "x\n"),
    "block mappings 1,000 deep": ("IC1011", "".join(f"{' ' * depth}a:\n" for depth in range(1000))),
    "keys that are mappings": ("IC1010", "? " * 10_000 + "x\n"),
    "many unknown fields": ("IC1035", NETWORK + "".join(f"  u{number}: 1\n" for number in range(50_000))),
    "key said twice": ("IC1007", f"{NETWORK}  mtu: 1500\n  mtu: 9000\n"),
    "spec said twice": ("IC1007", f"{NETWORK}spec: {{}}\n"),
    "key said 100,000 times": ("IC1036", "a: 1\n" * 100_000),
    "merge key": ("IC1008", f"{NETWORK}  <<: {{mtu: 9000}}\n"),
    "merge key with an anchor": ("IC1008", f"x: &x {{a: 1}}\n{NETWORK}  <<: *x\n"),
    "tab": ("IC1006", "a:\n\tb: 1\n"),
    "a code to run": ("IC1009", "a: !!python/object/apply:os.system [id]\n"),
    "NUL": ("IC1013", "a: b\0c\n"),
    "only NULs": ("IC1013", b"\0" * 4096),
    "byte-order mark": ("IC1013", f"\ufeff{NETWORK}"),
    "UTF-16": ("IC1005", NETWORK.encode("utf-16")),
    "UTF-16 without a mark": ("IC1013", NETWORK.encode("utf-16-le")),
    "UTF-32": ("IC1005", NETWORK.encode("utf-32")),
    "Latin-1": ("IC1005", named("süd").encode("latin-1")),
    "lone surrogate, escaped": ("IC1006", named('"\\ud800"')),
    "lone surrogate, escaped long": ("IC1006", named('"\\U0000d800"')),
    "lone surrogate, as bytes": ("IC1005", named("\ud800").encode("utf-8", "surrogatepass")),
    "bytes that are no text": ("IC1005", bytes(range(128, 256))),
    "direction changed in a name": ("IC1013", named("red\u202eder")),
    "zero width in a name": ("IC1013", named("red\u200b")),
    "direction changed by an escape": ("IC1013", named('"red\\u202eder"')),
    "zero width by an escape in a label": ("IC1013", named('red\n  labels: {a: "b\\u200b"}')),
    "terminal codes by an escape": ("IC1013", named('red\n  annotations: {"\\e[31m": x}')),
    "other alphabet in a name": ("IC1023", named("r\u0435d")),
    "empty": ("IC1034", ""),
    "only blanks": ("IC1034", " \n\n\t\n"),
    "another version": ("IC1016", NETWORK.replace("v1alpha1", "v2")),
    "version that is a list": ("IC1016", NETWORK.replace("intentc.dev/v1alpha1", "[intentc.dev/v1alpha1]")),
    "kind that is a mapping": ("IC1017", NETWORK.replace("VirtualNetwork", "{a: b}")),
    "no mapping": ("IC1015", "- 1\n" * 1000),
    "marks of a merge": ("IC1006", f"<<<<<<< HEAD\n{NETWORK}=======\n{NETWORK}>>>>>>> other\n"),
}


def repository(root: Path) -> Path:
    (root / "repo" / "intent").mkdir(parents=True)
    (root / "repo" / "intentc.yaml").write_text(PROJECT)
    (root / "repo" / "intent" / "good.yaml").write_text(GOOD)
    return root / "repo"


@pytest.mark.parametrize("case", TEXTS)
def test_a_hostile_text_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    code, text = TEXTS[case]
    root = repository(tmp_path)
    raw = text.encode() if isinstance(text, str) else text
    (root / "intent" / "bad.yaml").write_bytes(raw)
    ran = intentc(root, "validate")
    check_refusal(ran)
    assert re.search(rf"^intent/bad\.yaml:[1-9]\d*:[1-9]\d*: error\[{code}\]: ", ran.text, re.MULTILINE), (
        ran.text
    )


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


ODD_FILES: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "link to a file outside": ("IC1002", link("/etc/passwd")),
    "link upwards": ("IC1002", link("../../outside.yaml")),
    "link to zeros without end": ("IC1002", link("/dev/zero")),
    "link to a terminal": ("IC1002", link("/dev/tty")),
    "link to what one process sees": ("IC1002", link("/proc/self/environ")),
    "link to itself": ("IC1001", link("bad.yaml")),
    "link to nothing": ("IC1001", link("gone.yaml")),
    "link to a folder": ("IC1001", link("..")),
    "pipe": ("IC1003", os.mkfifo),
}


@pytest.mark.parametrize("case", ODD_FILES)
def test_what_is_no_file_of_the_repository_is_refused(case: str, tmp_path: Path) -> None:
    code, make = ODD_FILES[case]
    root = repository(tmp_path)
    (tmp_path / "outside.yaml").write_text(NETWORK)
    make(root / "intent" / "bad.yaml")
    ran = intentc(root, "validate")
    check_refusal(ran)
    assert f"intent/bad.yaml: error[{code}]: " in ran.text


@pytest.mark.parametrize(
    "field", ["intent: [../*.yaml]", "facts: [/etc/*]", "ledger: ../x", "ledger: a/../../x"]
)
def test_a_project_that_points_outside_is_refused(field: str, tmp_path: Path) -> None:
    root = repository(tmp_path)
    (root / "intentc.yaml").write_text(PROJECT.replace("spec: {}", f"spec:\n  {field}"))
    ran = intentc(root, "validate")
    check_refusal(ran)
    assert re.search(r"^intentc\.yaml:5:\d+: error\[IC1024\]: ", ran.text, re.MULTILINE), ran.text


ROUTERS = """kind: VirtualNetworkRouter
metadata: {name: %s}
spec: {type: %s, networks: {names: [good]}, imports: [%s]}
"""
CIRCLES: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "a router that imports itself": (1, (ROUTERS % ("a", "mesh", "a"),)),
    "three hubs that import each other": (
        1,
        tuple(ROUTERS % (one, "hub", other) for one, other in ("ab", "bc", "ca")),
    ),
    "meshes that import each other, as they should": (
        0,
        tuple(ROUTERS % (one, "mesh", other) for one, other in ("ab", "ba")),
    ),
}


@pytest.mark.parametrize("case", CIRCLES)
def test_a_circle_of_references_comes_to_an_end(case: str, tmp_path: Path) -> None:
    code, documents = CIRCLES[case]
    root = repository(tmp_path)
    (root / "intent" / "bad.yaml").write_text("---\n".join(HEAD + document for document in documents))
    run(["-C", str(root), "ledger", "update"])
    ran = intentc(root, "validate")
    if code:
        check_refusal(ran)
        assert "intent/bad.yaml:" in ran.text
    else:
        assert (ran.code, ran.is_quick) == (0, True), ran.text


LEDGERS: Mapping[str, tuple[str, str | bytes]] = {
    "empty": ("IC1034", ""),
    "no header": ("IC2501", "VirtualNetwork/good vni 5\n"),
    "header only, cut": ("IC2502", "# intentc led\nVirtualNetwork/good vni\n"),
    "of the future": ("IC2501", "# intentc ledger 2: leases\nVirtualNetwork/good vni 5\n"),
    "marks of a merge": ("IC2502", "# intentc ledger 1: x\n<<<<<<< ours\nVirtualNetwork/good vni 5\n"),
    "an id leased twice": (
        "IC2504",
        "# intentc ledger 1: x\nVirtualNetwork/good vni 1000005\nX/y vni 1000005\n",
    ),
    "an owner leased twice": (
        "IC2504",
        "# intentc ledger 1: x\nVirtualNetwork/good vni 1000005\nVirtualNetwork/good vni 1000006\n",
    ),
    "outside its pool": ("IC2507", f"# intentc ledger 1: x\nVirtualNetwork/good vni {'9' * 5000}\n"),
    "terminal codes": ("IC2504", "# intentc ledger 1: x\n\x1b[31mA vni 7\n\x1b[31mB vni 7\n"),
    "not UTF-8": ("IC1005", b"# intentc ledger 1: x\nVirtualNetwork/good vni \xff\n"),
    "NULs": ("IC2502", b"\0" * 4096),
    "a megabyte on one line": ("IC2502", "x " * MIB),
    "100,000 clashes": (
        "IC2504",
        "# intentc ledger 1: x\n" + "".join(f"X/{n} vni 5\n" for n in range(100_000)),
    ),
    "200,000 lines that are none": ("IC2502", "# intentc ledger 1: x\n" + "x\n" * 200_000),
    "too large": ("IC1004", "# intentc ledger 1: x\n" * MIB),
}


@pytest.mark.parametrize("case", LEDGERS)
def test_a_corrupt_ledger_is_refused_and_kept(case: str, tmp_path: Path) -> None:
    code, text = LEDGERS[case]
    root = repository(tmp_path)
    raw = text.encode() if isinstance(text, str) else text
    (root / "intentc.lock").write_bytes(raw)
    ran = intentc(root, "validate")
    check_refusal(ran)
    assert re.search(rf"^intentc\.lock:[1-9]\d*:[1-9]\d*: error\[{code}\]: ", ran.text, re.MULTILINE), (
        ran.text
    )
    if code != "IC2504":  # two leases of one id are what an update mends
        assert run(["-C", str(root), "ledger", "update"]) == 1
        assert (root / "intentc.lock").read_bytes() == raw


# Missing input is never empty input


def applied(tmp_path: Path) -> tuple[Path, int]:
    """Return a repository as `init` makes it, applied; and how many files its target holds."""
    root = tmp_path / "repo"
    for words in (["init", str(root)], ["-C", str(root), "apply", "--yes"]):
        assert run(words) == 0
    return root, rendered(root)


def rendered(root: Path) -> int:
    return sum(path.is_file() for path in (root / "rendered").rglob("*"))


LOSSES: Mapping[str, tuple[str, Callable[[Path], object]]] = {
    "every file of intent": ("IC1033", lambda root: shutil.rmtree(root / "intent")),
    "the name of the folder of intent": ("IC1033", lambda root: (root / "intent").rename(root / "elsewhere")),
    "what a file says": ("IC1034", lambda root: (root / "intent" / "policy.yaml").write_text("")),
    "the ledger": ("IC2503", lambda root: (root / "intentc.lock").unlink()),
    "what the ledger says": ("IC1034", lambda root: (root / "intentc.lock").write_text("")),
    "the project": ("IC1030", lambda root: (root / "intentc.yaml").unlink()),
    "what the project says": ("IC1031", lambda root: (root / "intentc.yaml").write_text("")),
}


@pytest.mark.parametrize("case", LOSSES)
def test_what_is_lost_deletes_nothing(case: str, tmp_path: Path) -> None:
    code, lose = LOSSES[case]
    root, before = applied(tmp_path)
    lose(root)
    for words in (["plan"], ["apply", "--yes"]):
        ran = intentc(root, *words)
        check_refusal(ran)
        assert f"error[{code}]" in ran.text
    assert rendered(root) == before > 0


def test_intent_that_says_nothing_on_purpose_meets_the_brake(tmp_path: Path) -> None:
    root, before = applied(tmp_path)
    for path in (root / "intent").iterdir():
        path.unlink()
    (root / "intent" / "nothing.yaml").write_text("# all of it was taken down\n")
    here = ["-C", str(root)]
    assert run([*here, "ledger", "update"]) == 0
    assert run([*here, "plan"]) == 2
    assert run([*here, "apply", "--yes"]) == 1
    assert rendered(root) == before
