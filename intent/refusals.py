"""pydantic's refusals → diagnostics: the right place, words for network engineers, and a hint.

`extra_forbidden` points at the key, a missing field at its parent, fields that do not go together at the one
to blame, everything else at the value; steps that pydantic adds for unions are left out of the path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from intent.diagnostics import Diagnostic, Report, closest, did_you_mean
from intent.documents import MAX_ERRORS
from intent.model import models_in
from intent.source import Document, FieldPath

_EXPECTED: Final = {
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_TRUTH: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_REFER: Final = "refer to it: {env: NAME}, {file: PATH} or {kubernetes: namespace/name/key}"
BRACES: Final = "{n}, {n+10}, {n:02} and {n:x}"
"""How a document that stands for many servers writes the number of each."""
_LONGEST: Final = 60
"""Characters of a value that are repeated in a message."""


def explain(refusal: ValidationError, model: type[BaseModel], document: Document, report: Report) -> None:
    """Report each refusal of a document."""
    for error in refusal.errors(include_url=False)[:MAX_ERRORS]:
        path, rest = _path(document.data, error["loc"])
        kind = error["type"]
        if _is_secret(path, document):
            text = "a secret is never written into intent"
            report.found.append(Diagnostic("IC1027", text, document.span(path), hint=_REFER, private=True))
        elif kind == "extra_forbidden":
            hint = did_you_mean(str(path[-1]), _fields(model, error["loc"][:-1]))
            report.error("IC1020", document.span(path, key=True), f"unknown field {path[-1]!r}", hint)
        elif kind == "missing":
            _missing(path, rest, document, report)
        elif kind == "union_tag_not_found":
            _missing(
                path, str(error.get("ctx", {}).get("discriminator", "type")).strip("'"), document, report
            )
        elif kind == "union_tag_invalid":
            _unknown_tag(path, error, document, report)
        elif kind == "intent_type":
            report.error("IC1022", document.span(path), str(error.get("ctx", {})["text"]))
        elif kind == "intent":
            _own(path, error, document, report)
        elif not _failed_inside(path, error, document):
            message, hint = _words(error)
            hint = _brace_hint(path, document) or _shape_hint(error, model) or hint
            report.error("IC1022", document.span(path), message, hint)


def _is_secret(path: FieldPath, document: Document) -> bool:
    """Say whether text stands where only a reference to a secret may."""
    return path[-1:] == ("password",) and not isinstance(_at(document.data, path), dict)


def written(path: FieldPath) -> str:
    """Write a path as people do: `spec.subnets[0].cidr`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _missing(path: FieldPath, rest: str, document: Document, report: Report) -> None:
    node = _at(document.data, path)
    if isinstance(node, list):
        # A pair is written as a list; what is missing there has no name.
        wanted = int(rest) + 1 if rest.isdecimal() else len(node) + 1
        report.error("IC1021", document.span(path), f"needs {_entries(wanted)}, found {len(node)}")
        return
    where = written(path) or "the document"
    at_key = bool(path) and isinstance(path[-1], str)
    report.error("IC1021", document.span(path, key=at_key), f"field {rest!r} is missing in {where}")


def _unknown_tag(path: FieldPath, error: ErrorDetails, document: Document, report: Report) -> None:
    context = error.get("ctx", {})
    field, tag = str(context.get("discriminator", "type")).strip("'"), str(context.get("tag"))
    known = [item.strip(" '") for item in str(context.get("expected_tags", "")).split(",")]
    report.error(
        "IC1022",
        document.span((*path, field)),
        f"{field} {_found(tag)} is not known",
        did_you_mean(tag, known),
    )


def _own(path: FieldPath, error: ErrorDetails, document: Document, report: Report) -> None:
    """Report what a validator of ours refused: one value, or fields that do not go together."""
    context = error.get("ctx", {})
    text, hint = str(context["text"]), str(context["hint"])
    if not isinstance(error.get("input"), Mapping | BaseModel):
        report.error("IC1023", document.span(path), text, _brace_hint(path, document) or hint)
        return
    at = tuple(context.get("at", ()))
    inside, rest = _path(document.data, (*path, *at))
    # Without a field to blame, the key of the whole mapping is the place that everybody finds.
    at_key = not (at and not rest) and bool(inside) and isinstance(inside[-1], str)
    report.error("IC1024", document.span(inside, key=at_key), text, hint)


def _failed_inside(path: FieldPath, error: ErrorDetails, document: Document) -> bool:
    """Say whether a list is short only because entries of it were refused, which is reported by itself."""
    node = _at(document.data, path)
    least = error.get("ctx", {}).get("min_length", 0)
    return error["type"] == "too_short" and isinstance(node, list) and len(node) >= least


def _brace_hint(path: FieldPath, document: Document) -> str:
    value = _at(document.data, path)
    if not isinstance(value, str) or "{n" not in value:
        return ""
    if _at(document.data, ("spec", "range")) is None:
        return "{n} is filled in only where spec.range is said"
    return f"made from {value!r}; the forms are {BRACES}"


