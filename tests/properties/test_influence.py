"""Promise 3: what a mutation of intent changes has an origin that names the mutated field; few name in vain.

The rule is docs/decisions/0017. The suite mutates every field of a part of the documents, always the same;
INTENTC_INFLUENCE=1 (`make influence`) mutates all of them and takes some minutes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from intent.diagnostics import Report
from intent.load import load
from intent.model import Origin
from intent.source import FieldPath, Source
from tests.influence import Repository, Seen, Tally, campaign, judge, mutated, names, read, without
from tests.mutations import Change, Mutation, mutations, sites, words
from tests.repositories import texts

WHOLE = bool(os.environ.get("INTENTC_INFLUENCE"))
PART = 7
"""The suite takes every so-manieth document."""


@cache
def repositories() -> tuple[Repository, ...]:
    return tuple(read(name, several) for name, several in texts().items())


def test_what_changes_is_named_and_little_is_named_in_vain(
    record_property: Callable[[str, object], None],
) -> None:
    tally, number = Tally(), 0
    far = words(data for repository in repositories() for data in repository.data)
    for repository in repositories():
        chosen = []
        for at in range(len(repository.data)):
            number += 1
            if WHOLE or number % PART == 0:
                chosen.append(at)
        campaign(repository, far, tally, chosen)
    record_property("influence", str(tally))
    print(tally)  # noqa: T201 -- the figures of the campaign, shown with pytest -s
    gaps = Counter((f"{gap.key.family}:{gap.key.type}", gap.site, gap.field) for gap in tally.gaps)
    assert gaps == {}
    assert tally.coarse == set()
    assert tally.idle <= 0.10, tally
    assert tally.mutated / tally.sites >= (0.85 if WHOLE else 0.8), tally.stuck


def test_documents_that_come_and_go_are_named_too() -> None:
    tally, tried = Tally(), Counter[str]()
    for repository in repositories():
        for at, data in enumerate(repository.data):
            less = without(repository, at) if data["kind"] != "Project" else None
            if less is None:
                continue
            tried[data["kind"]] += 1
            gone = Mutation((), {}, (Change(at, (), None),))
            judge(repository, gone, less, tally)
            come = Mutation((), {}, (Change(at, None, ()),))
            judge(replace(repository, seen=less), come, repository.seen, tally)
    assert Counter((gap.key.type, gap.site, gap.field) for gap in tally.gaps) == {}
    assert len(tried) >= 10, tried


def test_every_kind_is_mutated_with_every_field_that_it_can_have() -> None:
    kinds: Counter[str] = Counter()
    for repository in repositories():
        for data in repository.data:
            kinds[data["kind"]] += len(list(sites(data)))
    assert set(kinds) == {
        *("Assertion", "Cluster", "ExternalConnection", "Fabric", "FabricAttachment", "Facts", "Node"),
        *("NodeProfile", "Project", "SRv6Policy", "SriovPool", "Underlay", "VirtualNetwork"),
        *("VirtualNetworkRouter", "Workload"),
    }


def test_every_type_of_resource_is_there() -> None:
    made = {f"{key.family}:{key.type}" for repository in repositories() for key in repository.seen}
    assert made >= {
        *("apstra:assignment", "apstra:connectivity-template", "apstra:generic-system"),
        *("apstra:loopback-pool", "apstra:routing-zone", "apstra:subinterface", "apstra:virtual-network"),
        *("cni:conflist", "frr:configuration", "frr:links", "frr:secrets", "frr:static-routes", "frr:vlans"),
        *("kubernetes:BGPPeer", "kubernetes:ConfigMap", "kubernetes:IPPool", "kubernetes:Installation"),
        *("kubernetes:NetworkAttachmentDefinition", "kubernetes:SriovNetwork"),
        *("kubernetes:SriovNetworkNodePolicy", "srpolicy:sr-policy", "workloads:snippet"),
        *("vpp:encap", "vpp:exec", "vpp:localsid", "vpp:policy", "vpp:route", "vpp:steering", "vpp:table"),
    }


def test_a_missing_origin_is_found() -> None:
    repository = next(one for one in repositories() if one.name == "overlay")
    at = next(at for at, data in enumerate(repository.data) if data["kind"] == "Cluster")
    near = words(repository.data)
    all_ = {site.path: found for site, found in mutations(repository.data, at, near, near)}
    several = all_["spec", "srv6", "hopLimit"]
    after = next(seen for mutation in several if (seen := mutated(repository, mutation)))
    found = Tally()
    judge(repository, several[0], after, found)
    assert found.gaps == []

    def bare(seen: Seen) -> Seen:
        kept = tuple(one for one in seen.resource.origins if one.path[-1] != "hopLimit")
        return Seen(seen.digest, replace(seen.resource, origins=kept), seen.why)

    without = replace(repository, seen={key: bare(seen) for key, seen in repository.seen.items()})
    judge(without, several[0], {key: bare(seen) for key, seen in after.items()}, found)
    assert {gap.key.type for gap in found.gaps} == {"encap", "exec"}


SUBNETS: FieldPath = ("spec", "subnets")


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ((*SUBNETS, 0, "cidr"), (*SUBNETS, 0, "cidr"), None, (True, False)),
        (SUBNETS, (*SUBNETS, 0, "cidr"), (*SUBNETS, 0, "cidr"), (True, True)),
        ((*SUBNETS, 0, "cidr"), (*SUBNETS, 0), (*SUBNETS, 0), (True, True)),
        ((*SUBNETS, 1), (*SUBNETS, 0), (*SUBNETS, 0), (False, False)),
        ((*SUBNETS, 1), (*SUBNETS, 1), None, (True, False)),
        (SUBNETS, None, (*SUBNETS, 1), (True, True)),
        (("metadata", "name"), ("metadata", "uid"), ("metadata", "uid"), (True, True)),
        (("spec", "mtu"), ("spec", "vni"), ("spec", "vni"), (False, False)),
    ],
)
def test_what_an_origin_names(
    path: FieldPath, before: FieldPath | None, after: FieldPath | None, expected: tuple[bool, bool]
) -> None:
    report = Report()
    text = "apiVersion: intentc.dev/v1alpha1\nkind: Fabric\nmetadata: {name: a}\nspec: {provider: apstra"
    (intent,) = load([Source("0", f"{text}, apstra: {{blueprint: b}}, switches: [{{name: l}}]}}\n")], report)
    origin, changes = Origin("", intent, path), (Change(0, before, after),)
    assert (names(origin, changes, after=False), names(origin, changes, after=True)) == expected
    elsewhere = (Change(1, before, after),)
    assert not names(origin, elsewhere, after=False)
    assert not names(origin, elsewhere, after=True)
