"""Secrets by reference: found, resolved, sealed, revealed at commit, and taken out of words."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from reconciler.apply import apply
from reconciler.drivers.simulator import Keeper
from reconciler.plan import Plan, plan
from reconciler.secrets import SecretError, Vault, known_values, redactor, references, resolve
from renderers.resource import Key, Resource

CANARY = 'can"ary\\päss wörd/1'
KEY = b"k" * 32


def peer(name: str, reference: str | None) -> Resource:
    secret = {"secret": reference} if reference else None
    return Resource(Key("apstra", "fabric/dc1", "peer", name), {"asn": 1, "peers": [{"password": secret}]})


def test_references_are_found_wherever_they_stand() -> None:
    spec = {
        "a": {"secret": "env:A"},
        "b": [{"neighbor": "x", "secret": "file:b"}],
        "c": {"secret": "kubernetes:n/s/k"},
        "d": {"secret": "plain text"},
        "e": {"secret": {"secret": "env:E"}},
        "secret": None,
    }
    assert list(references(spec)) == ["env:A", "file:b", "kubernetes:n/s/k", "env:E"]


def test_values_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "pass").write_text(f"{CANARY}\n")
    assert resolve("env:X", tmp_path, {"X": CANARY}) == CANARY
    assert resolve("file:pass", tmp_path, {}) == CANARY
    assert resolve(f"file:{tmp_path}/pass", Path("/"), {}) == CANARY


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:X", "set the environment variable X"),
        ("env:EMPTY", "is empty"),
        ("file:missing", "cannot be read: No such file"),
        ("file:a\0b", "signs that cannot be printed"),
        ("env:\ud800", "signs that cannot be printed"),
        ("file:.", "regular file|cannot be read"),
        ("file:pipe", "no regular file"),
        ("file:latin", "not UTF-8"),
        ("file:large", "larger than"),
        ("kubernetes:a/b/c", "which this applier cannot reach"),
    ],
)
def test_what_cannot_be_had_is_explained(tmp_path: Path, reference: str, words: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    with pytest.raises(SecretError, match=words):
        resolve(reference, tmp_path, {"EMPTY": ""})


class World:
    """A target that holds secrets, and the environment of the applier."""

    def __init__(self) -> None:
        self.environment = {"A": "first", "B": "second"}
        self.vault = Vault(KEY, lambda reference: resolve(reference, Path(), self.environment))
        self.target = Keeper("switch", self.vault)

    def plan(self, *wanted: Resource) -> Plan:
        return plan({"switch": map(self.vault.seal, wanted)}, {"switch": self.target.observe()})

    def apply(self, changes: Plan) -> list[str]:
        return [outcome.message for outcome in apply(changes, {"switch": self.target}).failed]


def test_a_target_that_holds_secrets_gets_them_at_commit_and_the_plan_is_empty() -> None:
    world = World()
    changes = world.plan(peer("a", "env:A"), peer("b", None))
    assert world.apply(changes) == []
    assert world.target.held[peer("a", None).key] == {"env:A": "first"}
    assert world.plan(peer("a", "env:A"), peer("b", None)).actions == ()


def test_a_changed_value_is_a_change_and_does_not_show() -> None:
    world = World()
    world.apply(world.plan(peer("a", "env:A")))
    world.environment["A"] = CANARY
    changes = world.plan(peer("a", "env:A"))
    (action,) = changes.actions
    assert [change.path for change in action.changes] == ["peers.0.password.sealed"]
    assert CANARY not in repr(changes)
    assert world.apply(changes) == []
    assert world.plan(peer("a", "env:A")).actions == ()
    assert world.target.held[action.key] == {"env:A": CANARY}
    assert CANARY not in repr((world.target.observe(), world.vault, world.target.written))


def test_a_value_that_changes_between_plan_and_apply_is_refused() -> None:
    world = World()
    changes = world.plan(peer("a", "env:A"), peer("b", "env:B"))
    world.environment["A"] = CANARY
    (message,) = world.apply(changes)
    assert message == "the secret env:A has another value now; plan again"
    assert [key.name for key in world.target.ours] == ["b"]


def test_a_plan_of_another_key_is_refused() -> None:
    world = World()
    changes = world.plan(peer("a", "env:A"))
    world.target.vault = Vault(b"other" * 8, world.vault.find)
    (message,) = world.apply(changes)
    assert "was sealed with the key of another applier" in message


def test_a_digest_says_nothing_without_the_key() -> None:
    one, other = Vault(KEY, str), Vault(b"o" * 32, str)
    assert one.digest("env:A", "x") == Vault(KEY, str).digest("env:A", "x")
    assert len({one.digest("env:A", "x"), one.digest("env:A", "y"), one.digest("env:B", "x")}) == 3
    assert one.digest("env:A", "x").partition("-")[2] != other.digest("env:A", "x").partition("-")[2]
    assert KEY.decode() not in repr(one)


def test_a_secret_without_a_value_cannot_be_sealed() -> None:
    world = World()
    with pytest.raises(SecretError, match="env:C"):
        world.plan(peer("a", "env:C"))


def test_what_has_no_secret_is_left_alone() -> None:
    resource = peer("a", None)
    assert World().vault.seal(resource) is resource


@pytest.mark.parametrize(
    "words",
    [
        CANARY,
        f"login failed for {CANARY!r}",
        json.dumps({"password": CANARY}),
        json.dumps({"password": CANARY}, ensure_ascii=False),
        f"GET /?p={quote(CANARY, safe='')}",
        base64.b64encode(CANARY.encode()).decode(),
        str(CANARY.encode()),
        CANARY.encode().hex(),
    ],
)
def test_words_are_redacted_in_every_form(words: str) -> None:
    redact = redactor([CANARY, "can"])
    said = redact(words)
    assert "[secret]" in said
    assert not any(part in said for part in ("ary", "wörd", CANARY))


def test_lines_of_a_long_secret_are_redacted() -> None:
    redact = redactor(["-----BEGIN-----\nsecret line\n}\n"])
    assert redact("at secret line { }") == "at [secret] { }"


def test_nothing_known_redacts_nothing() -> None:
    assert redactor([])("as it was") == "as it was"
    assert "x1" not in repr(redactor(["x1x1"]))


def test_values_that_cannot_be_had_are_left_out() -> None:
    world = World()
    resources = [peer("a", "env:A"), peer("b", "env:C"), peer("c", "env:A"), peer("d", None)]
    assert list(known_values(resources, world.vault.find)) == ["first"]
