"""Secrets by reference: found in specs, resolved where they are needed, and never kept.

A spec says `{"secret": "env:NAME"}`. For a target that holds the value itself, a plan has to show that it
changed without showing it: the reference is sealed, with a digest beside it that is keyed with a key of the
applier. The target's driver is opened with the same `Vault`; it seals what it observes and asks for the value
at commit only.

Invariant: no value stands in a Resource, a Plan, a journal, a message or an exception.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import stat
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from reconciler.drivers.base import PermanentError
from renderers.resource import Resource

REFERENCE: Final = "secret"
"""Field of a spec that holds a reference …"""
SEAL: Final = "sealed"
"""… and the one that its digest is put into, beside it."""
_REFERENCE: Final = re.compile(r"(env|file|kubernetes):(.+)", re.DOTALL)
_NESTED: Final = (dict, list)
_MAX_BYTES: Final = 64 * 1024


class SecretError(PermanentError):
    """A secret cannot be had; the message names the reference and what to do."""


def references(value: Any) -> Iterator[str]:
    """Yield the references to secrets that plain values hold."""
    if isinstance(value, dict):
        found = value.get(REFERENCE)
        if isinstance(found, str) and _REFERENCE.fullmatch(found):
            yield found
        for part in value.values():
            if isinstance(part, _NESTED):
                yield from references(part)
    elif isinstance(value, list):
        for part in value:
            if isinstance(part, _NESTED):
                yield from references(part)


def resolve(reference: str, root: Path, environment: Mapping[str, str]) -> str:
    """Return the value behind a reference; relative files start from `root`. SecretError says why not."""
    kind, _, name = reference.partition(":")
    if not name.isprintable():
        raise SecretError(f"the secret {reference!a} cannot be: its name has signs that cannot be printed")
    if kind == "kubernetes":
        raise SecretError(
            f"the secret {reference} is in Kubernetes, which this applier cannot reach; use env or file"
        )
    if kind == "env":
        if name not in environment:
            raise SecretError(f"the secret {reference} is not there: set the environment variable {name}")
        value = environment[name]
    else:
        value = _read(reference, root / name)
    if not value:
        raise SecretError(f"the secret {reference} is empty")
    return value


def finder(root: Path) -> Callable[[str], str]:
    """Return what resolves references on this machine."""
    return lambda reference: resolve(reference, root, os.environ)


@dataclass(frozen=True, slots=True)
class Vault:
    """Where the values are while they are needed: the key of the applier, and how to resolve a reference."""

    key: bytes = field(repr=False)
    find: Callable[[str], str] = field(repr=False)
    """Reference → value; raises SecretError."""

    def digest(self, reference: str, value: str) -> str:
        """Return what a plan shows for a value: `KEY-DIGEST`, of use only to whoever has the key."""
        name = hashlib.sha256(b"intentc" + self.key).hexdigest()[:8]
        said = f"{reference}\0{value}".encode("utf-8", "surrogateescape")
        keyed = hmac.new(self.key, said, hashlib.sha256)
        return f"{name}-{keyed.hexdigest()[:32]}"

    def seal(self, resource: Resource) -> Resource:
        """Return an object with a digest beside each reference; SecretError where one has no value."""
        if not any(references(resource.spec)):
            return resource
        return replace(resource, spec=self._sealed(resource.spec))

    def open(self, resource: Resource) -> dict[str, str]:
        """Return the values behind the references of a sealed object, at commit time."""
        return {reference: self.reveal(reference, seal) for reference, seal in _seals(resource.spec)}

    def reveal(self, reference: str, sealed: str) -> str:
        """Return the value that was sealed; SecretError where it is another one by now."""
        value = self.find(reference)
        now = self.digest(reference, value)
        if now != sealed:
            key = now.partition("-")[0] == sealed.partition("-")[0]
            why = "has another value now" if key else "was sealed with the key of another applier"
            raise SecretError(f"the secret {reference} {why}; plan again")
        return value

    def _sealed(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._sealed(part) for part in value]
        if not isinstance(value, dict):
            return value
        parts = {name: self._sealed(part) for name, part in value.items()}
        for found in references({REFERENCE: value.get(REFERENCE)}):
            parts[SEAL] = self.digest(found, self.find(found))
        return parts


@dataclass(frozen=True, slots=True)
class Redact:
    """Takes known secrets out of words, in the forms in which programs repeat them."""

    known: re.Pattern[str] | None = field(default=None, repr=False)

    def __call__(self, words: str) -> str:
        """Return the words without secrets."""
        return self.known.sub("[secret]", words) if self.known else words


def redactor(values: Iterable[str]) -> Redact:
    """Return what takes these values out."""
    forms = {form for value in values for form in _forms(value) if form}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return Redact(re.compile("|".join(map(re.escape, longest_first))) if forms else None)


def known_values(resources: Iterable[Resource], find: Callable[[str], str]) -> Iterator[str]:
    """Yield the values behind all references in some objects; what cannot be had cannot leak."""
    for reference in {found for resource in resources for found in references(resource.spec)}:
        try:
            yield find(reference)
        except SecretError:
            continue


def _seals(value: Any) -> Iterator[tuple[str, str]]:
    """Yield references with the digests beside them; one that was never sealed is a bug."""
    if isinstance(value, dict):
        for found in references({REFERENCE: value.get(REFERENCE)}):
            yield found, value[SEAL]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _seals(part)


def _read(reference: str, path: Path) -> str:
    """Return what a file holds, without the line end that editors put behind it."""
    try:
        # Non-blocking, so that a FIFO cannot hang the run.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise SecretError(f"the secret {reference} is no regular file")
            raw = stream.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise SecretError(f"the secret {reference} is larger than {_MAX_BYTES // 1024} KiB")
        return raw.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SecretError(f"the secret {reference} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretError(f"the secret {reference} is not UTF-8") from None


def _forms(value: str) -> Iterator[str]:
    """Yield a value as it may come back: as it is, escaped, encoded, and line by line."""
    raw = value.encode("utf-8", "surrogateescape")
    yield value
    yield repr(value)[1:-1]
    yield repr(raw)[2:-1]
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(raw, safe="")
    yield quote(raw)
    yield b64encode(raw).decode()
    yield raw.hex()
    if "\n" in value:
        yield from (line for line in value.split("\n") if len(line.strip()) > 3)  # noqa: PLR2004 -- less says nothing
