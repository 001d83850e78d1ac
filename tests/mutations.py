"""Mutations of intent: for every field that a document has or could have, other values of the same type.

Sites are found by walking the model of a kind and the document side by side, so a new field of the language
is mutated from the day it is there. Whether a mutation goes with the rest of the intent is for the compiler
to say.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from intent.load import envelope
from intent.source import FieldPath
from tests.values import ABSENT, Site, Words, bare, guess, rebased, refs, text_like, values

FIXED: Final = frozenset({("apiVersion",), ("kind",), ("metadata", "annotations"), ("metadata", "moved")})
"""What no resource can come from: what makes the document one, notes for others, and earlier names."""
ALTERNATIVES: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "SecretRef": (frozenset({"env"}), frozenset({"file"}), frozenset({"kubernetes"})),
    "Place": tuple(frozenset({one}) for one in ("network", "cluster", "node", "external")),
    "Segment": (frozenset({"sid"}), frozenset({"router", "link"})),
    "CandidatePath": (frozenset({"explicit"}), frozenset({"dynamic"})),
    "StaticPort": (
        frozenset({"fabric", "switch", "port"}),
        frozenset({"node", "nic"}),
        frozenset({"node", "bond"}),
    ),
    "Selector": (frozenset({"all"}), frozenset({"names", "matchLabels", "matchExpressions"})),
    "AssertionSpec": tuple(frozenset({one}) for one in ("reach", "isolate", "path", "latency", "survives")),
}
"""Models that are said in one of several ways: the fields of the other ways are no fields of the document."""
_TAGS_ITSELF: Final = {"tagging": "pod", "vlanQos": ABSENT, "vlanProto": ABSENT}
_INSIDE: Final = {"gateway": "none", "vni": ABSENT, "vlan": ABSENT, "dhcpRelay": ABSENT}
TOGETHER: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("VirtualNetworkSpec", "extendToFabric"): _INSIDE,
    ("VirtualNetworkSpec", "dhcpRelay"): {"gateway": "fabric", "extendToFabric": True},
    ("VirtualNetworkSpec", "gateway"): {"extendToFabric": True, "dhcpRelay": ABSENT},
    ("VirtualNetworkSpec", "vni"): {"extendToFabric": True},
    ("VirtualNetworkSpec", "vlan"): {"extendToFabric": True},
    **{(model, "trunkVlans"): _TAGS_ITSELF for model in ("SriovAttachment", "SriovBondAttachment")},
    ("Cable", "switch"): {"port": "swp{n+70}"},
    ("Cable", "fabric"): {"port": "swp{n+70}"},
}
"""Fields of the same object that may have to change with a field."""


class Change(NamedTuple):
    """One field of one document before and after: None where it is an item that is on one side only."""

    document: int
    before: FieldPath | None
    after: FieldPath | None


class Mutation(NamedTuple):
    """Documents after a mutation, and every field that it touched."""

    site: FieldPath
    data: Mapping[int, Any]
    changes: tuple[Change, ...]


def words(documents: Iterable[Any]) -> Words:
    """Return what stands in documents."""
    found = Words()
    for data in documents:
        found.names[data["kind"]].append(re.sub(r"\{n[^}]*\}", "1", data["metadata"]["name"]))
        for site in sites(data):
            if site.value is not ABSENT:
                _take(site, found)
    return found


def _take(site: Site, found: Words) -> None:
    several = site.value if isinstance(site.value, list) else [site.value]
    for one in several:
        if isinstance(one, dict) and models(site.type):
            rows = found.objects[_chosen(models(site.type), one).__name__]
            rows += [] if one in rows else [one]
            continue
        rows = found.values[site.key]
        rows += [] if one in rows else [one]
        if isinstance(one, dict):
            found.labels |= {key: value for key, value in one.items() if isinstance(value, str)}
        elif isinstance(one, str) and re.fullmatch(r"[0-9a-f.:]+/[0-9]+", one) and one not in found.prefixes:
            found.prefixes.append(one)


# Sites


def sites(data: Any) -> Iterator[Site]:
    """Yield every field of a document, also those not written; an object stands before its fields."""
    yield from _sites(envelope(data["kind"]), data, (), ())


def _sites(
    model: type[BaseModel], data: Mapping[str, Any], path: FieldPath, marks: tuple[str, ...]
) -> Iterator[Site]:
    for name, info in model.model_fields.items():
        alias = info.alias or name
        here = (*path, alias)
        if here in FIXED or _other_way(model, alias, data):
            continue
        kind, value = _without_none(info.annotation), data.get(alias, ABSENT)
        named = refs(kind, info.metadata) or (marks if alias == "names" else ())
        site = Site(here, kind, value, (model.__name__, alias), info.is_required(), named)
        several = models(kind)
        if not several:
            yield site
        elif is_list(kind):
            yield site
            for index, item in enumerate(value if value is not ABSENT else ()):
                yield from _sites(_chosen(several, item), item, (*here, index), named)
        else:
            inner = _chosen(several, value if value is not ABSENT else {})
            needed = any(one.is_required() for one in inner.model_fields.values())
            whole = needed or inner.__name__ in ALTERNATIVES
            if whole if value is ABSENT else not site.required or inner.__name__ in ALTERNATIVES:
                yield site
            if value is not ABSENT or not whole:
                yield from _sites(inner, value if value is not ABSENT else {}, here, named)


def _other_way(model: type[BaseModel], alias: str, data: Mapping[str, Any]) -> bool:
    """Say whether a field belongs to another way of saying an object than the one that was taken."""
    ways = ALTERNATIVES.get(model.__name__, ())
    taken = [way for way in ways if any(one in data for one in way)]
    most = max((len(way & data.keys()) for way in taken), default=0)
    return any(alias in way for way in ways) and not any(
        alias in way for way in taken if len(way & data.keys()) == most
    )


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        rest = [part for part in get_args(kind) if part is not type(None)]
        return rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007 -- built at run time
    return kind


def is_list(kind: Any) -> bool:
    """Say whether a type is a list."""
    return get_origin(bare(kind)) is tuple


def models(kind: Any) -> tuple[type[BaseModel], ...]:
    """Return the models that a type holds directly, or as the items of a list."""
    plain = bare(kind)
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        return (plain,)
    if get_origin(plain) in (Union, types.UnionType, tuple, Annotated):
        return tuple(dict.fromkeys(model for part in get_args(plain) for model in models(part)))
    return ()


def _chosen(several: tuple[type[BaseModel], ...], item: Mapping[str, Any]) -> type[BaseModel]:
    """Return the model of a union that an item is of: the one whose `type` it names."""
    for model in several:
        said = get_args(model.model_fields["type"].annotation) if "type" in model.model_fields else ()
        if item.get("type") in said:
            return model
    return several[0]


# Mutations


def mutations(
    documents: list[Any], at: int, near: Words, far: Words
) -> Iterator[tuple[Site, list[Mutation]]]:
    """Yield every site of a document with its mutations, the likeliest to be valid first."""
    own = [*words([documents[at]]).prefixes, *near.prefixes]
    near = Words(near.values, near.objects, near.names, list(dict.fromkeys(own)), near.labels)
    for site in sites(documents[at]):
        if site.refs and site.value is ABSENT and not any(near.names[kind] for kind in site.refs):
            continue  # there is nothing that it could name
        found = [*_renamed(documents, at, site), *_of_site(documents[at], at, site, near, far)]
        yield site, found


def _of_site(data: Any, at: int, site: Site, near: Words, far: Words) -> Iterator[Mutation]:
    several = models(site.type)
    if site.value is not ABSENT and not site.required:
        yield _one(data, at, site, ABSENT)
    if is_list(site.type):
        yield from _of_list(data, at, site, near, far)
    elif get_origin(bare(site.type)) is dict:
        yield from _of_mapping(data, at, site, near, far)
    elif several:
        for item in _objects(several, site, near, far):
            if item != site.value:
                yield _one(data, at, site, item)
    else:
        found = list(_unlike(site.value, values(site, near, far)))
        yield from (_one(data, at, site, value) for value in found[:40])
        if site.key in TOGETHER:
            yield from (_one(data, at, site, value, TOGETHER[site.key]) for value in found[:6])
        yield from (_one(data, at, site, value) for value in found[40:])


def _one(data: Any, at: int, site: Site, value: Any, more: Mapping[str, Any] | None = None) -> Mutation:
    """Return a mutation of one field, and of those beside it that must go with it."""
    # A field that is not written has a place all the same: what its default causes names it.
    changes = [Change(at, site.path, site.path)]
    copy = put(data, site.path, value)
    for alias, new in (more or {}).items():
        path = (*site.path[:-1], alias)
        if _at(copy, path) != new:
            copy = put(copy, path, new)
            changes.append(Change(at, path, path))
    return Mutation(site.path, {at: copy}, tuple(changes))


def _at(node: Any, path: FieldPath) -> Any:
    for step in path:
        node = node.get(step, ABSENT) if isinstance(node, dict) else node[step]
    return node


def put(data: Any, path: FieldPath, value: Any) -> Any:
    """Return a document with another value at a path; ABSENT takes the field out."""
    copy = deepcopy(data)
    node: Any = copy
    for step in path[:-1]:
        if isinstance(node, dict) and step not in node:
            node[step] = {}
        node = node[step]
    if value is not ABSENT:
        node[path[-1]] = value
    elif path[-1] in node:
        del node[path[-1]]
    return copy


def _of_list(data: Any, at: int, site: Site, near: Words, far: Words) -> Iterator[Mutation]:
    items = [] if site.value is ABSENT else site.value
    items = items if isinstance(items, list) else [items]
    inner = get_args(bare(site.type))[0]
    for value in _items(site, inner, items, near, far):
        added = put(data, site.path, [*items, value])
        yield Mutation(site.path, {at: added}, (Change(at, None, (*site.path, len(items))),))
    for index, item in enumerate(items):
        where = (*site.path, index)
        gone = [*items[:index], *items[index + 1 :]]
        if gone or not site.required:
            yield Mutation(where, {at: put(data, site.path, gone)}, (Change(at, where, None),))
        others: Iterable[Any] = _objects(models(inner), site, near, far)
        if not models(inner):
            others = values(site._replace(type=inner, value=item), near, far)
        for value in list(_unlike(item, others))[:20]:
            if value not in items:
                changed = [*items[:index], value, *items[index + 1 :]]
                yield Mutation(where, {at: put(data, site.path, changed)}, (Change(at, where, where),))


def _items(site: Site, inner: Any, items: list[Any], near: Words, far: Words) -> Iterator[Any]:
    """Yield what could be one more item of a list."""
    if models(inner):
        found: Iterable[Any] = (_objects(models(inner), site, near, far), items)
        found = (fresh for several in found for item in several for fresh in (item, _fresh(item)))
    else:
        found = values(site._replace(type=inner, value=ABSENT), near, far)
    yield from [value for value in found if value not in items][:30]


def _objects(several: Iterable[type[BaseModel]], site: Site, near: Words, far: Words) -> Iterator[Any]:
    """Yield objects that could stand somewhere, also with their addresses moved into the intent's own."""
    for model in several:
        if model.__name__ == "Selector":
            yield from _selectors(site, near)
        if model.__name__ == "LabelSelectorRule":
            yield from ({"key": key, "operator": "Exists"} for key in near.labels)
            yield {"key": "zz", "operator": "DoesNotExist"}
        for item in [*near.objects[model.__name__], *far.objects[model.__name__]]:
            yield item
            moved = rebased(item, near.prefixes)
            if moved != item:
                yield moved


