"""Thin access to the API: the same tests on the stand-in and on a real kube-apiserver."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from reconciler.drivers.base import PermanentError, TransientError
from reconciler.kube import LEASES, NODES, SLICES, Conflict, Expired, Kind, Kube, connect
from tests.agents import LIMIT
from tests.apiserver import real
from tests.apiserver import server as stand_in


@pytest.fixture(params=["stand-in", pytest.param("real", marks=real.MARKS)])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Kube, str]]:
    if request.param == "real":
        kube = connect(real.shared())
        yield kube, real.new_namespace(tmp_path.name)
        kube.close()
        return
    with stand_in.running() as (_, server):
        kube = connect(stand_in.kubeconfig(tmp_path, server))
        yield kube, "intentc-system"
        kube.close()


def node(name: str, digest: str = "0" * 32) -> dict[str, Any]:
    spec = {"cluster": "east", "node": name, "digest": digest}
    return {"apiVersion": NODES.api, "kind": NODES.kind, "metadata": {"name": name}, "spec": spec}


def test_objects_are_made_read_changed_and_deleted(api: tuple[Kube, str]) -> None:
    kube, space = api
    assert kube.get(NODES, space, "w1") is None
    made = kube.create(NODES, space, node("w1"))
    assert made["metadata"]["generation"] == 1
    found = kube.get(NODES, space, "w1")
    assert found == made
    found["spec"]["digest"] = "1" * 32
    changed = kube.replace(NODES, space, found)
    assert (changed["spec"]["digest"], changed["metadata"]["generation"]) == ("1" * 32, 2)
    kube.delete(NODES, space, changed)
    assert kube.get(NODES, space, "w1") is None
    kube.delete(NODES, space, changed)


def test_who_comes_late_is_refused(api: tuple[Kube, str]) -> None:
    kube, space = api
    old = kube.create(NODES, space, node("w1"))
    with pytest.raises(Conflict, match="already exists"):
        kube.create(NODES, space, node("w1"))
    new = kube.replace(NODES, space, {**old, "spec": {**old["spec"], "digest": "1" * 32}})
    with pytest.raises(Conflict, match="has been modified"):
        kube.replace(NODES, space, {**old, "spec": {**old["spec"], "digest": "2" * 32}})
    with pytest.raises(Conflict):
        kube.delete(NODES, space, old)
    assert kube.get(NODES, space, "w1") == new
    kube.delete(NODES, space, new)
    with pytest.raises(Conflict):
        kube.replace(NODES, space, new)


def test_writing_without_a_version_is_a_bug(api: tuple[Kube, str]) -> None:
    kube, space = api
    with pytest.raises(ValueError, match="without its version"):
        kube.replace(NODES, space, node("w1"))


def test_what_is_written_again_as_it_is_has_the_same_version(api: tuple[Kube, str]) -> None:
    kube, space = api
    made = kube.create(NODES, space, node("w1"))
    assert kube.replace(NODES, space, made) == made


def test_the_status_is_apart(api: tuple[Kube, str]) -> None:
    kube, space = api
    made = kube.create(NODES, space, {**node("w1"), "status": {"applied": "3" * 32}})
    assert "status" not in made
    said = {**made, "status": {"applied": "1" * 32, "drift": 2}, "spec": {**made["spec"], "digest": "2" * 32}}
    told = kube.replace(NODES, space, said, status=True)
    assert (told["status"], told["spec"]) == ({"applied": "1" * 32, "drift": 2}, made["spec"])
    assert told["metadata"]["generation"] == 1
    with pytest.raises(Conflict):
        kube.replace(NODES, space, made)
    again = kube.replace(NODES, space, {**told, "status": {}})
    assert again["status"] == told["status"]


def test_lists_come_in_pages_and_can_be_of_metadata_only(
    api: tuple[Kube, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kube, space = api
    assert kube.list(NODES, space).items == []
    assert kube.list(NODES, space, metadata=True).items == []
    for at in range(7):
        kube.create(NODES, space, node(f"w{at}"))
    monkeypatch.setattr("reconciler.kube.PAGE", 3)
    before = kube.requests
    found = kube.list(NODES, space)
    assert [body["metadata"]["name"] for body in found.items] == [f"w{at}" for at in range(7)]
    assert kube.requests - before == 3
    bare = kube.list(NODES, space, metadata=True).items
    assert [body["metadata"]["name"] for body in bare] == [f"w{at}" for at in range(7)]
    assert all("spec" not in body for body in bare)


def test_a_watch_tells_what_happens_from_a_version_on(api: tuple[Kube, str]) -> None:
    kube, space = api
    first = kube.create(NODES, space, node("w1"))
    version = kube.list(NODES, space).version
    second = kube.create(NODES, space, node("w2"))
    changed = kube.replace(NODES, space, {**first, "spec": {**first["spec"], "digest": "1" * 32}})
    kube.delete(NODES, space, second)
    kube.delete(NODES, space, changed)
    seen = [
        (event.type, event.object["metadata"]["name"])
        for event in islice(kube.watch(NODES, space, version, 60), 4)
    ]
    assert seen == [("ADDED", "w2"), ("MODIFIED", "w1"), ("DELETED", "w2"), ("DELETED", "w1")]
    only = islice(kube.watch(NODES, space, version, 60, "w1"), 2)
    assert [(event.type, event.object["metadata"]["name"]) for event in only] == [seen[1], seen[3]]


def test_a_watch_can_be_closed_by_another_thread(api: tuple[Kube, str]) -> None:
    kube, space = api
    watch = kube.watch(NODES, space, kube.list(NODES, space).version, 2 * int(LIMIT))
    timer = threading.Timer(0.2, watch.close)
    timer.start()
    begun = time.monotonic()
    assert list(watch) == []
    assert time.monotonic() - begun < LIMIT
    timer.join()


def test_what_the_schema_forbids_is_refused_for_good(api: tuple[Kube, str]) -> None:
    kube, space = api
    wrong: list[tuple[Kind, dict[str, Any]]] = [
        (NODES, node("w1", "not a digest")),
        (NODES, {**node("w1"), "spec": {"cluster": "east", "node": "w1"}}),
        (NODES, {**node("w1"), "spec": {**node("w1")["spec"], "shared": ["../x"]}}),
        (NODES, {**node("w1"), "spec": {**node("w1")["spec"], "rows": [{"family": "frr", "type": "t"}]}}),
        (SLICES, {**node("s1"), "kind": SLICES.kind, "spec": {"parts": ["slice-" + "0" * 32]}}),
    ]
    for kind, body in wrong:
        with pytest.raises(PermanentError, match="refuses it"):
            kube.create(kind, space, body)


def test_a_kind_that_the_server_does_not_know_is_told_with_what_to_do(api: tuple[Kube, str]) -> None:
    kube, space = api
    strange = Kind("intentc.dev", "v9", "wonders", "Wonder")
    for ask in (lambda: kube.list(strange, space), lambda: kube.get(strange, space, "x")):
        with pytest.raises(PermanentError, match="kubectl apply -f deploy/crds"):
            ask()


def test_leases_of_kubernetes_are_objects_too(api: tuple[Kube, str]) -> None:
    kube, space = api
    head = {"apiVersion": LEASES.api, "kind": LEASES.kind, "metadata": {"name": "x"}}
    made = kube.create(LEASES, space, {**head, "spec": {"leaseTransitions": 3}})
    assert made["spec"]["leaseTransitions"] == 3


def test_a_version_that_is_not_kept_any_more_is_expired(tmp_path: Path) -> None:
    with stand_in.running() as (world, server):
        kube = connect(stand_in.kubeconfig(tmp_path, server))
        version = kube.list(NODES, "intentc-system").version
        kube.create(NODES, "intentc-system", node("w1"))
        world.compact()
        with pytest.raises(Expired):
            list(kube.watch(NODES, "intentc-system", version, 60))
        kube.close()


@pytest.mark.parametrize(
    ("code", "reason", "error", "words"),
    [
        (401, "Unauthorized", PermanentError, "does not know who asks"),
        (403, "Forbidden", PermanentError, "forbids it: no rights"),
        (429, "TooManyRequests", TransientError, "is busy"),
        (500, "InternalError", TransientError, "failed: no rights"),
        (503, "ServiceUnavailable", TransientError, "failed"),
        (413, "RequestEntityTooLarge", PermanentError, "refuses it"),
        (410, "Expired", Expired, "no rights"),
    ],
)
def test_answers_become_errors_that_say_whether_to_try_again(
    tmp_path: Path, code: int, reason: str, error: type[Exception], words: str
) -> None:
    with stand_in.running() as (world, server):
        world.faults.append(lambda *_: stand_in.Refused(code, reason, "no rights"))
        kube = connect(stand_in.kubeconfig(tmp_path, server))
        with pytest.raises(error, match=words):
            kube.list(NODES, "intentc-system")
        kube.close()


def test_a_frozen_server_is_waited_for_no_longer_than_allowed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        address = f"http://127.0.0.1:{frozen.getsockname()[1]}"
        kube = connect(stand_in.kubeconfig(tmp_path, address), timeout=0.3)
        with pytest.raises(TransientError, match=r"cannot be reached: .*read timeout=0\.3"):
            kube.list(NODES, "intentc-system")
        kube.close()


def test_what_is_no_api_server_is_told_in_words(tmp_path: Path) -> None:
    """Such as a proxy that asks for a password."""
    page = b"<html>\n"
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(page)}\r\n\r\n".encode()

    def answer() -> None:
        for _ in range(2):
            connection, _ = proxy.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(head + page)

    with socket.create_server(("127.0.0.1", 0)) as proxy:
        kube = connect(stand_in.kubeconfig(tmp_path, f"http://127.0.0.1:{proxy.getsockname()[1]}"))
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(TransientError, match="answers what is no JSON: <html>"):
            kube.get(NODES, "intentc-system", "w1")
        with pytest.raises(TransientError, match="answers what is no JSON: <html>"):
            list(kube.watch(NODES, "intentc-system", "1", 60))
        thread.join(LIMIT)
        kube.close()


@pytest.mark.parametrize("text", ["", "{", json.dumps({"kind": "Config"})], ids=["empty", "torn", "bare"])
def test_a_kubeconfig_that_cannot_be_used_is_told_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(PermanentError, match="cannot use the kubeconfig"):
        connect(path)
    with pytest.raises(PermanentError, match="cannot use the kubeconfig"):
        connect(tmp_path / "none")


def test_where_no_kubeconfig_is_it_is_told_where_one_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(PermanentError, match=r"that KUBECONFIG names, or ~/.kube/config: "):
        connect()