def _words(error: ErrorDetails) -> tuple[str, str]:
    """Return message and hint of a refusal of pydantic itself."""
    kind = error["type"]
    if kind in _EXPECTED:
        return _wrong_type(error)
    say = _SAYINGS.get(kind)
    if say:
        return say(error.get("input"), error.get("ctx", {}))
    message = error["msg"]
    return message[:1].lower() + message[1:], ""


def _wrong_type(error: ErrorDetails) -> tuple[str, str]:
    kind, value = error["type"], error.get("input")
    hint = ""
    if kind == "string_type" and isinstance(value, bool):
        hint = f"put quotes around it to make it text: '{str(value).lower()}'"
    elif kind == "bool_type" and isinstance(value, str):
        word = _TRUTH.get(value.lower(), value.lower())
        hint = f"write {word}" if word in ("true", "false") else ""
    elif kind == "int_type" and isinstance(value, str) and re.fullmatch("-?[0-9]{1,18}", value):
        hint = f"write {int(value)}: numbers have no quotes and no leading zeros"
    return f"expected {_EXPECTED[kind]}, found {_found(value)}", hint


def _shape_hint(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Say how the list or the mapping is written that should stand there."""
    wanted, value = _EXPECTED.get(error["type"]), error.get("input")
    inside = bool(_models_at(model, error["loc"]))
    if wanted == "a list":
        if inside:
            return "each entry of the list is a mapping that starts with '- '"
        return f"write [{value}]" if isinstance(value, str) else ""
    fields = _fields(model, error["loc"]) if wanted == "a mapping" and inside else ()
    return f"its fields are {', '.join(fields)}" if fields else ""


def _say_choice(value: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    words = re.findall(r"'([^']*)'|\b(True|False|[0-9]+)\b", str(context.get("expected", "")))
    known = [text or other.lower() for text, other in words]
    if len(known) == 1:
        return f"{_found(value)} is not possible here", f"write {known[0]}"
    if not isinstance(value, str):
        return f"expected one of {', '.join(known)}, found {_found(value)}", ""
    close = closest(value, known)
    return f"{_found(value)} is not one of {', '.join(known)}", f"did you mean {close!r}?" if close else ""


def _say_bound(value: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    if "ge" in context:
        return f"{_found(value)} is too small: at least {context['ge']}", ""
    return f"{_found(value)} is too large: at most {context.get('le')}", ""


def _say_short(_value: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    return f"needs at least {_entries(context['min_length'])}, found {context['actual_length'] or 'none'}", ""


def _say_long(_value: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    return f"takes at most {_entries(context['max_length'])}", ""


def _say_pattern(value: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    return f"{_found(value)} does not have the form {context.get('pattern')}", ""


_SAYINGS: Final[dict[str, Callable[[Any, Mapping[str, Any]], tuple[str, str]]]] = {
    "literal_error": _say_choice,
    "greater_than_equal": _say_bound,
    "less_than_equal": _say_bound,
    "too_short": _say_short,
    "too_long": _say_long,
    "string_pattern_mismatch": _say_pattern,
}


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _found(value: Any) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST else value[: _LONGEST - 3] + "…")
    words = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return words.get(type(value), str(value).lower() if isinstance(value, bool) else str(value))


def _at(data: Any, path: FieldPath) -> Any:
    """Return what the document holds at a path; None where it holds nothing."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _path(data: Any, location: tuple[int | str, ...]) -> tuple[FieldPath, str]:
    """Return the steps of a location that exist in the document, and the last step that does not."""
    path: list[int | str] = []
    rest = ""
    for step in location:
        known = range(len(data)) if isinstance(data, list) else data if isinstance(data, Mapping) else ()
        if step in known:
            path.append(step)
            data = data[step]
        else:
            rest = str(step)
    return tuple(path), rest


def _fields(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the field names that may stand at a location of a model."""
    found = _models_at(model, location) if location else [model]
    return [info.alias or name for one in found for name, info in one.model_fields.items()]


def _models_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """Return the models whose fields may stand at a location of a model; none where a scalar stands."""
    found = [model]
    for step in location:
        if isinstance(step, int):
            continue  # the models of a list are those of its entries
        deeper = [inner for one in found for inner in _step(one, step)]
        # A union's tag is no field: it chooses among the members that are already found.
        found = deeper or [one for one in found if _tag(one) == step]
    return found


def _step(model: type[BaseModel], step: int | str) -> list[type[BaseModel]]:
    for name, info in model.model_fields.items():
        if step == (info.alias or name):
            return list(models_in(info.annotation))
    return []


def _tag(model: type[BaseModel]) -> str | None:
    info = model.model_fields.get("type")
    arguments = get_args(info.annotation) if info and get_origin(info.annotation) is Literal else ()
    return str(arguments[0]) if len(arguments) == 1 else None
