"""Writes the reference pages (docs/reference/), the schemas for editors (docs/schema/) and docs/impact.md.

Fields come from the models, classes of changes from the tables of the planner.

Run as `python -m intentc.reference` (or `make docs`). A test compares what lies there with what this would
write, so the pages cannot fall behind the language.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from intent.kinds import KINDS
from intentc.impact_page import page as impact
from intentc.schema import described, schema

Json = dict[str, Any]

DOCS: Final = Path(__file__).parent.parent / "docs"
SHARED: Final = ("Selector", "LabelSelectorRule", "SecretRef", "Metadata")
"""Models that many kinds use; they are described once, on the index page."""
TITLES: Final = {"Selector": "Selectors", "LabelSelectorRule": "Selector rules", "SecretRef": "Secrets"}

_HEADER: Final = "<!-- Written by `make docs` from the models; do not edit. -->\n"
_LISTED: Final = 6
"""Entries of a default or choice that fit a table cell."""


@dataclass(slots=True)
class _Section:
    """One table: the fields of one model, and where they are written."""

    title: str
    model: Json
    places: list[str] = field(default_factory=list)
    note: str = ""


def pages() -> dict[str, str]:
    """Return every generated file: its path below docs/, and its text."""
    found = {"reference/index.md": _index()}
    found |= {f"reference/{kind}.md": _page(kind) for kind in KINDS}
    found |= {f"schema/{kind}.json": _dump(schema(kind)) for kind in KINDS}
    found["schema/intentc.json"] = _dump(schema(None))
    found["impact.md"] = impact(_HEADER)
    return found


def main() -> None:
    """Write all files, and remove pages of kinds that are gone."""
    wanted = pages()
    for folder, pattern in (("reference", "*.md"), ("schema", "*.json")):
        (DOCS / folder).mkdir(parents=True, exist_ok=True)
        for path in (DOCS / folder).glob(pattern):
            if f"{folder}/{path.name}" not in wanted:
                path.unlink()
    for name, text in wanted.items():
        (DOCS / name).write_text(text, encoding="utf-8")


def _dump(body: Json) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _page(kind: str) -> str:
    body = described(kind)
    spec = body["$defs"][KINDS[kind].__name__]
    sections = _sections(body, spec)
    about = [_about(kind)]
    if "\n" in spec.get("description", ""):
        about.append(spec["description"])
    lines = [f"# {kind}", "", _HEADER, *(line for text in about for line in (_prose(text), ""))]
    for section in sections:
        lines += _table(section, body)
    lines += ["## Example", "", "```yaml", KINDS[kind].example.rstrip("\n"), "```", ""]
    also = "Every document also has [metadata](index.md#metadata)."
    lines.append(f"{also} Schema: [{kind}.json](../schema/{kind}.json).")
    return "\n".join(lines) + "\n"


def _index() -> str:
    lines = ["# The intent language", "", _HEADER, _INTRODUCTION, ""]
    lines += ["## Kinds", "", "| kind | says |", "|---|---|"]
    lines += [_row(kind) for kind in KINDS]
    body = described("Cluster")
    lines += ["", "## Metadata", ""]
    lines += _rows(_Section("Metadata", body["$defs"]["Metadata"], ["metadata"]), body)
    for name in ("Selector", "LabelSelectorRule", "SecretRef"):
        model = body["$defs"][name]
        lines += ["", f"## {TITLES[name]}", "", _prose(model["description"]), ""]
        lines += _rows(_Section(name, model, [""]), body)
    lines += ["", "## How values are written", "", _VALUES]
    return "\n".join(lines) + "\n"


_INTRODUCTION: Final = """\
Intent is written as YAML documents. Each has `apiVersion: intentc.dev/v1alpha1`, a `kind`, `metadata` and \
a `spec`. Unknown fields, keys that are said twice, merge keys and tags are errors. Documents refer to each \
other by name. For completion and checks while you type, put this line at the top of a file (the path leads \
from the file to [docs/schema/intentc.json](../schema/intentc.json)):