def _selectors(site: Site, near: Words) -> Iterator[Any]:
    """Yield selectors that choose fewer or other documents than all."""
    yield {"all": True}
    for name in (name for kind in site.refs for name in near.names[kind]):
        yield {"names": [name]}
        if isinstance(site.value, dict) and "all" not in site.value and "Node" in site.refs:
            rule = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [name]}
            yield {**site.value, "matchExpressions": [rule]}


def _fresh(item: Any) -> Any:
    """Return an object with another name, so that it can stand beside the one that it is made of."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return item
    return {**item, "name": next(text_like(item["name"]))}


def _of_mapping(data: Any, at: int, site: Site, near: Words, far: Words) -> Iterator[Mutation]:
    entries = {} if site.value is ABSENT else site.value
    known = [value for some in (near, far) for value in some.values[site.key] if isinstance(value, dict)]
    for key, old in entries.items():
        where = (*site.path, key)
        others = [value[key] for value in known if key in value]
        yield Mutation(where, {at: put(data, where, ABSENT)}, (Change(at, where, None),))
        for value in list(_unlike(old, [*others, *guess(old)]))[:6]:
            yield Mutation(where, {at: put(data, where, value)}, (Change(at, where, where),))
    more = {key: new for value in known for key, new in value.items()} | {"zz": "zz"}
    more |= {
        name: rebased("::77", [one]) for name in near.names["Node"] for one in near.prefixes if site.refs
    }
    for key, new in more.items():
        if key not in entries:
            where = (*site.path, key)
            yield Mutation(where, {at: put(data, where, new)}, (Change(at, None, where),))


def _unlike(value: Any, others: Iterable[Any]) -> Iterator[Any]:
    seen: list[Any] = [value]
    for other in others:
        if other not in seen:
            seen.append(other)
            yield other


def _renamed(documents: list[Any], at: int, site: Site) -> Iterator[Mutation]:
    """Yield the repository with a name replaced wherever it stands, as a person renames."""
    if site.path[-1] != "name" or not isinstance(site.value, str):
        return
    parts = [re.escape(part) for part in re.split(r"\{n[^}]*\}", site.value)]
    pattern = re.compile(r"(?:\{n[^}]*\}|[0-9]+)".join(parts))
    data: dict[int, Any] = {}
    changes = [Change(at, site.path, site.path)]
    for index, document in enumerate(documents):
        copy, found = _replaced(document, pattern, ())
        if found:
            data[index] = copy
            changes += [Change(index, path, path) for path in found if (index, path) != (at, site.path)]
    yield Mutation(site.path, data, tuple(changes))


def _replaced(node: Any, pattern: re.Pattern[str], path: FieldPath) -> tuple[Any, list[FieldPath]]:
    """Return a copy with every text that matches headed by an x, and the places of those."""
    if isinstance(node, str):
        hit = len(path) > 1 and pattern.fullmatch(node)
        return (f"x{node}", [path]) if hit else (node, [])
    if isinstance(node, dict):
        copy, found = {}, []
        for key, value in node.items():
            copy[key], inner = _replaced(value, pattern, (*path, key))
            found += inner
        return copy, found
    if isinstance(node, list):
        rows = [_replaced(value, pattern, (*path, index)) for index, value in enumerate(node)]
        return [row for row, _ in rows], [one for _, inner in rows for one in inner]
    return node, []
