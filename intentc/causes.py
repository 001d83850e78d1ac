"""Questions of `intentc explain` and their answers: from rendered things to lines of intent, and back.

What is asked is a line of intent, a line of a rendered file, an object (its key, as plans print it), or a
document. Everything is answered from a fresh compile, so an answer is never older than the intent.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from compiler.graph import Element, Graph, Scope
from intent.diagnostics import Report, did_you_mean
from intent.documents import parse
from intent.model import Intent, Origin
from intent.source import Document, FieldPath, Source, dotted
from intentc.review.rows import plain
from reconciler.drivers.layout import MARK_BYTES, Damaged, is_ours, key_at
from reconciler.plan import Action, Plan
from renderers import RENDERERS, render
from renderers.causes import Trace, behind, caused, caused_by_line, naming, speaking, written_at
from renderers.changes import ABSENT, Change
from renderers.resource import Key, Resource

_PLACE: Final = re.compile(r"(?P<file>.+?):(?P<line>[1-9][0-9]*)(?::[0-9]+)?:?")
_NAMED: Final = 5
_OF_ALL: Final = (("apiVersion",), ("kind",))
"""What says what a document is, and so stands for all of it."""


class Reason(NamedTuple):
    """One scope, and the origins that hold for all that is in it."""

    scope: Scope
    origins: tuple[Origin, ...]
    around: bool = False
    """Whether they name only something around what was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked, as understood, and what causes it or what it causes."""

    about: str
    causes: tuple[Trace, ...]
    around: tuple[Trace, ...] = ()
    """Objects that are caused by something around what was asked: a whole list, a whole document."""
    scopes: tuple[Reason, ...] = ()
    """Scopes that what was asked puts there, or decides on as a whole; the scope of what is rendered."""
    forward: bool = True
    """Whether intent was asked for its effects; otherwise a rendered thing for its origins."""


class Unanswered(Exception):  # noqa: N818 -- a question is at fault, not the program
    """A question that has no answer; the message says why, and what can be asked."""


def answer(
    question: str, intents: Iterable[Intent], graph: Graph, folders: Iterable[Path] = (Path(),)
) -> Answer:
    """Answer one question; files are looked for in `folders`, in that order."""
    intents = tuple(intents)
    documents = _documents(intents)
    place = _PLACE.fullmatch(question)
    if place:
        file, line = place["file"], int(place["line"])
        shown = _shown(file, documents, folders)
        if shown is not None:
            length = _length(file, folders)
            if line > length:
                raise Unanswered(f"{shown} has {length} lines")
            return _line_of_intent(shown, line, documents[shown], intents, graph)
        for folder in folders:
            if (folder / file).is_file():
                return _line_of_output(folder / file, line, graph)
        if question.count(":") < 3:  # noqa: PLR2004 -- a key has three colons
            hint = did_you_mean(file, documents)
            raise Unanswered(f"there is no file {file!r}{'; ' + hint if hint else ''}")
    found = _subject(question, intents, graph) or _scope(question, graph)
    if found is None and any((folder / question).is_file() for folder in folders):
        raise Unanswered(f"{question} is a file; name a line of it: {question}:1")
    return found or _object(question, intents, graph)


def _documents(intents: Iterable[Intent]) -> dict[str, list[Document]]:
    """Return the documents of each file, in their order; a ranged document is there once."""
    found: dict[str, dict[int, Document]] = {}
    for intent in intents:
        found.setdefault(intent.doc.file, {})[id(intent.doc)] = intent.doc
    return {
        file: sorted(documents.values(), key=lambda document: document.span().line)
        for file, documents in found.items()
    }


def _shown(file: str, documents: Mapping[str, object], folders: Iterable[Path]) -> str | None:
    """Return the file of intent that is meant, by the name that places have: nothing in it is unprintable."""
    if plain(file) in documents:
        return plain(file)
    for folder in folders:
        meant = plain(str((folder / file).resolve()))
        for name in documents:
            if str(Path(name).resolve()) == meant:
                return name
    return None


def _line_of_intent(
    file: str, line: int, documents: list[Document], intents: Iterable[Intent], graph: Graph
) -> Answer:
    before = [document for document in documents if document.span().line <= line]
    if not before:
        raise Unanswered(f"{file}:{line} stands before the first document of the file")
    document = before[-1]
    fields = tuple(() if path[:1] in _OF_ALL else path for path in written_at(document, line))
    names = sorted({intent.subject for intent in intents if intent.doc is document})
    who = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
    said = ", ".join(dotted(path) or "the whole document" for path in fields)
    return _effects(f"{file}:{line}: {said} of {who}", document, fields, graph)


def _length(file: str, folders: Iterable[Path]) -> float:
    """Return how many lines a file has; no end is known of one whose name stands here as it is shown."""
    found = next((folder / file for folder in folders if (folder / file).is_file()), None)
    return len(found.read_bytes().splitlines()) if found else math.inf


def _subject(question: str, intents: Iterable[Intent], graph: Graph) -> Answer | None:
    """Answer for a document, named by its subject or by kind and name."""
    for intent in intents:
        if question in (intent.subject, f"{intent.kind}/{intent.name}"):
            return _effects(f"{intent.span()}: {intent.subject}", intent.doc, ((),), graph)
    return None


def _scope(question: str, graph: Graph) -> Answer | None:
    """Answer for a scope: why it is there."""
    found = tuple(Reason(scope, graph.why(scope)) for scope in graph.scopes if str(scope) == question)
    return Answer(question, (), scopes=found, forward=False) if found else None


def _caused(about: str, causes: tuple[Trace, ...], scope: Scope, graph: Graph) -> Answer:
    """Answer for something rendered: what causes it, and what holds for all that is in its scope."""
    return Answer(about, causes, scopes=(Reason(scope, graph.why(scope)),), forward=False)


def _effects(about: str, document: Document, fields: tuple[FieldPath, ...], graph: Graph) -> Answer:
    exact: list[Trace] = []
    around: list[Trace] = []
    scopes: list[Reason] = []
    for scope in graph.scopes:
        rendered = tuple(render(graph, (scope,)))
        for trace, wider in caused(rendered, document, fields):
            (around if wider else exact).append(trace)
        origins, wider = naming(graph.why(scope), document, fields)
        if rendered and origins:
            scopes.append(Reason(scope, origins, wider))
    return Answer(about, tuple(exact), tuple(around), tuple(scopes))


def _line_of_output(path: Path, line: int, graph: Graph) -> Answer:
    raw = path.read_bytes()
    if not is_ours(raw[:MARK_BYTES]):
        raise Unanswered(f"{path} is neither a file of intent nor one that intentc rendered")
    try:
        key = key_at(raw, line)
    except Damaged as error:
        raise Unanswered(f"{path}: line {line} belongs to no object") from error
    scope, resource = _rendered(key, graph)
    text = raw.decode().split("\n")
    if not 0 < line <= len(text):
        raise Unanswered(f"{path} has {len(text)} lines")
    about = f"{path}:{line}: {resource.key}"
    if line == 1:  # the mark speaks of the whole object
        return _caused(about, (Trace(resource, resource.origins),), scope, graph)
    if resource.spec.keys() == {"text"}:
        return _caused(about, tuple(_text_causes(resource, text[line - 1], scope, graph)), scope, graph)
    if path.suffix == ".jsonl":
        return _caused(about, (Trace(resource, resource.origins),), scope, graph)
    fields = [dotted(field) for parsed in _parsed(path, raw) for field in written_at(parsed, line)]
    origins = tuple(dict.fromkeys(origin for field in fields for origin in behind(resource, field)))
    about = f"{about} {', '.join(filter(None, fields))}".rstrip()
    return _caused(about, (Trace(resource, origins),), scope, graph)


def _parsed(path: Path, raw: bytes) -> list[Document]:
    return parse(Source(str(path), raw.decode()), Report())


def _text_causes(resource: Resource, line: str, scope: Scope, graph: Graph) -> Iterator[Trace]:
    """Yield what makes a line of a text stand there; the whole text's origins, where nothing alone does."""
    elements = graph.slice(scope)

    def again(scope: Scope, kept: tuple[Element, ...]) -> Iterator[Resource]:
        for renderer in RENDERERS[scope.kind]:
            yield from renderer(scope, kept)

    found = caused_by_line(scope, elements, again, resource.key, line) if line.strip() else ()
    if not found:
        yield Trace(resource, resource.origins)
    for element in found:
        yield Trace(resource, speaking(element, line))


