r"""How a tree of files says resources: which file holds which object, and the text of each form.

    kubernetes/CLUSTER/NAMESPACE/Type-name.yaml    one manifest; `_cluster` where there is no namespace
    FAMILY/SCOPE…/name                             text as it is: exec files, configurations
    FAMILY/SCOPE…/type.jsonl                       all objects of a type, one JSON object a line, sorted

The first line of every file of ours is a mark. Invariant: a file says by itself which objects it holds, and
has exactly one place where it may lie; a file without a mark is foreign.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from intent.diagnostics import Report
from intent.documents import parse
from intent.memory import Memory
from intent.source import Source
from reconciler.manifest import emit
from renderers.resource import Key, Resource

_COMMENTS: Final[dict[str, tuple[str, str]]] = {
    "exec": ("comment { intentc ", " }"),  # the only comment that every VPP release skips
    "conf": ("! intentc ", ""),
}
_COMMENT: Final = ("# intentc ", "")
_JSON: Final = '{"intentc": '
_MARKS: Final = tuple(
    opening.encode() for opening in (_JSON, _COMMENT[0], *(pair[0] for pair in _COMMENTS.values()))
)
_SAFE: Final = re.compile(r"[A-Za-z0-9_~ -][A-Za-z0-9_.~ -]*\Z")
"""Steps of paths that stay as they are."""
MARK_BYTES: Final = max(map(len, _MARKS))
"""So many first bytes of a file tell whether it is ours."""


class Damaged(Exception):  # noqa: N818 -- a state of a file of ours, not an error of the program
    """A file carries our mark and cannot be understood."""


def is_ours(start: bytes) -> bool:
    """Say whether a file that starts so carries our mark."""
    return start.startswith(_MARKS)


def path_of(resource: Resource) -> str:
    """Return the file that holds an object, relative to the root of the tree."""
    family, scope, type_, name = resource.key
    if _is_text(resource):
        return _path(family, *scope.split("/"), name)
    if family == "kubernetes":
        namespace, slash, short = name.rpartition("/")
        cluster = scope.split("/")[1] if "/" in scope else scope
        return _path(family, cluster, namespace if slash else "_cluster", f"{type_}-{short}") + ".yaml"
    return _path(family, *scope.split("/"), type_) + ".jsonl"


def encode(path: str, resources: Iterable[Resource]) -> bytes:
    """Return the content of a file that holds these objects; what cannot be written is a ValueError."""
    ordered = sorted(resources, key=lambda resource: resource.key)
    first = ordered[0]
    if path.endswith(".jsonl") and not any(map(_is_text, ordered)):
        owner = json.dumps(first.key[:3], ensure_ascii=False)
        return "\n".join([f"{_JSON}{owner}}}", *map(_line, ordered), ""]).encode()
    if len(ordered) > 1:
        raise ValueError(f"{ordered[0].key} and {ordered[1].key} want the same file")
    opening, closing = _COMMENTS.get(path.rpartition(".")[2], _COMMENT) if _is_text(first) else _COMMENT
    body = first.spec["text"] if _is_text(first) else emit(first.spec)
    return f"{opening}{_mark(first)}{closing}\n{body}".encode()


def decode(path: str, raw: bytes, memory: Memory | None = None) -> dict[Key, Resource]:
    """Return the objects of a file of ours, or raise Damaged with the reason."""
    if memory is None or not path.endswith(".yaml"):  # the other forms are read as fast as remembered
        return _decode(path, raw)

    def made() -> list[Any]:
        return [[*resource.key[:3], _record(resource)] for resource in _decode(path, raw).values()]

    found = [_object(*said) for said in memory.recall(path.encode() + b"\0" + raw, made)]
    return {resource.key: resource for resource in found}


def _decode(path: str, raw: bytes) -> dict[Key, Resource]:
    try:
        head, _, body = raw.decode().partition("\n")
        resources = (
            _objects(head, body)
            if head.startswith(_JSON)
            else [_single(path, head, body, lambda: _manifest(path, raw.decode()))]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{path}: {error}") from error
    found = {resource.key: resource for resource in resources}
    if len(found) < len(resources):
        raise Damaged(f"{path}: an object is said twice")
    if any(path_of(resource) != path for resource in _telling(resources)):
        raise Damaged(f"{path}: this file was moved or renamed")
    return found


def _telling(resources: list[Resource]) -> list[Resource]:
    """Return the objects that tell where all belong: one is enough where names have no part in it."""
    apart = any(resource.key.family == "kubernetes" or _is_text(resource) for resource in resources)
    return resources if apart else resources[:1]


def key_at(raw: bytes, line: int) -> Key:
    """Return the object that a line (counted from 1) of a file of ours belongs to, or raise Damaged."""
    try:
        lines = raw.decode().split("\n")
        head = lines[0]
        if head.startswith(_JSON):
            family, scope, type_ = json.loads(head)["intentc"]
            return Key(family, scope, type_, json.loads(lines[line - 1])["name"])
        return _key(dict(_marks(head))["key"])
    except (ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
        raise Damaged(f"line {line} belongs to no object: {error}") from error


def _is_text(resource: Resource) -> bool:
    spec = resource.spec
    return len(spec) == 1 and isinstance(spec.get("text"), str)


@lru_cache(maxsize=1024)  # all objects of a type ask for the same file, and are thousands
def _path(*parts: str) -> str:
    return "/".join(map(_part, parts))


def _part(part: str) -> str:
    """Encode one step of a path: reversible, never empty, never hidden, never a way up."""
    if _SAFE.match(part):
        return part
    safe = quote(part, safe=" ") or "%"
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe


def _mark(resource: Resource) -> str:
    for key in (resource.key, *resource.needs):
        if _key(str(key)) != key:
            raise ValueError(f"only the last part of {key} may hold a colon")
    fields = [("subject", resource.subject), ("key", str(resource.key))]
    fields += [("needs", str(need)) for need in resource.needs]
    fields += [("view", "true")] if resource.view else []
    fields += [("protected", "true")] if resource.protected else []
    return urlencode(fields, quote_via=quote, safe="/:")


def _single(path: str, head: str, body: str, manifest: Callable[[], dict[str, Any]]) -> Resource:
    """Read text or a manifest with its mark."""
    marks = _marks(head)
    fields = dict(marks)
    needs = tuple(_key(value) for name, value in marks if name == "needs")
    key = _key(fields["key"])
    is_text = key.family != "kubernetes" or _path(key.family, *key.scope.split("/"), key.name) == path
    spec = {"text": body} if is_text else manifest()
    view, protected = "view" in fields, "protected" in fields
    return Resource(key, spec, fields["subject"], needs, view=view, protected=protected)


def _marks(head: str) -> list[tuple[str, str]]:
    """Return what the first line of a text or manifest says."""
    opening, closing = next(pair for pair in (_COMMENT, *_COMMENTS.values()) if head.startswith(pair[0]))
    said = head.removeprefix(opening).removesuffix(closing)
    if "%" in said or "+" in said:
        return parse_qsl(said, keep_blank_values=True, strict_parsing=True)
    return [(name, value) for name, value in (pair.split("=", 1) for pair in said.split("&"))]


def _manifest(path: str, text: str) -> dict[str, Any]:
    report = Report()
    documents = parse(Source(path, text), report)
    for fault in report.sorted():
        raise ValueError(f"line {fault.span.line}: {fault.message}")
    if len(documents) != 1 or not isinstance(documents[0].data, dict):
        raise ValueError("this is not one manifest")
    return documents[0].data


def _key(text: str) -> Key:
    family, scope, type_, name = text.split(":", 3)
    return Key(family, scope, type_, name)


def _line(resource: Resource) -> str:
    return json.dumps(_record(resource), ensure_ascii=False, allow_nan=False)


def _record(resource: Resource) -> dict[str, Any]:
    """Return all of an object but what it shares with the others of its type."""
    record: dict[str, Any] = {
        "name": resource.key.name,
        "subject": resource.subject,
        "needs": resource.needs,
        "spec": resource.spec,
    }
    flags = {"view": resource.view, "protected": resource.protected}
    return record | {name: True for name, said in flags.items() if said}


def _objects(head: str, body: str) -> list[Resource]:
    family, scope, type_ = json.loads(head)["intentc"]
    if body and not body.endswith("\n"):
        raise ValueError("the last line is cut off")
    lines = body.split("\n")[:-1]
    # Together, since one call for each costs three times as much; lines are counted as in the file.
    records = json.loads("[\n" + ",\n".join(lines) + "]")
    if len(records) != len(lines):
        raise ValueError("a line does not hold one object")
    return [_object(family, scope, type_, record) for record in records]


def _object(family: str, scope: str, type_: str, record: dict[str, Any]) -> Resource:
    needs = tuple([Key(*need) for need in record["needs"]])
    key = Key(family, scope, type_, record["name"])
    view, protected = record.get("view", False), record.get("protected", False)
    return Resource(key, record["spec"], record["subject"], needs, view=view, protected=protected)
