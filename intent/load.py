"""Documents → intents: pick the model by `kind`, validate, turn every refusal into a located diagnostic.

A document with `spec.range` (a Node) stands for many intents; its text is filled in before validation, so
that an address made from `{n}` is checked like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final, Literal

from pydantic import ValidationError, create_model

from intent.diagnostics import Related, Report, closest
from intent.documents import MAX_ERRORS, parse, too_many
from intent.kinds import KINDS
from intent.memory import Memory
from intent.model import API_VERSION, Intent, Metadata, Model
from intent.refusals import BRACES, explain
from intent.source import Document, FieldPath, Source

MAX_RANGE: Final = 10_000
"""Most servers that one document may stand for."""

_COUNTER = re.compile(r"\{n(?:([+-])([0-9]{1,6}))?(?::(x|0?[1-9]))?\}")


@cache
def envelope(kind: str) -> type[Model]:
    """Return the model of a whole document of this kind."""
    spec = KINDS[kind]
    fields: dict[str, Any] = {
        "apiVersion": (Literal["intentc.dev/v1alpha1"], ...),
        "kind": (Literal[kind], ...),
        "metadata": (Metadata, ...),
        "spec": (spec, ...),
    }
    return create_model(kind, __base__=Model, __doc__=(spec.__doc__ or "").strip(), **fields)


def load(sources: Iterable[Source], report: Report, memory: Memory | None = None) -> tuple[Intent, ...]:
    """Return the intents of all sources, sorted by kind and name; what is wrong goes to the report."""
    intents: list[Intent] = []
    for source in sources:
        before = len(report.found)
        for document in memory.parse(source, report) if memory else parse(source, report):
            intents.extend(_intents(document, report))
            if len(report.found) - before >= MAX_ERRORS:
                too_many(document.span(), report)
                break
    return _unique(intents, report)


def _intents(document: Document, report: Report) -> Iterator[Intent]:
    kind = _kind(document, report)
    if kind is None:
        return
    model = envelope(kind)
    for words, data in _expand(document, kind, report):
        try:
            valid: Any = model.model_validate(data)
        except ValidationError as refusal:
            explain(refusal, model, document, report)
            return
        yield Intent(kind, valid.metadata.name, valid.metadata, valid.spec, document, words)


def _kind(document: Document, report: Report) -> str | None:
    """Return the kind of a document that has one we know."""
    data = document.data
    if not isinstance(data, dict):
        message = "a document must be a mapping with apiVersion, kind, metadata and spec"
        report.error("IC1015", document.span(), message, "separate documents by a line ---")
        return None
    version = data.get("apiVersion")
    if version != API_VERSION:
        said = f"apiVersion {version!r} is not known" if version is not None else "apiVersion is missing"
        report.error("IC1016", document.span(("apiVersion",)), said, f"write apiVersion: {API_VERSION}")
        return None
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        said = f"kind {kind!r} is not known" if kind is not None else "kind is missing"
        close = closest(kind, KINDS) if isinstance(kind, str) else None
        hint = f"did you mean {close!r}?" if close else f"kinds: {', '.join(KINDS)}"
        report.error("IC1017", document.span(("kind",)), said, hint)
        return None
    return kind


def _expand(document: Document, kind: str, report: Report) -> Iterator[tuple[dict[str, str], Any]]:
    """Yield the document once, or once for each number of its range with the text filled in."""
    data = document.data
    spec = data.get("spec")
    said = spec.get("range") if kind == "Node" and isinstance(spec, dict) else None
    first, last = (said.get("first", 1), said.get("last")) if isinstance(said, dict) else (None, None)
    if type(first) is not int or type(last) is not int or last < first:
        # A range that the model refuses is filled in with any number, so that only the range is told.
        yield {}, data if said is None else _fill(data, 1)
        return
    if _one_for_many(document, last - first + 1, report):
        return
    if last - first >= MAX_RANGE:
        message = f"a range may hold at most {MAX_RANGE} servers; this one holds {last - first + 1}"
        report.error("IC1026", document.span(("spec", "range")), message, "split it over several documents")
        return
    for path, text in _below_zero(data, first):
        message = f"{text!r} counts below 0 for the first server of the range, which is number {first}"
        report.error(
            "IC1023", document.span(path), message, "use a smaller offset, or let the range begin later"
        )
        return
    for number in range(first, last + 1):
        yield {"n": str(number)}, _fill(data, number)


def _below_zero(node: Any, first: int, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    """Yield texts whose counter would be negative."""
    if isinstance(node, str):
        offsets = [int(offset) for sign, offset, _ in _COUNTER.findall(node) if sign == "-"]
        if max(offsets, default=first) > first:
            yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _below_zero(value, first, (*path, key))
    elif isinstance(node, list):
        for at, value in enumerate(node):
            yield from _below_zero(value, first, (*path, at))


def _one_for_many(document: Document, count: int, report: Report) -> bool:
    """Report a name or uid that would be the same for all servers of a range."""
    metadata = document.data.get("metadata")
    said = metadata if isinstance(metadata, dict) else {}
    for field in ("name", "uid"):
        text = said.get(field)
        if isinstance(text, str) and count > 1 and not _COUNTER.search(text):
            message = f"{text!r} stands for {count} servers, but they all get the same {field}"
            span = document.span(("metadata", field))
            hint = f"the forms are {BRACES}" if "{" in text else f"write for example {text}-{{n}}"
            report.error("IC1025", span, message, hint)
            return True
    return False


def _fill(node: Any, number: int) -> Any:
    """Return a copy in which `{n}` is written out."""
    if isinstance(node, str):
        return _COUNTER.sub(lambda found: _number(found, number), node) if "{" in node else node
    if isinstance(node, dict):
        return {key: _fill(value, number) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, number) for value in node]
    return node


def _number(found: re.Match[str], number: int) -> str:
    sign, offset, form = found.groups()
    value = number + (int(offset) if sign == "+" else -int(offset)) if offset else number
    return format(value, form if form == "x" else f"{form}d" if form else "d")


def _unique(intents: list[Intent], report: Report) -> tuple[Intent, ...]:
    """Sort intents, and report names and uids that are taken twice."""
    names: dict[tuple[str, str], Intent] = {}
    uids: dict[tuple[str, str], Intent] = {}
    for intent in intents:
        twin = names.setdefault((intent.kind, intent.name), intent)
        if twin is not intent:
            place = Related(twin.span("metadata", "name"), "also defined here")
            message = f"{intent.kind} {intent.name!r} is defined twice"
            span = intent.span("metadata", "name")
            report.error("IC1018", span, message, "rename or remove one of them", [place])
            continue
        twin = uids.setdefault((intent.kind, intent.uid), intent)
        if twin is not intent:
            place = Related(twin.span("metadata", "uid"), f"taken by {twin.name!r} here")
            message = f"uid {intent.uid!r} of {intent.kind} {intent.name!r} is taken"
            span = intent.span("metadata", "uid" if intent.meta.uid else "name")
            report.error("IC1019", span, message, "a uid belongs to one document for ever", [place])
    return tuple(names[key] for key in sorted(names))
