"""References between documents: found by the `Ref` marks of the models, checked all at once.

Reading the marks once per model makes the check a walk over the few fields that can hold a reference.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from intent.diagnostics import Report, did_you_mean
from intent.model import Intent, Ref, Selector, models_in
from intent.source import FieldPath, Span


class Reference(NamedTuple):
    """One name that points to a document of one of these kinds."""

    kinds: tuple[str, ...]
    name: str
    path: FieldPath


def references(intent: Intent) -> list[Reference]:
    """Return every reference by name that a document makes."""
    found: list[Reference] = []
    _walk(intent.spec, ("spec",), found)
    return found


def check_references(intents: Mapping[str, Mapping[str, Intent]], report: Report) -> None:
    """Report every name that names nothing; once for all servers of a range."""
    told: set[tuple[Span, str]] = set()
    for documents in intents.values():
        for intent in documents.values():
            for kinds, name, path in references(intent):
                if any(name in intents.get(kind, ()) for kind in kinds):
                    continue
                span = intent.span(*path)
                if (span, name) not in told:
                    told.add((span, name))
                    known = [other for kind in kinds for other in intents.get(kind, ())]
                    text = f"{' or '.join(kinds)} {name!r} does not exist"
                    report.error("IC2001", span, text, did_you_mean(name, known))


def _walk(model: BaseModel, path: FieldPath, found: list[Reference]) -> None:
    for name, alias, ref in _sites(type(model)):
        value = getattr(model, name)
        if value is not None:
            _visit(value, ref, (*path, alias), found)


def _visit(value: Any, ref: Ref | None, path: FieldPath, found: list[Reference]) -> None:
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            _visit(item, ref, (*path, index), found)
    elif isinstance(value, BaseModel) and not isinstance(value, Selector):
        _walk(value, path, found)
    elif ref is not None:
        found.extend(_named(value, ref.kinds, path))


def _named(value: Any, kinds: tuple[str, ...], path: FieldPath) -> Iterator[Reference]:
    """Yield the names that a marked value holds: text, the names of a selector, or the keys of a mapping."""
    if isinstance(value, str):
        yield Reference(kinds, value, path)
    elif isinstance(value, Selector):
        for index, name in enumerate(value.names):
            yield Reference(kinds, name, (*path, "names", index))
    elif isinstance(value, dict):
        for key in value:
            yield Reference(kinds, key, (*path, key))


@cache
def _sites(model: type[BaseModel]) -> tuple[tuple[str, str, Ref | None], ...]:
    """Return the fields of a model that hold references, directly or deeper: name, alias, mark."""
    found = []
    for name, info in model.model_fields.items():
        ref = next((item for item in info.metadata if isinstance(item, Ref)), None) or _mark(info.annotation)
        if ref or any(_sites(inner) for inner in models_in(info.annotation)):
            found.append((name, info.alias or name, ref))
    return tuple(found)


def _mark(annotation: Any) -> Ref | None:
    """Return the mark inside a collection or union type, where its own members are marked."""
    if get_origin(annotation) is Annotated:
        own = next((item for item in get_args(annotation)[1:] if isinstance(item, Ref)), None)
        return own or _mark(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType, tuple, list, dict):
        return next(filter(None, map(_mark, get_args(annotation))), None)
    return None
