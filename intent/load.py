"""Documents → intents: pick the model by `kind`, validate, and turn every refusal into a located diagnostic.

A document with `spec.range` (a Node) stands for many intents; its text is filled in before validation, so that
an address made from `{n}` is checked like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final, Literal

from pydantic import ValidationError, create_model

from intent.diagnostics import Related, Report, did_you_mean
from intent.documents import parse
from intent.kinds import KINDS
from intent.model import API_VERSION, Intent, Metadata, Model
from intent.refusals import explain
from intent.source import Document, Source

MAX_RANGE: Final = 10_000
"""Most servers that one document may stand for."""

_COUNTER = re.compile(r"\{n(?:([+-])([0-9]{1,6}))?(?::(x|0?[1-9]))?\}")


@cache
def envelope(kind: str) -> type[Model]:
    """Return the model of a whole document of this kind."""
    spec = KINDS[kind]
    return create_model(
        kind,
        __base__=Model,
        __doc__=(spec.__doc__ or "").strip(),
        apiVersion=(Literal["intentc.dev/v1alpha1"], ...),
        kind=(Literal[kind], ...),
        metadata=(Metadata, ...),
        spec=(spec, ...),
    )


def load(sources: Iterable[Source], report: Report) -> tuple[Intent, ...]:
    """Return the intents of all sources, sorted by kind and name; what is wrong goes to the report."""
    intents: list[Intent] = []
    for source in sources:
        for document in parse(source, report):
            intents.extend(_intents(document, report))
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
        report.error(
            "IC1015", document.span(), "a document must be a mapping with apiVersion, kind, metadata and spec"
        )
        return None
    version = data.get("apiVersion")
    if version != API_VERSION:
        said = f"apiVersion {version!r} is not known" if "apiVersion" in data else "apiVersion is missing"
        report.error("IC1016", document.span(("apiVersion",)), said, f"write apiVersion: {API_VERSION}")
        return None
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        said = f"kind {kind!r} is not known" if "kind" in data else "kind is missing"
        report.error(
            "IC1017",
            document.span(("kind",)),
            said,
            did_you_mean(str(kind), KINDS) or f"kinds: {', '.join(KINDS)}",
        )
        return None
    return kind


def _expand(document: Document, kind: str, report: Report) -> Iterator[tuple[dict[str, str], Any]]:
    """Yield the document once, or once for each number of its range with the text filled in."""
    data = document.data
    spec = data.get("spec")
    said = spec.get("range") if kind == "Node" and isinstance(spec, dict) else None
    first, last = (said.get("first", 1), said.get("last")) if isinstance(said, dict) else (None, None)
    if type(first) is not int or type(last) is not int or last < first:
        yield {}, data  # no range, or one that the model refuses with a better message
        return
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if isinstance(name, str) and not _COUNTER.search(name):
        report.error(
            "IC1025",
            document.span(("metadata", "name")),
            f"{name!r} stands for {last - first + 1} servers, but they all get the same name",
            f"write for example {name}-{{n}}",
        )
        return
    if last - first >= MAX_RANGE:
        report.error(
            "IC1026", document.span(("spec", "range")), f"a range may hold at most {MAX_RANGE} servers"
        )
        return
    for number in range(first, last + 1):
        yield {"n": str(number)}, _fill(data, number)


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
            report.error(
                "IC1018",
                intent.span("metadata", "name"),
                f"{intent.kind} {intent.name!r} is defined twice",
                "rename or remove one of them",
                [place],
            )
            continue
        twin = uids.setdefault((intent.kind, intent.uid), intent)
        if twin is not intent:
            place = Related(twin.span("metadata", "uid"), "also taken here")
            report.error(
                "IC1019",
                intent.span("metadata", "uid"),
                f"uid {intent.uid!r} of {intent.kind} {intent.name!r} is taken",
                "a uid belongs to one document for ever",
                [place],
            )
    return tuple(names[key] for key in sorted(names))
