"""A wrong value at every place of every kind, found by walking the models: told where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import is_dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from intent.diagnostics import Report, as_json, as_text
from intent.documents import parse
from intent.kinds import KINDS
from intent.load import envelope, load
from intent.model import Model
from intent.source import Document, FieldPath, Source

WRONG: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**17, "", "1:30", "no", "x" * 300, "ü ß", "{n}", "²"),
    *([], [[]], [None], [{}], ["a", "a"], {}, {"": None}, {"type": "x"}, {"name": {}}),
)
"""What people and broken templates write; each is left out where the field takes it."""
CONFIG = ConfigDict(coerce_numbers_to_str=bool(Model.model_config["coerce_numbers_to_str"]))
Place = tuple[FieldPath, dict[FieldPath, Any], Any]
"""A path, what must stand beside it (the types of unions), and the type of the value there."""


def places(annotation: Any, path: FieldPath, beside: dict[FieldPath, Any]) -> Iterator[Place]:
    """Yield every place at and below a value of some type."""
    yield path, beside, annotation
    for part in parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            tags = {(*path, name): tag for name, info in part.model_fields.items() if (tag := only(info))}
            for name, info in part.model_fields.items():
                step = (*path, info.alias or name)
                yield from places(typed(info), step, {**beside, **tags})
        elif get_origin(part) is tuple:
            yield from places(get_args(part)[0], (*path, 0), beside)
        elif get_origin(part) is dict:
            yield from places(get_args(part)[1], (*path, "key"), beside)


def parts(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union, without their annotations."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (tuple, dict, Literal) or not get_args(annotation):
        yield annotation
        return
    for part in get_args(annotation):
        yield from parts(part)


def typed(info: FieldInfo) -> Any:
    """Return the type of a field with all that is said about it."""
    marks = [info.discriminator] if info.discriminator else []
    extra = (*info.metadata, *(FieldInfo(discriminator=mark) for mark in marks))
    return Annotated[info.annotation, *extra] if extra else info.annotation


def only(info: FieldInfo) -> Any:
    """Return the one value that a field can have."""
    known = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
    return known[0] if len(known) == 1 else None


def put(data: Any, path: FieldPath, value: Any) -> None:
    """Write a value at a path, and whatever must be there to hold it."""
    for step, after in pairwise(path):
        empty: Any = [] if isinstance(after, int) else {}
        if isinstance(step, int):
            if not data or not isinstance(data[0], type(empty)):
                data[:] = [empty]
            data = data[0]
        else:
            if not isinstance(data.get(step), type(empty)):
                data[step] = empty
            data = data[step]
    if isinstance(path[-1], int):
        data[:] = [value]
    else:
        data[path[-1]] = value


def takes(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def example(kind: str) -> dict[str, Any]:
    document = parse(Source("a.yaml", KINDS[kind].example), Report())[0]
    found: dict[str, Any] = deepcopy(document.data)
    return found


def told(data: dict[str, Any]) -> tuple[Document, Report]:
    """Load a document, print what is wrong with it in both forms, and return it with the report."""
    source = Source("a.yaml", json.dumps(data, indent=1, ensure_ascii=False))
    report = Report()
    load([source], report)
    as_text(report.sorted(), {source.file: source.text}).encode()
    json.dumps(as_json(report.sorted()))
    assert all(entry.span.line and entry.span.column for entry in report.found)
    (document,) = parse(source, Report())
    return document, report


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_value_is_told_where_it_stands(kind: str) -> None:
    base, count, missed = example(kind), 0, []
    for path, beside, annotation in places(envelope(kind), (), {}):
        adapter: TypeAdapter[Any] = TypeAdapter(
            annotation, config=None if is_configured(annotation) else CONFIG
        )
        for value in WRONG if path else ():
            data = deepcopy(base)
            put(data, path, value)
            for place, tag in beside.items():
                if place[: len(path)] != path:
                    put(data, place, tag)
            document, report = told(data)
            # In a node with a range, {n} is filled in before anything is judged.
            if takes(adapter, value) or (kind == "Node" and value == "{n}"):
                continue
            count += 1
            here = [
                document.span((*path, *deeper), key=key) for deeper in inside(value) for key in (True, False)
            ]
            if path[:2] == ("spec", "range"):  # too large a range is told at the range
                here.append(document.span(path[:2]))
            if not {entry.span for entry in report.found} & set(here):
                missed.append((path, value, [str(entry) for entry in report.sorted()]))
    assert missed == []
    assert count > 100


def is_configured(annotation: Any) -> bool:
    """Say whether a type brings its own configuration."""
    return any(
        is_dataclass(part) or (isinstance(part, type) and issubclass(part, BaseModel))
        for part in parts(annotation)
    )


def inside(value: Any) -> Iterator[FieldPath]:
    """Yield the paths at and below a value."""
    yield ()
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, child in entries:
        yield from ((step, *deeper) for deeper in inside(child))
