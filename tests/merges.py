"""Two branches that change the same intent, each with its ledger, and what a real `git merge` makes of them.

A pair is a base and two branches, each changed at random: networks come, go, grow, shrink and are renamed,
servers come and go. All commits of a campaign are made by one `git fast-import`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from ipaddress import ip_network
from itertools import combinations
from pathlib import Path
from random import Random

from compiler.ledger.allocate import update
from compiler.ledger.leases import Ledger, domain, parse_ledger, write_ledger
from compiler.passes import check_intent, compile_intent
from intent.diagnostics import Diagnostic, Report, as_text
from intent.files import Folder
from intent.repository import open_repository
from intentc.history import settled_ledger
from tests.ledgers import codes, drawn, network, pools, tried, world
from tests.support import PROJECT, documents

FABRICS = ("dc1", "dc2", "dc3")
LEDGER = "intentc.lock"
FABRIC = """kind: Fabric
metadata: {{name: {0}}}
spec:
  provider: frr
  switches: [{{name: leaf1, loopback: 10.0.0.1, asn: 65001}}]
"""
CLUSTER = """kind: Cluster
metadata: {name: edge}
spec:
  nodes: {all: true}
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs: {ipv4: 10.64.0.0/19, ipv6: "fd64::/106"}
  blockSizes: {ipv4: 24, ipv6: 112}
  srv6: {localsids: "fcdd:1::/48", policies: "cafe:1::/112"}
"""
UNDERLAY = """kind: Underlay
metadata: {name: core}
spec:
  routers: [{name: p1, site: dc1, loopback: "fd00:0:1::1", locator: "fcbb:0:1::/48"}]
"""
SERVER = """kind: Node
metadata: {{name: w{0}}}
spec:
  ipv6: "fd11::{0}"
  uplink: {{router: p1, interface: eth0, nextHop: "fd11::ffff"}}
