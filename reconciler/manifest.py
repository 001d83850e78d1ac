"""Plain values → YAML in block form, as a person would write a manifest, and the same in every reader.

Only what no YAML version takes for something else is left bare; everything doubtful is quoted, so that 1.1
readers (kubectl) and 1.2 readers (intent.documents) see the same values.

Invariant: `intent.documents.parse` reads back exactly what was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_BARE = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*\Z")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_LARGEST: Final = 10**18
"""Integers from here on are text to the reader."""
_LONGEST_KEY: Final = 1000
"""YAML wants a key and its colon within 1,024 characters."""


def emit(value: Mapping[str, Any]) -> str:
    """Write a mapping of str, int, bool, None, lists and mappings; anything else is a ValueError."""
    return "\n".join(_block(value, "")) + "\n" if value else "{}\n"


def _block(value: Any, indent: str) -> Iterator[str]:
    """Yield the lines of a mapping or list that is not empty."""
    deeper = indent + "  "
    if isinstance(value, Mapping):
        for key, child in value.items():
            if isinstance(child, (Mapping, list)) and child:
                yield f"{indent}{_key(key)}:"
                yield from _block(child, deeper)
            else:
                yield f"{indent}{_key(key)}: {_scalar(child, deeper)}"
        return
    for child in value:
        if isinstance(child, (Mapping, list)) and child:
            lines = _block(child, deeper)
            yield f"{indent}- {next(lines).removeprefix(deeper)}"
            yield from lines
        else:
            yield f"{indent}- {_scalar(child, deeper)}"


def _key(key: Any) -> str:
    if not isinstance(key, str) or key == "<<" or len(written := _text(key)) > _LONGEST_KEY:
        raise ValueError(f"{str(key)[:40]!r} cannot be a key in YAML")
    return written


def _scalar(value: Any, indent: str) -> str:
    """Write what has no parts; only a literal block takes more than one line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if abs(value) < _LARGEST:
            return str(value)
        case str():
            return _literal(value, indent) if _is_literal(value) else _text(value)
        case Mapping():
            return "{}"
        case list():
            return "[]"
    raise ValueError(f"{value!r} cannot be written as YAML")


def _text(text: str) -> str:
    """Write text on one line: bare where every reader takes it for text, else in quotes."""
    if _BARE.match(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escape, quoted))


def _escape(char: str) -> str:
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def _is_literal(text: str) -> bool:
    """Say whether a literal block gives the text back: the first line sets its indent, the last its end."""
    lines = text.removesuffix("\n").split("\n")
    return (
        "\n" in text
        and lines[0][:1].strip() != ""
        and lines[-1] != ""
        and all(line.replace("\t", "").isprintable() for line in lines)
    )


def _literal(text: str, indent: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    head = "|" if text.endswith("\n") else "|-"
    return "\n".join([head, *(indent + line if line else "" for line in lines)])
