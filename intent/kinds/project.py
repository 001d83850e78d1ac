"""Project (`intentc.yaml`): the root of a repository — files of intent, ids that we own, where changes go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import takewhile
from posixpath import normpath
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from intent.model import Model, Ref, Spec, repeated
from intent.scalars import (
    Label,
    Name,
    TableRanges,
    Text,
    VlanRanges,
    VniRanges,
    ranges_of,
    wrong,
)

Family = Literal["vpp", "linux", "cni", "kubernetes", "workloads", "srpolicy", "fabric", "apstra", "frr"]
"""What a target takes: node data planes (VPP, Linux), CNI files of nodes, Kubernetes objects, lines for
workloads, SR policies for BGP, the neutral fabric blueprint, Apstra, FRR text."""

TargetType = Literal["directory", "vpp", "linux", "gobgp", "overlay"]
FIELDS: Final[dict[TargetType, frozenset[str]]] = {
    "directory": frozenset({"path", "families", "clusters", "fabrics"}),
    "vpp": frozenset({"node", "socket"}),
    "linux": frozenset({"node", "netns"}),
    "gobgp": frozenset({"address", "clusters"}),
    "overlay": frozenset({"clusters", "kubeconfig", "context", "namespace"}),
}
"""What a target of each type is told, beside its name."""
PLACES: Final[dict[TargetType, tuple[str, str]]] = {
    "vpp": ("socket", "the VPP at"),
    "linux": ("netns", "the kernel of"),
    "gobgp": ("address", "the GoBGP at"),
}
"""Which field says where a target is, and in words what is there: two targets never share it."""
TAKEN: Final[dict[TargetType, tuple[Family, ...]]] = {
    "directory": (),
    "vpp": ("vpp",),
    "linux": ("linux",),
    "gobgp": ("srpolicy",),
    "overlay": ("vpp", "linux"),
}
"""The only families that a target of each type can take; any, where it is empty."""
ADDRESS: Final = re.compile(r"unix:.+|(\[[0-9a-fA-F:.%]+\]|[^:/\[\]\s]+):[0-9]{1,5}")
"""Where a gRPC API listens: host and port (an IPv6 address in brackets), or a socket."""
_OWN: Final = "give it a folder of its own, such as rendered"


class Pools(Model):
    """Ids that intentc hands out where nothing is pinned. Fabrics and clusters may narrow them."""

    vlan: VlanRanges = ranges_of((100, 3999))
    """VLAN ids of networks in fabrics."""
    vni: VniRanges = ranges_of((1_000_000, 1_999_999))
    """Layer-2 VNIs, unique over all fabrics."""
    l3vni: VniRanges = ranges_of((2_000_000, 2_099_999))
    """Layer-3 VNIs of routing zones, unique over all fabrics."""
    table_id: TableRanges = ranges_of((1000, 9999))
    """Routing tables of overlay VRFs on nodes."""
    sid_function: TableRanges = ranges_of((256, 65_534))
    """Function part of service SIDs, the same on every node of a cluster."""


class Target(Model):
    """One place that changes are applied to."""

    name: Name
    """Name in plans and reports."""
    type: TargetType = "directory"
    """Driver: `directory` keeps a tree of rendered files; `vpp` and `linux` program the data plane of a node,
    from the node itself; `gobgp` announces SR policies; `overlay` writes NodeOverlay objects for agents."""
    path: Text = "rendered"
    """Folder of a `directory` target, relative to the repository."""
    families: tuple[Family, ...] = ()
    """Take only these kinds of output; all, where it is empty (`directory`)."""
    clusters: tuple[Annotated[Name, Ref("Cluster")], ...] = ()
    """Take only these clusters and their nodes; everything, where neither clusters nor fabrics are said."""
    fabrics: tuple[Annotated[Name, Ref("Fabric")], ...] = ()
    """Take only these fabrics; everything, where neither clusters nor fabrics are said (`directory`)."""
    node: Annotated[Name, Ref("Node")] | None = None
    """The node whose data plane it is (`vpp`, `linux`)."""
    socket: Text = "/run/vpp/api.sock"
    """API socket of VPP (`vpp`)."""
    netns: Text | None = None
    """Network namespace of the data plane, by name; that of intentc itself, where not said (`linux`)."""
    address: Text = "127.0.0.1:50051"
    """Host and port of GoBGP's gRPC API (`gobgp`)."""
    kubeconfig: Text | None = None
    """Kubeconfig file; the usual ones or the service account, where not said (`overlay`)."""
    context: Text | None = None
    """Context of the kubeconfig; the current one, where not said (`overlay`)."""
    namespace: Label = "intentc-system"
    """Namespace of the NodeOverlay objects (`overlay`)."""

    @property
    def folder(self) -> str:
        """Its folder in one form, as a `directory` target has it."""
        return normpath(self.path)

    @property
    def place(self) -> str:
        """Where it is, in words; empty where only its name tells it from others."""
        if self.type not in PLACES:
            return ""
        field, words = PLACES[self.type]
        said = getattr(self, field)
        return f"{words} {said!r}" if said else f"{words} this machine"

    @model_validator(mode="after")
    def _fields(self) -> Self:
        allowed = FIELDS[self.type]
        for field in sorted(self.model_fields_set - allowed - {"name", "type"}):
            raise wrong(f"{field!r} means nothing to a target of type {self.type}", "leave it out", field)
        if self.type == "gobgp" and not self.clusters:
            hint = "say them: clusters: [NAME]; by their names policies of ours are known"
            raise wrong("a target of type gobgp announces the policies of chosen clusters", hint, "clusters")
        if "node" in allowed and self.node is None:
            raise wrong(f"a target of type {self.type} is one node", "say which: node: NAME", "node")
        if not ADDRESS.fullmatch(self.address):
            hint = "write for example 127.0.0.1:50051, [::1]:50051 or unix:///run/gobgp.sock"
            raise wrong(f"{self.address!r} is not HOST:PORT", hint, "address")
        return self