"""
"""Few blocks for pods: two branches often draw the same one."""
CHOICES = frozenset({"IC2506", "IC2508", "IC2510"})
"""What only a person can decide: a pin or an older lease stands against another, or two claim one name."""
Tree = Mapping[str, str]
"""Text by file name."""


@dataclass(frozen=True, slots=True)
class World:
    """Networks with the fabrics they reach and the name they had before, and servers."""

    networks: Mapping[str, tuple[tuple[str, ...], str]]
    servers: frozenset[int]

    def intent(self) -> dict[str, str]:
        """Return one file for each thing, as people keep them."""
        found = {f"intent/{name}.yaml": FABRIC.format(name) for name in FABRICS}
        found |= {"intent/edge.yaml": CLUSTER, "intent/underlay.yaml": UNDERLAY}
        for name, (reach, old) in self.networks.items():
            meta = f", moved: [{old}]" if old else ""
            found[f"intent/{name}.yaml"] = network(name, *reach, meta=meta)
        found |= {f"intent/w{number}.yaml": SERVER.format(number) for number in self.servers}
        return {name: documents(text) for name, text in sorted(found.items())}

    def changed(self, rng: Random, mark: str) -> World:
        """Return the world after one to four changes; `mark` is in the names that the branch makes up."""
        networks, servers = dict(self.networks), set(self.servers)
        for _ in range(rng.randint(1, 4)):
            what = rng.choice(("add", "add", "add", "same", "remove", "reach", "rename", "server", "leave"))
            known = rng.choice(sorted(networks)) if networks else ""
            reach = tuple(sorted(rng.sample(FABRICS, rng.randint(1, 3))))
            if what in ("add", "same") or not known:
                # The same name in both branches is rare, and then git asks a person which one is meant.
                networks[f"n{mark if what == 'add' else ''}{rng.randrange(20)}"] = reach, ""
            elif what == "remove":
                del networks[known]
            elif what == "reach":
                networks[known] = reach, networks[known][1]
            elif what == "rename" and not networks[known][1]:
                networks[f"{known}-{mark}"] = networks.pop(known)[0], known
            elif what == "server":
                servers.add(rng.randrange(2, 40))
            else:  # the first one stays: a cluster needs a node
                servers = {1, *sorted(servers)[: rng.randint(0, len(servers))]}
        return World(networks, frozenset(servers))


@dataclass(frozen=True, slots=True)
class Pair:
    """A base and two branches, as files."""

    number: int
    base: Tree
    ours: Tree
    theirs: Tree


@dataclass(slots=True)
class Figures:
    """What became of the merges of a campaign."""

    pairs: int = 0
    conflicts: int = 0
    """Merges in which git found a conflict in the ledger."""
    disputes: int = 0
    """Merges in which git found a conflict in intent, settled for our side."""
    compiled: int = 0
    """Merges whose ledger was good as it is."""
    mended: int = 0
    """Merges whose ledger was refused, and mended by an update …"""
    moved: int = 0
    """… in which two branches had taken the same id, and one of them got another."""
    chosen: int = 0
    """Merges whose ledger was refused, and where a person must choose."""
    wrong: list[str] = field(default_factory=list)


def pairs(count: int, first: int = 0) -> Iterator[Pair]:
    """Yield random pairs whose branches can be drawn by themselves; every other one has very small pools."""
    number = first
    while count:
        pair = _pair(number)
        number += 1
        if pair is not None:
            count -= 1
            yield pair


def _pair(number: int) -> Pair | None:
    rng = Random(number)  # noqa: S311 -- worlds, not secrets
    project = pools(vlan="100-139", vni="5000-5039") if number % 2 else PROJECT
    start = World(
        {f"n{at}": (tuple(rng.sample(FABRICS, rng.randint(1, 3))), "") for at in range(rng.randrange(8))},
        frozenset({1, *(rng.randrange(2, 40) for _ in range(rng.randrange(6)))}),
    )
    base = start.intent()
    ledger = drawn(world(*base.values(), project=project))
    sides = []
    for mark in "ab":
        files_ = start.changed(rng, mark).intent()
        text, report = tried(world(*files_.values(), project=project), ledger)
        if report.failed:
            return None  # a network that grew met a taken VLAN on its own branch
        sides.append({**files_, LEDGER: text})
    rest = {"intentc.yaml": project, ".gitattributes": attributes()}
    return Pair(number, {**base, LEDGER: ledger, **rest}, {**sides[0], **rest}, {**sides[1], **rest})


def attributes() -> str:
    """Return the file that `intentc init` writes."""
    return (files("intentc") / "skeleton" / "gitattributes").read_text(encoding="utf-8")


class Git:
    """A repository with the branches base, ours and theirs of many pairs."""

    def __init__(self, root: Path, several: Iterable[Pair], *, driver: bool = True) -> None:
        self.root = root
        root.mkdir()
        self.run("init", "-q", "-b", "main")
        stream = b"".join(_commits(pair, driver=driver) for pair in several)
        subprocess.run(["git", "-C", str(root), "fast-import", "--quiet"], input=stream, check=True)

    def run(self, *words: str) -> tuple[int, str]:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", "-C", str(self.root), *who, *words], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    def merge(self, number: int) -> tuple[str, ...]:
        """Merge theirs into ours; return the files with conflicts, which are settled for our side."""
        code, _ = self.run("checkout", "-q", "-f", f"ours-{number}")
        assert code == 0
        code, _ = self.run("merge", "-q", "--no-edit", f"theirs-{number}")
        if code == 0:
            return ()
        _, listing = self.run("ls-files", "--unmerged", "-z")
        disputed = sorted({entry.partition("\t")[2] for entry in listing.split("\0")[:-1]})
        assert disputed, "git refused for another reason"
        for path in disputed:
            if self.run("checkout", "-q", "HEAD", "--", path)[0]:
                self.run("rm", "-q", "-f", "--", path)
        return tuple(disputed)


def _commits(pair: Pair, *, driver: bool) -> bytes:
    rows: list[bytes] = []
    for name, tree in (("base", pair.base), ("ours", pair.ours), ("theirs", pair.theirs)):
        rows += [
            f"commit refs/heads/{name}-{pair.number}\n".encode(),
            b"committer t <t@e> 0 +0000\ndata 1\nx\n",
        ]
        rows.append(b"" if name == "base" else f"from refs/heads/base-{pair.number}\n".encode())
        rows.append(b"deleteall\n")
        for path, text in tree.items():
            if driver or path != ".gitattributes":
                raw = text.encode()
                rows.append(f"M 100644 inline {path}\ndata {len(raw)}\n".encode() + raw + b"\n")
    return b"".join([*rows, b"\n"])


# What a merged repository must be


def judge(git: Git, pair: Pair, figures: Figures) -> None:
    """Merge a pair, and count what became of it; whatever breaks a promise is noted as wrong."""
    figures.pairs += 1
    disputes = git.merge(pair.number)
    figures.disputes += bool(set(disputes) - {LEDGER})
    figures.conflicts += LEDGER in disputes
    if LEDGER in disputes:
        figures.wrong.append(f"{pair.number}: git asks about the ledger, in spite of its driver")
        return
    text = (git.root / LEDGER).read_text(encoding="utf-8")
    found = _compiled(git.root)
    if not found.failed:
        figures.compiled += 1
        figures.wrong += [f"{pair.number}: {fault}" for fault in faults(text, _renamed(git.root))]
        return
    said = set(codes(found))
    figures.wrong += [f"{pair.number}: {entry}" for entry in found.sorted() if not _has_both_lines(entry)]
    settled = settled_ledger(git.root, LEDGER)
    mended, report = _updated(git.root, settled)
    if report.failed:
        figures.chosen += 1
        if not set(codes(report)) <= CHOICES:
            figures.wrong.append(f"{pair.number}: an update does not mend {said}: {codes(report)}")
        return
    figures.mended += 1
    figures.moved += "IC2504" in said
    (git.root / LEDGER).write_text(mended, encoding="utf-8")
    if _compiled(git.root).failed:
        figures.wrong.append(f"{pair.number}: a mended ledger does not compile")
    figures.wrong += [f"{pair.number}: {fault}" for fault in faults(mended, _renamed(git.root))]
    figures.wrong += [f"{pair.number}: {row} moved" for row in _lost(pair.ours[LEDGER], mended)]


def _compiled(root: Path) -> Report:
    report = Report()
    found, _ = open_repository(Folder(root), report)
    assert found is not None
    assert not report.failed, report.sorted()
    compile_intent(found.project, found.intents, found.facts, found.ledger, report)
    return report


def _updated(root: Path, settled: Ledger | None) -> tuple[str, Report]:
    report = Report()
    found, _ = open_repository(Folder(root), report)
    assert found is not None
    resolved = check_intent(found.project, found.intents, found.facts, report)
    assert resolved is not None, as_text(report.sorted(), found.texts)
    return write_ledger(update(resolved, parse_ledger(found.ledger, report), settled, report)), report


def _has_both_lines(entry: Diagnostic) -> bool:
    """Say whether a clash names two lines of the ledger."""
    if entry.code != "IC2504":
        return True
    places = [entry.span, *(place.span for place in entry.related)]
    return len({place.line for place in places if place.file == LEDGER and place.line}) > 1


def faults(text: str, names: Mapping[str, str]) -> Iterator[str]:
    """Yield what is held twice in a ledger, judged by its lines alone, not by the compiler.

    `names`: present names of documents (Kind/name) by earlier ones.
    """
    rows = [row.split() for row in text.splitlines() if not row.startswith("#")]
    holders: dict[tuple[str, str], str] = {}
    values: dict[tuple[str, str], str] = {}
    for who, pool, value, *freed in rows:
        head, rest = "/".join(who.split("/")[:2]), who.split("/")[2:]
        owner = "/".join([names.get(head, head), *rest])
        if holders.setdefault((domain(pool), value), owner) != owner:
            yield f"{pool} {value} is taken twice"
        if not freed and values.setdefault((owner, pool), value) != value:
            yield f"{owner} holds two of {pool}"
    blocks = [(domain(row[1]), ip_network(row[2])) for row in rows if "/" in row[2]]
    for (here, one), (there, two) in combinations(dict.fromkeys(blocks), 2):
        if here == there and one.version == two.version and one != two and one.overlaps(two):
            yield f"{one} overlaps {two}"


def _renamed(root: Path) -> dict[str, str]:
    """Return the present name of every document that had another one before, and is not there under it."""
    found, _ = open_repository(Folder(root), Report())
    assert found is not None
    present = {intent.subject for intent in found.intents}
    return {
        f"{intent.kind}/{old}": intent.subject
        for intent in found.intents
        for old in intent.meta.moved
        if f"{intent.kind}/{old}" not in present
    }


def _lost(ours: str, mended: str) -> Iterator[str]:
    """Yield leases of our side whose owner is still there, and holds another value now."""
    rows = [row.split() for row in mended.splitlines() if not row.endswith(" freed")]
    after = {(row[0], row[1]): row[2] for row in rows}
    for row in ours.splitlines():
        owner, pool, value, *freed = row.split()
        if row.startswith("#") or freed:
            continue
        if after.get((owner, pool), value) != value:
            yield row


def conflict_rate(root: Path, several: Iterable[Pair]) -> int:
    """Return in how many pairs git finds a conflict in the ledger when nothing says how to merge it."""
    known = list(several)
    git = Git(root, known, driver=False)
    return sum(LEDGER in git.merge(pair.number) for pair in known)
