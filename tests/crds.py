"""Judges rendered objects by the CustomResourceDefinitions of the programs that will read them.

The schemas are used as they are, except that a field which the schema does not name is refused: a real API
server drops such a field silently, and a test that let it pass would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

FOLDER = Path(__file__).parents[2] / "shared" / "crds"
_OPEN = "x-kubernetes-preserve-unknown-fields"


def need_crds() -> None:
    """Skip the test, with the reason, where the definitions are not at hand."""
    if not FOLDER.is_dir():
        pytest.skip(
            "the CRDs of Multus, the SR-IOV operator, whereabouts and Calico are not beside this checkout"
        )


def problems(manifest: Mapping[str, Any]) -> list[str]:
    """Return what the CRD of a manifest objects to; a kind without a CRD is a problem too."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    schema = _schemas().get((group, version, manifest["kind"]))
    if schema is None:
        return [f"no CRD for {manifest['apiVersion']} {manifest['kind']}"]
    found = jsonschema.Draft202012Validator(schema).iter_errors(dict(manifest))
    return sorted(f"{error.json_path}: {error.message}" for error in found)


@cache
def _schemas() -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the schema of every served version, by group, version and kind."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for definition in _definitions():
        spec = definition["spec"]
        for version in spec["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            # The API server itself knows these three, whatever the schema says of them.
            schema.setdefault("properties", {}).update(apiVersion={}, kind={}, metadata={"type": "object"})
            found[spec["group"], version["name"], spec["names"]["kind"]] = schema
    return found


def _definitions() -> Iterator[dict[str, Any]]:
    reader = YAML(typ="safe", pure=True)
    for path in sorted(FOLDER.rglob("*.yaml")):
        for document in reader.load_all(path):
            if document and document.get("kind") == "CustomResourceDefinition":
                yield document


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI schema as JSON Schema: unknown fields are refused."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    result = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "nullable"}
    if "properties" in schema:
        result["properties"] = {name: _strict(inner) for name, inner in schema["properties"].items()}
        if not schema.get(_OPEN) and "additionalProperties" not in schema:
            result["additionalProperties"] = False
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), Mapping):
            result[key] = _strict(schema[key])
    # Branches of anyOf and the like only add conditions; they name no fields of their own.
    if schema.get("nullable") and "type" in result:
        result["type"] = [result["type"], "null"]
    return result