def _object(question: str, intents: Iterable[Intent], graph: Graph) -> Answer:
    """Answer for a rendered object: its key, or as much of the end of it as names one object."""
    known = [f"{intent.kind}/{intent.name}" for intent in intents]
    ends: list[tuple[Scope, Resource]] = []
    for scope in graph.scopes:
        for resource in render(graph, (scope,)):
            name = str(resource.key)
            if name == question:
                return _caused(name, (Trace(resource, resource.origins),), scope, graph)
            known.append(name.rpartition(":")[2])
            if name.endswith((f":{question}", f"/{question}")):
                ends.append((scope, resource))
    if len(ends) == 1:
        scope, resource = ends[0]
        return _caused(str(resource.key), (Trace(resource, resource.origins),), scope, graph)
    if ends:
        some = "".join(f"\n  {resource.key}" for _, resource in ends[:_NAMED])
        raise Unanswered(f"{question!r} is the end of {len(ends)} names; which one?{some}")
    hint = did_you_mean(question, known)
    raise Unanswered(f"nothing is called {question!r}{'; ' + hint if hint else ''}")


def _rendered(key: Key, graph: Graph) -> tuple[Scope, Resource]:
    for scope in graph.scopes:
        if str(scope) == key.scope:
            for resource in render(graph, [scope]):
                if resource.key == key:
                    return scope, resource
    raise Unanswered(f"the intent no longer makes {key}; `intentc plan` would delete it")


def asked_of(plan: Plan, question: str, root: Path = Path()) -> list[Action]:
    """Return the actions on an object (its key, or the end of it), or because of a line of intent.

    A plan names files as they lie in the repository at `root`; a question may name them from here.
    """
    place = _PLACE.fullmatch(question)
    files = {place["file"], os.path.relpath(place["file"], root)} if place else set()
    line = int(place["line"]) if place else 0

    def meant(action: Action) -> bool:
        name = str(action.key)
        if name == question or name.endswith((f":{question}", f"/{question}")):
            return True
        spans = (origin.span for origin in action.resource.origins)
        return bool(place) and any(span.file in files and span.line == line for span in spans)

    return [action for action in plan.actions if meant(action)]


def changed(change: Change) -> str:
    """Write what differs in one field."""
    sides = (change.before, change.after)
    old, new = ("nothing" if side is ABSENT else json.dumps(side, ensure_ascii=False) for side in sides)
    return f"{change.path or 'all of it'}: {old} → {new}"