```yaml
# yaml-language-server: $schema=../../docs/schema/intentc.json
```"""

_VALUES: Final = """\
The field decides the type of its value; nothing is guessed. `65000:10` is text, `010` is refused where a \
number is asked for, and text made of digits only needs no quotes.

| type | written |
|---|---|
| name | lower-case letters, digits, `-` and `.`; at most 253 characters |
| DNS label | lower-case letters, digits and `-`; at most 63 characters |
| IP address | `192.0.2.1`, `fd00::1`; without prefix length |
| IP prefix | `192.0.2.0/24`, `fd00::/48`; no bits beyond its length |
| MAC address | `00:1c:73:00:dc:01` |
| range | `100-199`, `300`, or a list of both: `[100-199, 300]` |
| latency | a number with `us`, `ms` or `s`: `250us`, `3ms` |
| rate | a number with `M`, `G` or `T` (bits per second): `25G` |
| route target | `65000:10` or `192.0.2.1:10` |
| true or false | `true`, `false`; not `yes` or `on` |
| mapping | fields below it, indented |"""


def _row(kind: str) -> str:
    first = _about(kind).partition("\n\n")[0]
    return f"| [{kind}]({kind}.md) | {_cell(first)} |"


def _about(kind: str) -> str:
    """Return what the module of a kind says of it; a kind that serves another one there says it itself."""
    module = KINDS[kind].__module__
    if any(kind.startswith(other) and KINDS[other].__module__ == module for other in KINDS.keys() - {kind}):
        return (KINDS[kind].__doc__ or "").strip()
    said = (sys.modules[module].__doc__ or "").strip()
    text = said.partition(": ")[2]
    return text[:1].upper() + text[1:]


def _sections(body: Json, root: Json) -> list[_Section]:
    """Return the tables of a page in reading order: each model once, with all places where it is written."""
    found: dict[str, _Section] = {"": _Section("Fields", root, ["spec"])}
    queue = [""]
    while queue:
        key = queue.pop(0)
        section = found[key]
        for name, part in section.model.get("properties", {}).items():
            for target, step, note in _targets(part):
                if target in SHARED:
                    continue
                if target not in found:
                    found[target] = _Section(_title(target), body["$defs"][target], [], note)
                    queue.append(target)
                found[target].places += [f"{place}.{name}{step}" for place in section.places]
    return list(found.values())


def _targets(part: Json, step: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield the models that a field can hold: name, what stands behind the field's name, how it is chosen."""
    if "$ref" in part:
        yield part["$ref"].rpartition("/")[2], step, ""
    for choice in part.get("anyOf", []):
        yield from _targets(choice, step)
    if "x-choice" in part:
        chosen = part["x-choice"]
        for value, ref in chosen["mapping"].items():
            yield ref.rpartition("/")[2], step, f"Written with `{chosen['propertyName']}: {value}`."
    elif "oneOf" in part:
        for choice in part["oneOf"]:
            yield from _targets(choice, step)
    for inner in [part.get("items"), *part.get("prefixItems", [])]:
        if isinstance(inner, dict):
            yield from _targets(inner, f"{step}[]")


def _title(name: str) -> str:
    """Write the name of a model in words: `RedundancyGroup` becomes `Redundancy group`."""
    first, *rest = (_SHORT.get(word, word) for word in re.findall(r"[A-Z][a-z0-9]*", name))
    return " ".join([first, *(word if word in _SHORT.values() else word.lower() for word in rest)])


_SHORT: Final = {
    "Bgp": "BGP",
    "Cidrs": "CIDRs",
    "Ipam": "IPAM",
    "Nic": "NIC",
    "Sids": "SIDs",
    "Sriov": "SR-IOV",
    "Vf": "VF",
}
"""Words of model names that are written otherwise."""


def _table(section: _Section, body: Json) -> list[str]:
    lines = [f"## {section.title}", ""]
    if section.title != "Fields":
        places = ", ".join(f"`{place}`" for place in dict.fromkeys(section.places))
        said = _prose(section.model.get("description", ""))
        lines += [f"At {places}. {said} {section.note}".rstrip(), ""]
    return [*lines, *_rows(section, body), ""]


