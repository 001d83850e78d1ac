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
from intent.model import Intent, Ref, Selector
from intent.source import FieldPath


class Reference(NamedTuple):
    """One name that points to a document of one of these kinds."""

    kinds: tuple[str, ...]
    name: str
    path: FieldPath


def references(intent: Intent) -> Iterator[Reference]:
    """Yield every reference by name that a document makes."""
    return _walk(intent.spec, ("spec",))


def check_references(intents: Mapping[str, Mapping[str, Intent]], report: Report) -> None:
    """Report every name that names nothing."""
    for documents in intents.values():
        for intent in documents.values():
            for kinds, name, path in references(intent):
                if not any(name in intents.get(kind, ()) for kind in kinds):
                    known = [other for kind in kinds for other in intents.get(kind, ())]
                    report.error("IC2001", intent.span(*path), f"{' or '.join(kinds)} {name!r} does not exist", did_you_mean(name, known))


def _walk(model: BaseModel, path: FieldPath) -> Iterator[Reference]:
    for name, alias, ref in _sites(type(model)):
        value = getattr(model, name)
        if value is not None:
            yield from _visit(value, ref, (*path, alias))


def _visit(value: Any, ref: Ref | None, path: FieldPath) -> Iterator[Reference]:
    if isinstance(value, str):
        if ref:
            yield Reference(ref.kinds, value, path)
    elif isinstance(value, Selector):
        if ref:
            for index, name in enumerate(value.names):
                yield Reference(ref.kinds, name, (*path, "names", index))
    elif isinstance(value, BaseModel):
        yield from _walk(value, path)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _visit(item, ref, (*path, index))
    elif isinstance(value, dict) and ref:
        for key in value:
            yield Reference(ref.kinds, key, (*path, key))


@cache
def _sites(model: type[BaseModel]) -> tuple[tuple[str, str, Ref | None], ...]:
    """Return the fields of a model that hold references, directly or deeper: name, alias, mark."""
    found = []
    for name, info in model.model_fields.items():
        ref = next((item for item in info.metadata if isinstance(item, Ref)), None) or _mark(info.annotation)
        if ref or any(_sites(inner) for inner in _models(info.annotation)):
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


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list, dict):
        for argument in get_args(annotation):
            yield from _models(argument)
