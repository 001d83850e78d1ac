"""What kinds share: where secrets are referred to, and origins that wait until they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from intent.diagnostics import Report
from intent.kinds import KINDS
from intent.load import envelope, load
from intent.model import Intent, LazyOrigins, Origin, holds_secret
from intent.source import Source

EXIT = KINDS["ExternalConnection"].example
PASSWORD = "      password:\n        env: N6_PEER_PASSWORD\n"


def read(text: str) -> Intent:
    (intent,) = load([Source("a.yaml", text)], Report())
    return intent


def test_a_secret_is_found_however_deep_it_stands() -> None:
    assert PASSWORD in EXIT
    assert holds_secret(read(EXIT).spec)
    assert not holds_secret(read(EXIT.replace(PASSWORD, "")).spec)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_without_secrets_are_not_walked(kind: str) -> None:
    refers = "SecretRef" in json.dumps(envelope(kind).model_json_schema())
    assert refers == (kind in ("Cluster", "ExternalConnection"))


def test_origins_are_made_once_and_only_when_they_are_read() -> None:
    intent, made = read(EXIT), []

    def make() -> Iterator[Origin]:
        made.append(1)
        yield Origin("name", intent, ("metadata", "name"))
        yield Origin("", intent, ("spec",))

    origins = LazyOrigins(make)
    assert made == []
    assert [origin.field for origin in origins] == ["name", ""]
    assert (len(origins), origins[0].field, origins[1:]) == (2, "name", tuple(origins)[1:])
    assert made == [1]