def _rows(section: _Section, body: Json) -> Iterator[str]:
    """Yield the lines of a table."""
    places = list(dict.fromkeys(section.places))
    prefix = f"{places[0]}." if len(places) == 1 and places[0] else ""
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    required = section.model.get("required", [])
    for name, part in section.model.get("properties", {}).items():
        default = "required" if name in required else _default(part)
        cells = [f"`{prefix}{name}`", _type(part, body), default, _cell(_meaning(part, body))]
        yield "| " + " | ".join(cells) + " |"


def _meaning(part: Json, body: Json) -> str:
    """Return the description of a field; that of its model where both would say the same."""
    name = _without_null(part).get("$ref", "").rpartition("/")[2]
    return str(part.get("description") or (body["$defs"][name].get("description", "") if name else ""))


def _default(part: Json) -> str:
    if "default" not in part:
        return ""
    value = part["default"]
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value[:_LISTED])
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(part: Json, body: Json) -> str:
    """Say the type of a field in the words of its users, with limits, unit and target."""
    part = _without_null(part)
    if "items" in part or "prefixItems" in part:
        return _list(part, body)
    if "additionalProperties" in part and "$ref" not in part:
        return "mapping of text to text"
    if "patternProperties" in part:
        (value,) = part["patternProperties"].values()
        return f"mapping of {_reference(part.get('propertyNames', {})) or 'text'} to {_type(value, body)}"
    name = part.get("$ref", "").rpartition("/")[2]
    if name in SHARED:
        chosen = _reference(part)
        what = {"Selector": "selector", "SecretRef": "secret reference"}.get(name, _title(name).lower())
        anchor = TITLES.get(name, name).lower().replace(" ", "-")
        return f"[{what}](index.md#{anchor})" + (f" of {chosen}" if chosen else "")
    if name:
        return f"[mapping]({_anchor(name)})"
    if "x-choice" in part:
        chosen = part["x-choice"]
        links = " \\| ".join(f"[`{value}`]({_anchor(ref)})" for value, ref in chosen["mapping"].items())
        return f"mapping with `{chosen['propertyName']}` {links}"
    return _simple(part)


def _anchor(name: str) -> str:
    return "#" + _title(name.rpartition("/")[2]).lower().replace(" ", "-")


def _simple(part: Json) -> str:
    """Say the type of a scalar."""
    words = _choices(part)
    if words:
        return words
    target = _reference(part)
    kind = part.get(
        "x-type", {"boolean": "true or false", "integer": "whole number"}.get(_plain(part), "text")
    )
    unit = f" ({part['x-unit']})" if "x-unit" in part else ""
    low, high = part.get("minimum"), part.get("maximum")
    limits = f", {low}-{high}" if low is not None and high is not None else ""
    return f"{kind} of {target}" if target else f"{kind}{limits}{unit}"


def _choices(part: Json) -> str:
    values = [part["const"]] if "const" in part else part.get("enum", [])
    words = (str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    return " \\| ".join(f"`{word}`" for word, value in zip(words, values, strict=True) if value is not None)


def _list(part: Json, body: Json) -> str:
    inner = part.get("items") or part["prefixItems"][0]
    what = _type(inner, body)
    least, most = part.get("minItems"), part.get("maxItems")
    if least is not None and least == most:
        return f"list of {least}: {what}"
    bounds = f", at least {least}" if least else ""
    bounds += f", at most {most}" if most else ""
    return f"list of {what}{bounds}"


def _plain(part: Json) -> str:
    types = part.get("type", "string")
    return str(types if isinstance(types, str) else types[0])


def _without_null(part: Json) -> Json:
    """Return what a field holds where it holds something."""
    choices = [choice for choice in part.get("anyOf", []) if choice != {"type": "null"}]
    if not choices or "x-type" in part:
        return part
    return {**{key: value for key, value in part.items() if key != "anyOf"}, **choices[0]}


def _reference(part: Json) -> str:
    return " or ".join(f"[{kind}]({kind}.md)" for kind in part.get("x-ref", []))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


if __name__ == "__main__":
    main()
