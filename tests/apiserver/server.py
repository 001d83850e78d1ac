"""A stand-in for the Kubernetes API server: namespaced objects over HTTP, in this process.

Versions, conflicts, preconditions, the status subresource, generations, pages, metadata-only lists, watches
with bookmarks and expired versions behave as kube-apiserver 1.31 does. Objects of our own kinds are checked
with the schemas of deploy/crds, and fields that these do not know are dropped, as there. It knows no rules in
CEL, no patches and no tables; tests/real runs the same tests against the real one.
"""

from __future__ import annotations

import copy
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
from ruamel.yaml import YAML

Object = dict[str, Any]
Place = tuple[str, str]
"""Kind (group/version/plural) and namespace."""

CRDS = Path(__file__).parents[2] / "deploy/crds"
LEASES = "coordination.k8s.io/v1/leases"


class Refused(Exception):  # noqa: N818 -- an answer
    """A request that is answered with an error."""

    def __init__(self, code: int, reason: str, message: str, name: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
            **({"details": {"name": name}} if name else {}),
        }


class World:
    """All objects, and what happened to them."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.version = 1
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.events: list[tuple[int, Place, str, Object]] = []
        self.kept_from = 0
        """Watches and pages from before this version are expired."""
        self.schemas = {LEASES: {}, **dict(_schemas())}
        self.faults: list[Callable[[str, str], Refused | None]] = []
        """Asked for every request (method, path), to let some fail."""
        self.requests: list[tuple[str, str]] = []
        self.pages: dict[str, tuple[int, list[Object]]] = {}
        self.closing = False

    def compact(self) -> None:
        """Forget what happened before now."""
        with self.changed:
            self.kept_from = self.version
            self.events.clear()

    def since(self, version: int) -> list[tuple[int, Place, str, Object]]:
        """Return what happened after a version, in order."""
        return list(takewhile(lambda event: event[0] > version, reversed(self.events)))[::-1]

    def list(self, place: Place) -> list[Object]:
        return [body for (kind, space, _), body in sorted(self.objects.items()) if (kind, space) == place]

    def get(self, place: Place, name: str) -> Object:
        found = self.objects.get((*place, name))
        if found is None:
            raise Refused(404, "NotFound", f'{place[0]} "{name}" not found', name)
        return found

    def create(self, place: Place, body: Object) -> Object:
        name = body["metadata"]["name"]
        if (*place, name) in self.objects:
            raise Refused(409, "AlreadyExists", f'{place[0]} "{name}" already exists', name)
        made = self._checked(place[0], body)
        made.pop("status", None)
        made["metadata"] = {
            **made["metadata"],
            "namespace": place[1],
            "uid": str(uuid.uuid4()),
            "generation": 1,
            "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        return self._put(place, "ADDED", made)

    def replace(self, place: Place, name: str, body: Object, *, status: bool) -> Object:
        old = self.get(place, name)
        given = body["metadata"].get("resourceVersion")
        if given and given != old["metadata"]["resourceVersion"]:
            words = f'Operation cannot be fulfilled on {place[0]} "{name}": the object has been modified'
            raise Refused(409, "Conflict", words, name)
        made = copy.deepcopy(old)
        checked = self._checked(place[0], body)
        if status:
            made["status"] = checked.get("status", {})
        else:
            made["spec"] = checked.get("spec", {})
            said = checked["metadata"]
            for key in ("labels", "annotations"):
                made["metadata"].pop(key, None)
                made["metadata"] |= {key: said[key]} if said.get(key) else {}
            made["metadata"]["generation"] += made["spec"] != old.get("spec")
        if made == old:
            return old
        return self._put(place, "MODIFIED", made)

    def delete(self, place: Place, name: str, wanted: Object) -> Object:
        old = self.get(place, name)
        for field, value in wanted.items():
            if old["metadata"][field] != value:
                words = f"Precondition failed: {field} in precondition: {value}"
                raise Refused(409, "Conflict", words, name)
        del self.objects[*place, name]
        return self._event(place, "DELETED", copy.deepcopy(old))

    def _put(self, place: Place, what: str, body: Object) -> Object:
        found = self._event(place, what, body)
        self.objects[*place, body["metadata"]["name"]] = found
        return found

    def _event(self, place: Place, what: str, body: Object) -> Object:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.events.append((self.version, place, what, body))
        self.changed.notify_all()
        return body

    def _checked(self, kind: str, body: Object) -> Object:
        """Return an object without what its schema does not know; Refused where the schema forbids it."""
        made = copy.deepcopy(body)
        schema = self.schemas[kind]
        if schema:
            head = {key: made.pop(key) for key in ("apiVersion", "kind", "metadata") if key in made}
            _prune(made, schema)
            for fault in jsonschema.Draft202012Validator(schema).iter_errors(made):
                path = ".".join(map(str, fault.absolute_path))
                raise Refused(422, "Invalid", f"{path}: {fault.message}", head["metadata"]["name"])
            made = head | made
        return made


def _schemas() -> Iterator[tuple[str, Object]]:
    for file in sorted(CRDS.glob("*.yaml")):
        crd = YAML(typ="safe", pure=True).load(file.read_text())["spec"]
        for version in crd["versions"]:
            schema = copy.deepcopy(version["schema"]["openAPIV3Schema"])
            yield f"{crd['group']}/{version['name']}/{crd['names']['plural']}", schema


def _prune(value: Any, schema: Object) -> None:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, dict) and "properties" in schema:
        for key in list(value):
            if key in schema["properties"]:
                _prune(value[key], schema["properties"][key])
            else:
                del value[key]
    elif isinstance(value, list) and "items" in schema:
        for entry in value:
            _prune(entry, schema["items"])


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    world: World

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):
            self.close_connection = True

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(lambda place, _name, body: self.world.create(place, body))

    def do_PUT(self) -> None:
        status = urlsplit(self.path).path.endswith("/status")
        self._answer(lambda place, name, body: self.world.replace(place, name, body, status=status))

    def do_DELETE(self) -> None:
        self._answer(lambda place, name, body: self.world.delete(place, name, body.get("preconditions", {})))

    def _answer(self, act: Callable[[Place, str, Object], Object | None]) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        url = urlsplit(self.path)
        self.world.requests.append((self.command, self.path))
        try:
            for fault in self.world.faults:
                if refused := fault(self.command, self.path):
                    raise refused
            place, name = self._place(url.path)
            with self.world.changed:
                # What is sent is written down while nothing changes.
                answer = act(place, name, body)
                data = None if answer is None else json.dumps(answer).encode()
            if data is not None:
                self._send(201 if self.command == "POST" else 200, data)
            else:
                self._watch(place, name)
        except Refused as refused:
            self._send(refused.code, json.dumps(refused.status).encode())

    def _place(self, path: str) -> tuple[Place, str]:
        parts = path.strip("/").split("/")
        if len(parts) >= 6 and parts[0] == "apis" and parts[3] == "namespaces":
            kind = f"{parts[1]}/{parts[2]}/{parts[5]}"
            if kind in self.world.schemas:
                return (kind, parts[4]), parts[6] if len(parts) > 6 else ""
        raise Refused(404, "NotFound", "the server could not find the requested resource")

    def _get(self, place: Place, name: str, _: Object) -> Object | None:
        if name:
            return self.world.get(place, name)
        query = parse_qs(urlsplit(self.path).query)
        if "watch" in query:
            return None
        return self._list(place, {key: values[0] for key, values in query.items()})

    def _list(self, place: Place, query: dict[str, str]) -> Object:
        world = self.world
        version, items = world.version, world.list(place)
        if "continue" in query:
            version, items = world.pages.get(query["continue"], (0, []))
            if version < max(world.kept_from, 1):
                raise Refused(410, "Expired", "The provided continue parameter is too old")
        limit = int(query.get("limit", 0)) or len(items)
        metadata: Object = {"resourceVersion": str(version)}
        if len(items) > limit:
            metadata["continue"] = token = uuid.uuid4().hex
            metadata["remainingItemCount"] = len(items) - limit
            world.pages[token] = (version, items[limit:])
        shown: list[Object] | None = items[:limit]
        if "as=PartialObjectMetadataList" in self.headers.get("Accept", ""):
            shown = [{"metadata": body["metadata"]} for body in items[:limit]] or None  # as the real one does
        return {"kind": "List", "metadata": metadata, "items": shown}

    def _watch(self, place: Place, name: str) -> None:
        """Send events, as chunks, until time is over or nobody listens."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        name = query.get("fieldSelector", "").removeprefix("metadata.name=") or name
        seen = int(query["resourceVersion"])
        ends = time.monotonic() + (float(query.get("timeoutSeconds", 0)) or 1800.0)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        if seen == 0:
            with self.world.changed:
                seen, there = self.world.version, copy.deepcopy(self.world.list(place))
            for body in there:
                if name in ("", body["metadata"]["name"]):
                    self._chunk({"type": "ADDED", "object": body})
        if seen < self.world.kept_from:
            status = Refused(410, "Expired", f"too old resource version: {seen}").status
            self._chunk({"type": "ERROR", "object": status})
        else:
            last = self._events(place, name, seen, ends)
            if last > seen and "allowWatchBookmarks" in query:
                self._chunk({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(last)}}})
        self.wfile.write(b"0\r\n\r\n")

    def _events(self, place: Place, name: str, seen: int, ends: float) -> int:
        world, last = self.world, seen
        while True:
            with world.changed:
                newer = world.since(seen)
                left = ends - time.monotonic()
                if not newer and left > 0 and not world.closing:
                    world.changed.wait(min(left, 0.5))
            for version, where, what, body in newer:
                seen = version
                if where == place:
                    last = version
                if where == place and name in ("", body["metadata"]["name"]):
                    self._chunk({"type": what, "object": body})
            if not newer and (left <= 0 or world.closing):
                return last

    def _chunk(self, event: Object) -> None:
        data = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _send(self, code: int, data: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """A stand-in that listens on a port of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        self.connections: set[Any] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        """Break off all connections."""
        for request in list(self.connections):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that went away."""


@contextmanager
def running(port: int = 0) -> Iterator[tuple[World, str]]:
    """Run a stand-in; give its world and its address."""
    world = World()
    server = Server(("127.0.0.1", port), type("Bound", (Handler,), {"world": world}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield world, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        world.closing = True
        with world.changed:
            world.changed.notify_all()
        server.shutdown()
        server.server_close()
        server.cut()


def kubeconfig(folder: Path, server: str, authority: Path | None = None) -> Path:
    """Write a kubeconfig for a server."""
    cluster = {"server": server, **({"certificate-authority": str(authority)} if authority else {})}
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": "test", "user": {"token": "secret"}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            }
        )
    )
    return path