class DeletionBrake(Model):
    """How much of one type of object may be deleted without a named approval."""

    percent: Annotated[int, Field(strict=True, ge=0, le=100)] = 20
    """Share of the objects of a type, in percent …"""
    few: Annotated[int, Field(strict=True, ge=0, le=10000)] = 3
    """… or this many of them, whatever their share is. The last object of a type always needs an approval."""


class Signers(Model):
    """Who may change some files: the commits that do must be signed with one of these keys."""

    paths: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The files, as patterns relative to this file; `core/**` is everything below `core`."""
    allowed_signers: Text
    """File with the keys, relative to this file: allowed signers of ssh-keygen, or public keys of GPG."""
    method: Literal["ssh", "gpg"] = "ssh"
    """How commits are signed."""


class Gates(Model):
    """What stops a change."""

    deletion_brake: DeletionBrake = DeletionBrake()
    """Brake on mass deletion."""
    signers: tuple[Signers, ...] = ()
    """Signatures that `intentc run` asks for; a commit is judged by the rules of the one before it."""


class ProjectSpec(Spec):
    """Which files hold intent, which ids may be allocated, and where changes go."""

    intent: tuple[Text, ...] = ("intent/**/*.yaml", "intent/**/*.yml")
    """Files of intent, as patterns relative to this file."""
    facts: tuple[Text, ...] = ("facts/*.yaml",)
    """Files of facts: what others decide (Calico's SIDs, pod placements, link states)."""
    ledger: Text = "intentc.lock"
    """The file of leases; written by `intentc ledger update` only."""
    pools: Pools = Pools()
    """Ranges of ids that are allocated where nothing is pinned."""
    targets: tuple[Target, ...] = Field(default=(Target(name="default"),))
    """Where changes go; by default a folder `rendered`."""
    gates: Gates = Gates()
    """What stops a change."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: Project
metadata:
  name: metro
spec:
  pools:
    vni: 100000-199999
    vlan: [100-1999, 3000-3499]
  targets:
    - name: review
      type: directory
      path: rendered
"""

    @model_validator(mode="after")
    def _targets(self) -> Self:
        twin = repeated(target.name for target in self.targets)
        if twin:
            words = f"two targets are called {twin[1]!r}"
            raise wrong(words, "rename one of them", "targets", twin[0], "name")
        same = repeated(target.place or target.name for target in self.targets)
        if same:
            field, _ = PLACES[self.targets[same[0]].type]
            hint = "each would take away what the other brings; make them one, or give each its own place"
            raise wrong(f"two targets are {same[1]}", hint, "targets", same[0], field)
        for index, target in enumerate(self.targets):
            for before in self.targets[:index]:
                if _share(target, before):
                    words = f"targets {before.name!r} and {target.name!r} write the same NodeOverlay objects"
                    hint = "name other clusters, or another namespace"
                    raise wrong(words, hint, "targets", index, "clusters")
        return self

    @model_validator(mode="after")
    def _folders(self) -> Self:
        seen: list[Target] = []
        for index, target in enumerate(self.targets):
            if target.type != "directory":
                continue
            for other in seen:
                if _overlap(target.folder, other.folder):
                    outer = min(target.folder, other.folder, key=len)
                    words = f"targets {other.name!r} and {target.name!r} both write into {outer!r}"
                    hint = "each would find files of the other: give them folders side by side"
                    raise wrong(words, hint, "targets", index, "path")
            for what in _in_the_way(target.folder, self):
                raise wrong(f"target {target.name!r} would write {what}", _OWN, "targets", index, "path")
            seen.append(target)
        return self

    @model_validator(mode="after")
    def _paths(self) -> Self:
        places: list[tuple[str, tuple[str | int, ...]]] = [(self.ledger, ("ledger",))]
        places += [(text, ("intent", index)) for index, text in enumerate(self.intent)]
        places += [(text, ("facts", index)) for index, text in enumerate(self.facts)]
        places += [(target.path, ("targets", index, "path")) for index, target in enumerate(self.targets)]
        for index, rule in enumerate(self.gates.signers):
            below: tuple[str | int, ...] = ("gates", "signers", index)
            places.append((rule.allowed_signers, (*below, "allowedSigners")))
            places += [(text, (*below, "paths", number)) for number, text in enumerate(rule.paths)]
        for text, at in places:
            steps = text.split("/")
            if text.startswith("/") or ".." in steps:
                raise wrong(f"{text!r} leaves the repository", "paths are relative to intentc.yaml", *at)
            # Python knows ** only as a whole step, and some of its versions refuse anything else.
            patterns = not {"intent", "facts", "paths"}.isdisjoint(at)
            if patterns and (text == "." or any("**" in step != "**" for step in steps)):
                raise wrong(f"{text!r} is not a pattern of files", "write for example intent/**/*.yaml", *at)
        return self


def _overlap(one: str, other: str) -> bool:
    """Say whether two paths are the same, or one lies in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _in_the_way(folder: str, spec: ProjectSpec) -> Iterator[str]:
    """Yield, in words, where a folder of rendered files would lie among files that are not rendered."""
    if folder.startswith(".."):  # told by the rule on paths
        return
    if folder == ".":
        yield "among the files of the repository"
    if _overlap(folder, ".git"):
        yield "into git's own folder"
    for file in ("intentc.yaml", normpath(spec.ledger)):
        if _overlap(folder, file):
            yield f"into {folder!r}, where {file} lies"
    for pattern in (*spec.intent, *spec.facts):
        if _reads(pattern, folder):
            yield f"into {folder!r}, where {pattern} reads"


def _reads(pattern: str, folder: str) -> bool:
    """Say whether a pattern reads files at any depth below a folder, or from a folder in it."""
    steps, names = pattern.split("/"), folder.split("/")
    plain = list(takewhile(lambda step: not set("*?[") & set(step), steps[:-1]))
    if plain[: len(names)] == names:
        return True
    head = steps[: steps.index("**")] if "**" in steps else names + steps  # without **, depth is bounded
    below = names[len(head) :]
    # What is hidden is no file of intent.
    return (
        len(head) <= len(names)
        and all(map(fnmatchcase, names, head))
        and not any(name.startswith(".") for name in below)
    )


def _share(one: Target, other: Target) -> bool:
    """Say whether two targets write NodeOverlay objects of one cluster to one place."""
    places = [(item.type, item.kubeconfig, item.context, item.namespace) for item in (one, other)]
    apart = bool(one.clusters and other.clusters) and not set(one.clusters) & set(other.clusters)
    return one.type == "overlay" and places[0] == places[1] and not apart
