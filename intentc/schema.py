"""The intent language as JSON Schema 2020-12: one schema per kind, and one for all kinds together.

Made from the models that the loader validates with, for editors. The schemas accept every document that the
loader accepts; they refuse less, because rules between fields and documents cannot be said in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema

from intent.kinds import KINDS
from intent.load import envelope
from intent.model import API_VERSION
from intent.scalars import Ranges
from intentc.docstrings import field_docs

Json = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
BASE: Final = "https://intentc.dev/schema/v1alpha1"

_BRACES: Final = r"\{n([+-][0-9]{1,6})?(:(x|0?[1-9]))?\}"
_NUMBERS: Final = ("1", "10", "1572", "100000")
"""Unquoted digits are numbers for an editor, while intentc reads them as text where a field takes text."""


class _Generator(GenerateJsonSchema):
    """Writes defaults as the user would, and says what fields mean."""

    def model_schema(self, schema: ModelSchema) -> Json:
        """Return the schema of a model with the texts of its fields."""
        body = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        texts = field_docs(model)
        for name, part in body.get("properties", {}).items():
            if name in texts:
                part.setdefault("description", texts[name])
        return body

    def encode_default(self, dft: Any) -> Any:
        """Return a default as a value of YAML."""
        return str(dft) if isinstance(dft, Ranges) else super().encode_default(dft)


def schema(kind: str | None) -> Json:
    """Return the schema of one kind, or of any document."""
    return _public(described(kind)) if kind else _union()


@cache
def described(kind: str) -> Json:
    """Return the schema of one kind with our marks (`x-type`, `x-unit`, `x-ref`), for the reference pages."""
    made = envelope(kind).model_json_schema(by_alias=True, schema_generator=_Generator)
    body = _tidy(made)
    if kind == "Node":
        body = _each(body, _with_braces)
    return {"$schema": DIALECT, "$id": f"{BASE}/{kind}.json", **body}


def _union() -> Json:
    """Choose by `kind` with if and then: an editor then complains about the chosen kind only."""
    definitions: Json = {}
    for kind in KINDS:
        body = schema(kind)
        parts = body.pop("$defs")
        # Texts of a Node may hold {n}, so its parts differ from parts of the same name in other kinds.
        prefix = "Ranged" if kind == "Node" else ""
        names = {name: prefix + name for name in parts}
        for name, part in _renamed(parts, names).items():
            if definitions.setdefault(names[name], part) != part:
                raise ValueError(f"two models are called {name}; one of them is in {kind}")
        whole = {key: body[key] for key in body if not key.startswith("$")}
        definitions[f"{kind}Document"] = _renamed({kind: whole}, names)[kind]
    choice = _chosen_by(
        {"propertyName": "kind", "mapping": {kind: f"#/$defs/{kind}Document" for kind in KINDS}}
    )
    return {
        "$schema": DIALECT,
        "$id": f"{BASE}/intentc.json",
        "title": "intentc",
        "description": "A document of intent.",
        **choice,
        "properties": {
            "apiVersion": {"const": API_VERSION},
            **choice["properties"],
            "metadata": {"type": "object"},
            "spec": {"type": "object"},
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "$defs": dict(sorted(definitions.items())),
    }


def _each(node: Any, change: Callable[[Json], Json]) -> Any:
    """Rebuild a schema from its leaves, with every subschema changed."""
    if isinstance(node, list):
        return [_each(item, change) for item in node]
    if not isinstance(node, dict):
        return node
    found: Json = {}
    for key, value in node.items():
        if key in ("properties", "$defs", "patternProperties"):
            found[key] = {name: _each(part, change) for name, part in value.items()}
        elif key in ("items", "anyOf", "oneOf", "allOf", "if", "then", "additionalProperties", "prefixItems"):
            found[key] = _each(value, change)
        else:
            found[key] = value
    return change(found)


def _tidy(body: Json) -> Json:
    """Leave out what repeats names, and write choices of simple types as one type."""
    return dict(_each(body, lambda part: _one_type(_numbers_too(_bare(part)))))


def _bare(part: Json) -> Json:
    dropped = {"title"}
    if (
        part.get("default", "") in (None, [], {})
        or isinstance(part.get("default"), dict)
        or _holds_mappings(part.get("default"))
    ):
        dropped.add("default")
    # The discriminator is a keyword of OpenAPI, not of JSON Schema.
    marks = {"discriminator": "x-choice"}
    return {marks.get(key, key): value for key, value in part.items() if key not in dropped}


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _numbers_too(part: Json) -> Json:
    """Let numbers stand where the field takes any text that could be digits only."""
    if part.get("type") != "string" or part.keys() & {"enum", "const", "format"}:
        return part
    if not any(re.search(part.get("pattern", ""), number) for number in _NUMBERS):
        return part
    return {**part, "type": ["string", "integer"]}


def _one_type(part: Json) -> Json:
    """Write "this or nothing" without a choice: editors then show one message instead of two."""
    choices = part.get("anyOf", [])
    if len(choices) != 2 or {"type": "null"} not in choices:  # noqa: PLR2004 -- the type and null
        return part
    (inner,) = (choice for choice in choices if choice != {"type": "null"})
    if "type" not in inner:
        return part
    types = inner["type"] if isinstance(inner["type"], list) else [inner["type"]]
    outer = {key: value for key, value in part.items() if key != "anyOf"}
    merged = {**inner, **outer, "type": [*types, "null"]}
    if "enum" in inner:
        merged["enum"] = [*inner["enum"], None]
    if "const" in inner:
        merged["enum"] = [merged.pop("const"), None]
    return merged


def _with_braces(part: Json) -> Json:
    """Let `{n}` stand in texts that must have a form: it is filled in before the form is checked."""
    types = part.get("type", [])
    forms = part.keys() & {"pattern", "format", "maxLength", "minLength"}
    if not forms or "string" not in ([types] if isinstance(types, str) else types):
        return part
    outer = {
        key: value for key, value in part.items() if key in ("description", "default", "x-ref", "x-type")
    }
    inner = {key: value for key, value in part.items() if key not in outer}
    return {**outer, "anyOf": [inner, {"type": "string", "pattern": _BRACES}]}


def _public(body: Json) -> Json:
    """Return a schema without our marks."""

    def clean(part: Json) -> Json:
        choice = part.get("x-choice")
        if choice:
            part = {**{key: part[key] for key in part if key != "oneOf"}, **_chosen_by(choice)}
        kept = {key: value for key, value in part.items() if not key.startswith("x-")}
        names = kept.get("propertyNames")
        if isinstance(names, dict):
            kept["propertyNames"] = {key: value for key, value in names.items() if not key.startswith("x-")}
            if not kept["propertyNames"]:
                del kept["propertyNames"]
        return kept

    return dict(_each(body, clean))


def _chosen_by(choice: Json) -> Json:
    """Choose among mappings by one field with if and then, as among kinds."""
    field: str = choice["propertyName"]
    refs: dict[str, str] = choice["mapping"]
    return {
        "type": "object",
        "properties": {field: {"enum": list(refs)}},
        "required": [field],
        "allOf": [
            {"if": {"properties": {field: {"const": value}}, "required": [field]}, "then": {"$ref": ref}}
            for value, ref in refs.items()
        ],
    }


def _renamed(body: Json, names: Mapping[str, str]) -> Json:
    """Return schemas by name whose references point to the new names of definitions."""

    def change(part: Json) -> Json:
        target = part.get("$ref")
        return {**part, "$ref": f"#/$defs/{names[target.rpartition('/')[2]]}"} if target else part

    return {name: _each(part, change) for name, part in body.items()}
