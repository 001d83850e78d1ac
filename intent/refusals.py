"""pydantic's refusals → diagnostics: the right place, words for network engineers, and a hint.

`extra_forbidden` points at the key, a missing field at its parent, everything else at the value; steps that
pydantic adds for unions are left out of the path.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from intent.diagnostics import Report, did_you_mean
from intent.source import Document, FieldPath

_EXPECTED = {
    "int_type": "a whole number without quotes",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def explain(refusal: ValidationError, model: type[BaseModel], document: Document, report: Report) -> None:
    """Report each refusal of a document."""
    for error in refusal.errors(include_url=False):
        path, rest = _path(document.data, error["loc"])
        kind = error["type"]
        if kind == "extra_forbidden":
            hint = did_you_mean(str(path[-1]), _fields(model, error["loc"][:-1]))
            report.error("IC1020", document.span(path, key=True), f"unknown field {path[-1]!r}", hint)
        elif kind == "missing":
            where = ".".join(map(str, path)) or "the document"
            report.error(
                "IC1021", document.span(path, key=bool(path)), f"field {rest!r} is missing in {where}"
            )
        elif kind == "intent":
            context = error.get("ctx", {})
            together = isinstance(error.get("input"), Mapping | BaseModel)
            report.error(
                "IC1024" if together else "IC1023",
                document.span(path),
                str(context["text"]),
                _brace_hint(error) or str(context["hint"]),
            )
        else:
            message, hint = _words(error)
            report.error("IC1022", document.span(path), message, _brace_hint(error) or hint)


def _brace_hint(error: ErrorDetails) -> str:
    value = error.get("input")
    return (
        "{n} is filled in only where spec.range is said" if isinstance(value, str) and "{n" in value else ""
    )


def _words(error: ErrorDetails) -> tuple[str, str]:
    """Return message and hint of a refusal of pydantic itself."""
    kind, value, context = error["type"], error.get("input"), error.get("ctx", {})
    if kind in _EXPECTED:
        hint = ""
        if kind == "string_type" and isinstance(value, bool):
            hint = "quote it, to make it text"
        if kind == "int_type" and isinstance(value, str) and value.lstrip("-").isdigit():
            hint = f"write {int(value)}: numbers have no leading zeros and no quotes"
        return f"expected {_EXPECTED[kind]}, found {_found(value)}", hint
    if kind in ("literal_error", "enum"):
        words = [
            item.strip("'") for item in str(context.get("expected", "")).replace(" or ", ", ").split(", ")
        ]
        return f"{_found(value)} is not one of {', '.join(words)}", did_you_mean(str(value), words)
    if kind == "union_tag_invalid":
        words = [item.strip(" '") for item in str(context.get("expected_tags", "")).split(",")]
        return f"{context.get('discriminator', 'type')} {context.get('tag')!r} is not known", did_you_mean(
            str(context.get("tag")), words
        )
    if kind == "union_tag_not_found":
        return f"field {str(context.get('discriminator', 'type')).strip(chr(39))!r} is missing", ""
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        return f"{_found(value)} is {'less' if 'ge' in context else 'more'} than {bound}", ""
    if kind == "too_short":
        return f"needs at least {context.get('min_length')} entries, found {context.get('actual_length')}", ""
    if kind == "too_long":
        return f"takes at most {context.get('max_length')} entries", ""
    if kind == "string_pattern_mismatch":
        return f"{_found(value)} does not have the form {context.get('pattern')}", ""
    message = error["msg"]
    return message[:1].lower() + message[1:], ""


def _found(value: Any) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "…")  # noqa: PLR2004 -- fits one line
    words = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return words.get(type(value), str(value).lower() if isinstance(value, bool) else str(value))


def _path(data: Any, location: tuple[int | str, ...]) -> tuple[FieldPath, str]:
    """Return the steps of a location that exist in the document, and the last step that does not."""
    path: list[int | str] = []
    rest = ""
    for step in location:
        if (isinstance(data, Mapping) and step in data) or (
            isinstance(data, list) and isinstance(step, int) and step < len(data)
        ):
            path.append(step)
            data = data[step]
        else:
            rest = str(step)
    return tuple(path), rest


def _fields(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the field names that may stand at a location of a model."""
    found = [model]
    for step in location:
        deeper = [inner for one in found for inner in _step(one, step)]
        # A union's tag is no field: it chooses among the members that are already found.
        tagged = [one for one in found if _tag(one) == step]
        found = deeper or tagged or found
    return [info.alias or name for one in found for name, info in one.model_fields.items()]


def _step(model: type[BaseModel], step: int | str) -> list[type[BaseModel]]:
    for name, info in model.model_fields.items():
        if step == (info.alias or name):
            return list(_models(info.annotation))
    return []


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list, dict):
        for argument in get_args(annotation):
            yield from _models(argument)


def _tag(model: type[BaseModel]) -> str | None:
    info = model.model_fields.get("type")
    arguments = get_args(info.annotation) if info and get_origin(info.annotation) is Literal else ()
    return str(arguments[0]) if len(arguments) == 1 else None
